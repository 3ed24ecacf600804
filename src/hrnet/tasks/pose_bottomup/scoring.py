"""Poses found without boxes, and truth, to figures: AP, people found and people invented."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.engines.inference import Inference
from hrnet.results.pose import Pose
from hrnet.scoring.bootstrap import ratio_interval
from hrnet.scoring.oks import similarity
from hrnet.scoring.protocol import score

ALIKE = 0.5  # OKS from which a pose shows a person
WELL_LABELLED = 10  # joints; people with fewer say little about who was found


def evaluate(inference: Inference[Pose], data: PoseData) -> dict[str, Any]:
    """Predict every picture of a data set without boxes and score it: `{"metrics": {...}, ...}`.

    Beside the set's own figures: `found`, the share of people with ten labelled joints or more whom a pose shows at OKS
    0.5, and `invented`, poses per picture that show nobody and do not lie on a crowd or on a person without labels.
    """
    records = [record for record in data.records if record.people or not data.labelled]
    poses = list(inference.predict((record.read, None, None) for record in records))
    figures = score(data, [record.id for record in records], poses)
    if data.skeleton.sigmas and data.labelled:
        add_found(figures, data, records, poses)
    return figures


def add_found(
    figures: dict[str, Any], data: PoseData, records: Sequence[Record], poses: Sequence[Sequence[Pose]]
) -> None:
    """Add the figures about whole people to those of the set."""
    sigmas = np.array(data.skeleton.sigmas)
    found: list[bool] = []
    invented = 0
    for record, here in zip(records, poses, strict=True):
        people = [person for person in record.people if not person.crowd and person.visibility.any()]
        ignored = [person for person in record.people if person.crowd or not person.visibility.any()]
        matched, strange = matching(people, here, sigmas)
        found += [hit for hit, p in zip(matched, people, strict=True) if (p.visibility > 0).sum() >= WELL_LABELLED]
        invented += sum(not any(lies_on(pose, person) for person in ignored) for pose in strange)
    hits = np.array(found, float)
    figures["metrics"]["invented"] = round(invented / max(1, len(records)), 4)
    if len(hits):
        figures["metrics"]["found"] = round(float(hits.mean()), 4)
        figures["interval"]["found"] = ratio_interval(hits, np.ones_like(hits))
        figures["well_labelled"] = len(hits)


def matching(people: Sequence[Person], poses: Sequence[Pose], sigmas: np.ndarray) -> tuple[list[bool], list[Pose]]:
    """Which people a pose shows, each pose one person, the surest poses first; and the poses that show nobody."""
    matched, strange = [False] * len(people), []
    for pose in sorted(poses, key=lambda each: -each.score):
        alike = [oks(pose, person, sigmas) for person in people]
        free = [value if not done else 0.0 for value, done in zip(alike, matched, strict=True)]
        if free and max(free) >= ALIKE:
            matched[int(np.argmax(free))] = True
        elif max(alike, default=0.0) < ALIKE:
            strange.append(pose)
    return matched, strange


def oks(pose: Pose, person: Person, sigmas: np.ndarray) -> float:
    """Object keypoint similarity over the person's labelled joints."""
    labelled = person.visibility > 0
    return float(similarity(pose.keypoints - person.keypoints, np.array(person.area), sigmas)[labelled].mean())


def lies_on(pose: Pose, person: Person) -> bool:
    """Whether at least half of a pose's box lies in a person's."""
    low, high = np.maximum(pose.box[:2], person.box[:2]), np.minimum(pose.box[2:], person.box[2:])
    shared, own = np.prod(np.maximum(high - low, 0)), np.prod(np.maximum(pose.box[2:] - pose.box[:2], 1))
    return bool(shared >= 0.5 * own)
