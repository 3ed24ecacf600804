#!/usr/bin/env bash
# The training of the embedded weights, in one command.
#
#     benchmarks/train_embedded.sh DATA [key=value ...]     # DATA: a folder with lspet/, people/ and coco_people/
#
# Sets are named several times: once round all of them is an epoch, and short epochs would spend their time on checkpoints.
# The validation part of LSPET is scored once, at the end: it chooses nothing.
set -euo pipefail
data=$1
shift
coco=$data/coco_people/annotations

times() { for ((i = 0; i < $1; i++)); do printf '%s\n' "$2"; done; }  # times COUNT SET

hrnet train \
    $(times 5 "$data/lspet") $(times 5 "$data/people/people_train.json") \
    $(times 40 "$coco/person_keypoints_train.json") $(times 40 "$coco/person_keypoints_single.json") \
    --images "$data/coco_people/images_single" --val "$data/lspet" --recipe small_256x192 --out runs/embedded \
    training.epochs=20 training.validate_every=20 training.batch_size=128 loss.pseudo_weight=0.8 "$@"
