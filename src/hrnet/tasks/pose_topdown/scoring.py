"""Poses and truth to figures: PCK for sets with a torso, OKS AP for COCO-style ones."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from hrnet.datasets.records import PoseData
from hrnet.errors import HRNetError
from hrnet.results.pose import Pose
from hrnet.tasks.pose_topdown.inference import TopDownInference

SIDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
TORSO = ("right_shoulder", "left_hip")


def evaluate(inference: TopDownInference, data: PoseData) -> dict[str, Any]:
    """Predict every labelled person of a data set in its own box and score: `{"metrics": {...}, ...}`."""
    records = [record for record in data.records if any(not person.crowd for person in record.people)]
    chosen = [[person for person in record.people if scored(person)] for record in records]
    items = (
        (
            record.read() if people else np.zeros((1, 1, 3), np.uint8),
            np.array([p.box for p in people]).reshape(-1, 4),
            None,
        )
        for record, people in zip(records, chosen, strict=True)
    )
    poses = list(inference.predict(items))
    if data.metric == "AP":
        return average_precision(data, [r.id for r in records], poses)
    return pck(data, chosen, poses)


def scored(person) -> bool:
    """Whether a person takes part: published code predicts those with a labelled keypoint that are no crowd."""
    return not person.crowd and bool(person.visibility.any())


def pck(data: PoseData, people: Sequence, poses: Sequence[Sequence[Pose]], share: float = 0.2) -> dict[str, Any]:
    """PCK: the share of joints closer to the truth than `share` x torso (right shoulder to left hip, as labelled).

    Pooled over all joints that network and truth share, and per joint. People whose torso is not labelled are left
    out. Intervals are 95 % bootstrap intervals, drawn over people.
    """
    hits, counted, names = hits_of(data, people, poses, share)
    if not len(counted) or not counted.any():
        raise HRNetError(
            f"{data.name} has no person with a labelled torso (right_shoulder and left_hip): PCK is undefined"
        )
    name = f"PCK@{share:g}"
    per_joint = {
        joint: {"value": ratio(hits[:, j], counted[:, j]), "interval": interval(hits[:, j], counted[:, j])}
        for j, joint in enumerate(names)
        if counted[:, j].any()
    }
    return {
        "metrics": {name: ratio(hits, counted)},
        "interval": {name: interval(hits.sum(axis=1), counted.sum(axis=1))},
        "per_joint": per_joint,
        "people": int(counted.any(axis=1).sum()),
        "joints": int(counted.sum()),
    }


def hits_of(
    data: PoseData, people: Sequence, poses: Sequence[Sequence[Pose]], share: float
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Right joints and counted joints, both (people, joints) of bool, and the joints' names."""
    skeleton = next((pose.skeleton for found in poses for pose in found), None)
    if skeleton is None:
        return np.zeros((0, 0), bool), np.zeros((0, 0), bool), []
    names = [name for name in skeleton.keypoints if name in data.skeleton.keypoints]
    ours, theirs = [skeleton.index(n) for n in names], [data.skeleton.index(n) for n in names]
    ends = [data.skeleton.index(name) for name in TORSO]
    hits, counted = [], []
    for person, pose in ((p, q) for ps, qs in zip(people, poses, strict=True) for p, q in zip(ps, qs, strict=True)):
        if not person.visibility[ends].all():
            continue
        torso = np.linalg.norm(person.keypoints[ends[0]] - person.keypoints[ends[1]])
        distance = np.linalg.norm(pose.keypoints[ours] - person.keypoints[theirs], axis=1)
        labelled = person.visibility[theirs] > 0
        hits.append((distance < share * torso) & labelled)
        counted.append(labelled)
    return np.array(hits).reshape(-1, len(names)), np.array(counted).reshape(-1, len(names)), names


def ratio(parts: np.ndarray, wholes: np.ndarray) -> float:
    """sum(parts) / sum(wholes), to four digits."""
    return round(float(parts.sum() / wholes.sum()), 4)


def interval(parts: np.ndarray, wholes: np.ndarray, rounds: int = 2000) -> list[float]:
    """95 % bootstrap interval of sum(parts) / sum(wholes), people drawn with replacement (fixed seed)."""
    drawn = np.random.default_rng(0).integers(len(parts), size=(rounds, len(parts)))
    values = parts[drawn].sum(axis=1) / np.maximum(wholes[drawn].sum(axis=1), 1)
    return [round(float(value), 4) for value in np.percentile(values, [2.5, 97.5])]


def average_precision(data: PoseData, ids: Sequence, poses: Sequence[Sequence[Pose]]) -> dict[str, Any]:
    """COCO keypoint AP with the boxes given, as pycocotools computes it, against the file itself."""
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError:
        raise HRNetError("AP needs the package faster-coco-eval: pip install 'hrnet[eval]'") from None
    if data.truth is None:
        raise HRNetError(f"{data.name} is no COCO-style file, so AP is undefined: it is scored by {data.metric}")
    if not data.skeleton.sigmas:
        raise HRNetError(f"{data.name}: its skeleton has no OKS sigmas, so AP is undefined")
    category = next(each["id"] for each in data.truth["categories"] if "keypoints" in each)
    results = [
        as_coco_result(image_id, category, pose) for image_id, found in zip(ids, poses, strict=True) for pose in found
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(data.truth)
        run = COCOeval_faster(truth, truth.loadRes(results), "keypoints", print_function=lambda *_: None)
        run.params.kpt_oks_sigmas = np.array(data.skeleton.sigmas)
        run.evaluate()
        run.accumulate()
        run.summarize()
    names = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
    return {
        "metrics": {name: round(float(value), 4) for name, value in zip(names, run.stats, strict=False)},
        "people": len(results),
        "pictures": len(data.records),
    }


def as_coco_result(image_id: Any, category: int, pose: Pose) -> dict[str, Any]:
    """One entry of a COCO keypoint results list."""
    values = np.column_stack([pose.keypoints, pose.scores])
    return {"image_id": image_id, "category_id": category, "keypoints": values.ravel().tolist(), "score": pose.score}
