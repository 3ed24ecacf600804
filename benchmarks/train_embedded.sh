#!/usr/bin/env bash
# The training of the embedded weights, in four steps; each starts from the weights of the one before.
#
#     benchmarks/train_embedded.sh DATA      # a folder with lspet/, people/ and coco_people/
#
# The run that made them ended each step early: press Ctrl-C once epoch 16 of 40, 6 of 10, 2 of 6 and 3 of 4 is
# reported; best.safetensors is then the state at that epoch. docs/weights.md says what else differed.
set -euo pipefail
data=$1
coco=$data/coco_people/annotations
two=("$coco/person_keypoints_train.json" "$coco/person_keypoints_single.json")
six=("${two[@]}" "${two[@]}" "${two[@]}" "${two[@]}" "${two[@]}" "${two[@]}")
people=$data/people/people_train.json

step() {  # step OUT SETS... -- OPTIONS...
    local out=$1 sets=()
    shift
    while [ "$1" != -- ]; do sets+=("$1"); shift; done
    shift
    hrnet train "$data/lspet" "${sets[@]}" --recipe small_256x192 --images "$data/coco_people/images_single" \
        --val "$data/lspet" --val "$coco/person_keypoints_val.json" --out "runs/$out" \
        training.compile=true "$@" || true
}

step low "$people" "${two[@]}" "${two[@]}" "${two[@]}" -- \
    "model.input_size=[96,128]" training.epochs=40 training.validate_every=2
step mid "$people" "${six[@]}" -- --from runs/low/best.safetensors \
    "model.input_size=[96,128]" training.epochs=10 training.validate_every=2 optim.lr=1.5e-3
step full "$people" "${six[@]}" -- --from runs/mid/best.safetensors \
    training.epochs=6 training.validate_every=2 training.batch_size=32 optim.lr=1e-3 loss.pseudo_weight=0.8
step last "$people" "$people" "${six[@]}" "${six[@]}" -- --from runs/full/best.safetensors \
    training.epochs=4 training.batch_size=32 optim.lr=8e-4 loss.pseudo_weight=0.8
