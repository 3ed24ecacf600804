#!/usr/bin/env bash
# The training of the embedded weights, in three steps; each starts from the weights of the one before.
#
#     benchmarks/train_embedded.sh DATA      # a folder with lspet/, people/ and coco_people/
#
# The first step is meant for 40 epochs and ends after its 16th, as the published run did: press Ctrl-C once epoch 16
# is reported. The second ends after its 6th of 10 likewise. best.safetensors is then the state at that epoch.
set -euo pipefail
data=$1
coco=$data/coco_people/annotations
people=$coco/person_keypoints_train.json single=$coco/person_keypoints_single.json
common=(--recipe small_256x192 --images "$data/coco_people/images_single"
        --val "$data/lspet" --val "$coco/person_keypoints_val.json" training.compile=true training.validate_every=2)

hrnet train "$data/lspet" "$data/people/people_train.json" "$people" "$people" "$people" "$single" "$single" "$single" \
    "${common[@]}" --out runs/low "model.input_size=[96,128]" training.epochs=40 || true

six=("$people" "$people" "$people" "$people" "$people" "$people" "$single" "$single" "$single" "$single" "$single" "$single")
hrnet train "$data/lspet" "$data/people/people_train.json" "${six[@]}" \
    "${common[@]}" --out runs/mid --from runs/low/best.safetensors "model.input_size=[96,128]" training.epochs=10 optim.lr=1.5e-3 || true

hrnet train "$data/lspet" "$data/people/people_train.json" "${six[@]}" \
    "${common[@]}" --out runs/full --from runs/mid/best.safetensors \
    training.epochs=6 training.batch_size=32 optim.lr=1e-3 loss.pseudo_weight=0.8
