#!/usr/bin/env bash
# The training of the embedded weights, in two commands.
#
#     benchmarks/train_embedded.sh DATA [key=value ...]     # DATA: a folder with lspet/, people/ and coco_people/
#
# Sets are named several times: once round all of them is an epoch, and short epochs would spend their time on checkpoints.
# Validation sets are scored once, at the end of each command: they choose no epoch.
set -euo pipefail
data=$1
shift
coco=$data/coco_people/annotations
train() {  # train COUNT COCO_COUNT OPTIONS...
    hrnet train $(times "$1" "$data/lspet") $(times "$1" "$data/people/people_train.json") \
        $(times "$2" "$coco/person_keypoints_train.json") $(times "$2" "$coco/person_keypoints_single.json") \
        --images "$data/coco_people/images_single" --recipe pose_topdown/small_256x192 \
        training.batch_size=256 training.workers=15 loss.pseudo_weight=0.8 "${@:3}"
}
times() { for ((i = 0; i < $1; i++)); do printf '%s\n' "$2"; done; }  # times COUNT SET

train 5 40 --out runs/first --val "$data/lspet" framing.padding=1.35 \
    training.epochs=11 training.validate_every=11 optim.lr=3e-3 "$@"
train 1 16 --out runs/embedded --val "$coco/person_keypoints_val.json" --from runs/first/last.safetensors \
    framing.padding=1.25 training.epochs=14 training.validate_every=14 optim.lr=1e-3 optim.warmup=0.05 "$@"
