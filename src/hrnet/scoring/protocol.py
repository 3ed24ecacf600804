"""Poses found in the pictures of a data set to the figures that the set is known by."""

from collections.abc import Sequence
from typing import Any

from hrnet.datasets.records import PoseData
from hrnet.results.pose import Pose
from hrnet.scoring.coco_ap import average_precision
from hrnet.scoring.pck import assign, pck, pckh, scored


def score(
    data: PoseData, image_ids: Sequence[Any], poses: Sequence[Sequence[Pose]], assigned: bool = False
) -> dict[str, Any]:
    """Figures of the `poses` found in each of the pictures `image_ids`: `{"metrics": {...}, "interval": {...}, ...}`.

    The set's headline says how: OKS AP, PCKh or PCK. The last two ask whose pose each one is:
    `assigned` says that the poses of a picture are those of its people that are `scored`, in their order, as where
    every person was looked for in its own box; otherwise each person gets the pose that fits best.
    """
    if data.headline == "AP":
        return average_precision(data, image_ids, poses)
    found = dict(zip(image_ids, poses, strict=True))
    records = [record for record in data.records if record.id in found]
    people = [[person for person in record.people if scored(person)] for record in records]
    theirs = [
        list(found[record.id]) if assigned else assign(data.skeleton, group, found[record.id])
        for record, group in zip(records, people, strict=True)
    ]
    return pckh(data, people, theirs) if data.headline == "PCKh@0.5" else pck(data, people, theirs)
