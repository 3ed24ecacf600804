"""What lies behind the figures: scores of each joint, the kinds of errors, and whether scores can be trusted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hrnet.datasets.records import PoseData
from hrnet.scoring.bootstrap import ratio, ratio_interval
from hrnet.scoring.breakdown import breakdown
from hrnet.scoring.people import RIGHT, Verdict, verdicts
from hrnet.scoring.protocol import Answers

BINS = 10


def analysis(data: PoseData, answers: Answers) -> dict[str, Any]:
    """`{"reliability": ...}`, and for sets scored by AP also `per_joint` and `breakdown`, to be added to the figures.

    `per_joint` is there the mean similarity of each labelled keypoint to its truth, 0 for people who were not found.
    """
    people = verdicts(data, answers)
    found: dict[str, Any] = {"reliability": reliability(people)}
    if data.headline == "AP":
        found["per_joint"] = joint_similarity(people, data.skeleton.keypoints)
        found["breakdown"] = breakdown(data, answers.image_ids, answers.poses)
    return found


def joint_similarity(people: Sequence[Verdict], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Mean similarity of each keypoint to its truth, with its interval over people."""
    alike = np.array([person.alike for person in people]).reshape(-1, len(names))
    counted = ~np.isnan(alike)
    alike = np.where(counted, alike, 0)
    return {
        name: {"value": ratio(alike[:, k], counted[:, k]), "interval": ratio_interval(alike[:, k], counted[:, k])}
        for k, name in enumerate(names)
        if counted[:, k].any()
    }


def reliability(people: Sequence[Verdict]) -> dict[str, Any]:
    """Whether a joint's score says how often it is right: by bins of scores, the mean score, the share of right joints
    (similarity 0.5 or more, or right by PCK) and their number. `error` is the mean distance of the two, weighed by
    number (expected calibration error, Guo et al. 2017). Joints of people who were not found have no score."""
    alike = np.concatenate([person.alike for person in people] or [np.zeros(0)])
    scores = np.concatenate([person.scores for person in people] or [np.zeros(0)])
    known = ~np.isnan(alike) & ~np.isnan(scores)
    right, scores = alike[known] >= RIGHT, scores[known]
    place = np.clip((scores * BINS).astype(int), 0, BINS - 1)
    bins, error = [], 0.0
    for b in range(BINS):
        members = place == b
        if members.any():
            score, share = float(scores[members].mean()), float(right[members].mean())
            bins.append({"score": round(score, 4), "right": round(share, 4), "joints": int(members.sum())})
            error += abs(score - share) * members.sum() / len(scores)
    return {"bins": bins, "error": round(float(error), 4)}
