#!/usr/bin/env bash
# The training of the embedded bottom-up weights, in one command.
#
#     benchmarks/train_bottomup.sh DATA [key=value ...]     # DATA: a folder with lspet/, people/, coco_people/, imagenet_tiny/
#
# It goes on from the embedded bottom-up weights, with people from a fifth of the picture to larger than it. Sets are named
# several times: once round all of them is an epoch. coco_people's validation part is scored once: it chooses nothing.
set -euo pipefail
data=$1
shift
coco=$data/coco_people/annotations

times() { for ((i = 0; i < $1; i++)); do printf '%s\n' "$2"; done; }  # times COUNT SET

hrnet train \
    "$data/lspet" "$data/people/people_train.json" $(times 20 "$coco/person_keypoints_train.json") \
    --recipe pose_bottomup/small_512 --from embedded --out runs/bottomup \
    --val "$coco/person_keypoints_val.json" \
    augmentation.backgrounds="$data/imagenet_tiny/ants_bees/train" training.validate_every=5 "$@"
