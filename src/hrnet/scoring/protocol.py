"""Poses found in the pictures of a data set to the figures that the set is known by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.errors import HRNetError
from hrnet.results.pose import Pose
from hrnet.scoring.coco_ap import average_precision
from hrnet.scoring.pck import assign, pck, pckh, scored


@dataclass(frozen=True)
class Answers:
    """The `poses` found in each of the pictures `image_ids` of a data set.

    `assigned` says that the poses of a picture are those of its people that are `scored`, in their order, as where
    every person was looked for in its own box.
    """

    image_ids: Sequence[Any]
    poses: Sequence[Sequence[Pose]]
    assigned: bool = False


def score(
    data: PoseData, image_ids: Sequence[Any], poses: Sequence[Sequence[Pose]], assigned: bool = False
) -> dict[str, Any]:
    """Figures of the poses found (see `Answers`): `{"metrics": {...}, "interval": {...}, ..., "answers": Answers}`.

    The set's headline says how: OKS AP, PCKh or PCK. The last two ask whose pose each one is: where they are not
    `assigned` each person gets the pose that fits best. A set without labels has no metrics.
    """
    answers = Answers(image_ids, poses, assigned)
    if not data.labelled:
        found = {"metrics": {}, "poses": sum(len(group) for group in poses), "pictures": len(image_ids)}
    elif data.headline == "AP":
        answers = Answers(image_ids, in_skeleton(poses, data), assigned)
        found = average_precision(data, image_ids, answers.poses)
    else:
        measure = pckh if data.headline == "PCKh@0.5" else pck
        found = measure(data, *paired(data, answers))
    return found | {"answers": answers}


def in_skeleton(poses: Sequence[Sequence[Pose]], data: PoseData) -> Sequence[Sequence[Pose]]:
    """Poses with the keypoints of a set, in its order, as AP needs them. Raises `HRNetError` where some are missing."""
    found = next((pose.skeleton for group in poses for pose in group), data.skeleton)
    if found.keypoints == data.skeleton.keypoints:
        return poses
    order = data.skeleton.positions_in(found)
    if (order < 0).any():
        missing = ", ".join(name for name, k in zip(data.skeleton.keypoints, order, strict=True) if k < 0)
        raise HRNetError(
            f"{data.name} labels {missing}, which the network ({found.name}) does not find, so AP is undefined: "
            "evaluate a network with the set's own keypoints"
        )
    return [
        [replace(p, keypoints=p.keypoints[order], scores=p.scores[order], skeleton=data.skeleton) for p in group]
        for group in poses
    ]


def looked_for(data: PoseData, record: Record) -> list[Person]:
    """The people of a picture who are predicted: those scored, or everybody where a set has no labels."""
    return [person for person in record.people if scored(person) or not (data.labelled or person.crowd)]


def paired(data: PoseData, answers: Answers) -> tuple[list[list[Person]], list[list[Pose | None]]]:
    """The scored people of each picture of a set, and the pose of each, None for someone who was not found."""
    found = dict(zip(answers.image_ids, answers.poses, strict=True))
    people = [[person for person in record.people if scored(person)] for record in data.records]
    theirs: list[list[Pose | None]] = []
    for record, group in zip(data.records, people, strict=True):
        poses = found.get(record.id, ())
        theirs.append(list(poses) if answers.assigned and poses else assign(data.skeleton, group, poses))
    return people, theirs
