"""Poses found, in the files that evaluation servers take: COCO's results and MPII's pred.mat."""

import io
import json
from pathlib import Path

import numpy as np

from hrnet.datasets.records import PoseData
from hrnet.errors import UsageError
from hrnet.images import write_bytes, write_text
from hrnet.results.writing import coco_results
from hrnet.scoring.protocol import Answers, looked_for


def check_results(path: Path, data: PoseData) -> None:
    """Refuse a file that `write_results` could not write, before time is spent on predicting."""
    if path.suffix not in (".json", ".mat"):
        raise UsageError(f"{path}: results are written as .json (COCO's) or .mat (MPII's pred.mat), name one of these")
    if path.suffix == ".mat" and (data.skeleton.name != "mpii" or data.boxes is not None):
        raise UsageError(f"{path}: pred.mat is for MPII's people, looked for in their own boxes; name a .json instead")


def write_results(path: Path, data: PoseData, answers: Answers) -> None:
    """Write what was found as COCO results (.json) or MPII's pred.mat (.mat)."""
    check_results(path, data)
    if path.suffix == ".mat":
        write_bytes(path, pred_mat(data, answers))
    else:
        entries = coco_results(answers.image_ids, answers.poses, category_of(data))
        write_text(path, json.dumps(entries) + "\n")


def category_of(data: PoseData) -> int:
    """The category id of a set's keypoints, 1 where it has no categories."""
    categories = data.truth["categories"] if data.truth else ()
    return next((category["id"] for category in categories if "keypoints" in category), 1)


def pred_mat(data: PoseData, answers: Answers) -> bytes:
    """MPII's `pred.mat`: `preds` (N, 16, 2) float32, one row per person in the order of the annotation file, in
    MATLAB's pixels, which count from 1 (published `MPIIDataset.evaluate`). Someone not predicted has a row of zeros."""
    from scipy.io import savemat

    rows = np.zeros((sum(len(record.people) for record in data.records), len(data.skeleton), 2), np.float32)
    found = dict(zip(answers.image_ids, answers.poses, strict=True))
    for record in data.records:
        people = looked_for(data, record)
        for person, pose in zip(people, found.get(record.id, ()), strict=True):
            rows[int(person.id)] = pose.keypoints + 1
    file = io.BytesIO()
    savemat(file, {"preds": rows})
    return file.getvalue()
