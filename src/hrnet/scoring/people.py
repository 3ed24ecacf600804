"""How well each annotated person was found: who is best and who is worst, joint by joint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet.datasets.records import PoseData
from hrnet.results.pose import Pose
from hrnet.scoring.coco_ap import scorable
from hrnet.scoring.matching import match
from hrnet.scoring.oks import similarity
from hrnet.scoring.pck import errors_of, shared_keypoints, size_in
from hrnet.scoring.protocol import Answers, paired

LEAST_OKS = 0.1  # of a person and the pose that counts as theirs
RIGHT = 0.5  # similarity from which a keypoint counts as right


@dataclass(frozen=True)
class Verdict:
    """One person of the truth: in which picture, the true pose (scores 1 where labelled), the pose found or None.

    `value` is OKS, or the share of joints that PCK counts as right. By joint: `alike` (K,) is the similarity (AP) or 1
    and 0 for right and wrong (PCK), NaN where nothing is labelled; `scores` (K,) are the found joints', NaN without.
    Where nobody was found `nearest` is the pose of the picture that comes nearest of those that are nobody's.
    """

    picture: Any
    truth: Pose
    found: Pose | None
    nearest: Pose | None
    value: float
    alike: np.ndarray
    scores: np.ndarray


def verdicts(data: PoseData, answers: Answers) -> list[Verdict]:
    """Everybody whom the set's figures count, in its order."""
    return by_oks(data, answers) if data.headline == "AP" else by_distance(data, answers)


def by_oks(data: PoseData, answers: Answers) -> list[Verdict]:
    """Verdicts by OKS: a person's pose is the one that COCO's matching gives at OKS 0.1."""
    truths, found, sigmas = scorable(data, answers.image_ids, answers.poses)
    matches = match(truths, found, sigmas, np.array([LEAST_OKS]), ((0.0, np.inf),))
    flat = [pose for group in answers.poses for pose in group]
    holder = {int(g): flat[matches.found.source[d]] for d, g in enumerate(matches.partner[0, 0]) if g >= 0}
    free: dict[int, list[Pose]] = {}
    for d in np.flatnonzero(matches.partner[0, 0] < 0):
        free.setdefault(int(matches.found.picture[d]), []).append(flat[matches.found.source[d]])
    found_by = []
    for g in np.flatnonzero(~truths.ignored):
        annotation = data.truth["annotations"][truths.source[g]] if data.truth else {}
        labelled, pose = truths.visibility[g] > 0, holder.get(int(g))
        alike, scores = np.zeros(len(sigmas)), np.full(len(sigmas), np.nan)
        if pose is not None:
            alike, scores = similarity(pose.keypoints - truths.keypoints[g], truths.area[g], sigmas), pose.scores
        x, y, w, h = truths.box[g]
        truth = Pose(truths.keypoints[g], labelled.astype(float), 1.0, np.array([x, y, x + w, y + h]), data.skeleton)
        value = float(alike[labelled].mean())
        near = None if pose is not None else nearest_to(truth, free.get(int(truths.picture[g]), ()))
        alike = np.where(labelled, alike, np.nan)
        found_by.append(Verdict(annotation["image_id"], truth, pose, near, value, alike, scores))
    return found_by


def by_distance(data: PoseData, answers: Answers) -> list[Verdict]:
    """Verdicts by PCK or PCKh at the share of the set's headline."""
    people, poses = paired(data, answers)
    size_of, share = size_in(data), float(data.headline.split("@")[1])
    errors = errors_of(data, people, poses, size_of)
    right = np.where(errors.counted, errors.within(share, reaching=data.headline.startswith("PCKh")), np.nan)
    pairs = [
        (record.id, person, pose)
        for record, group, found in zip(data.records, people, poses, strict=True)
        for person, pose in zip(group, found, strict=True)
        if not np.isnan(size_of(person))
    ]
    found_by = []
    for (picture, person, pose), joints in zip(pairs, right, strict=True):
        truth = Pose(person.keypoints, (person.visibility > 0).astype(float), 1.0, person.box, data.skeleton)
        scores = np.full(len(joints), np.nan)
        if pose is not None:
            scores = pose.scores[shared_keypoints(pose.skeleton, data.skeleton)[1]]
        if not np.isnan(joints).all():
            found_by.append(Verdict(picture, truth, pose, None, float(np.nanmean(joints)), joints, scores))
    return found_by


def nearest_to(truth: Pose, poses: Sequence[Pose]) -> Pose | None:
    """The pose with the smallest mean distance to the labelled keypoints of a true one."""
    labelled = truth.scores > 0
    away = [np.linalg.norm(pose.keypoints - truth.keypoints, axis=1)[labelled].mean() for pose in poses]
    return poses[int(np.argmin(away))] if away else None
