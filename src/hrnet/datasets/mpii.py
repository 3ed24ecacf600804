"""MPII Human Pose (Andriluka et al., CVPR 2014), in the JSON form that the published top-down code reads.

`annot/{train,valid,trainval,test}.json` is a list of people: image, center, scale (height / 200), joints, joints_vis.
Coordinates in it are MATLAB's, from 1. `annot/gt_valid.mat`, where it lies beside valid.json, adds the head boxes that
PCKh is measured by.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.coco import load_json
from hrnet.datasets.pictures import find_pictures, stored_size
from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import MPII
from hrnet.errors import HRNetError

HEIGHT = 200.0  # pixels of a person of scale 1
LOWERED = 15.0  # the published code looks for people lower than their centre, by this times their scale
PADDING = 1.25


def read_mpii(path: Path, images: Sequence[Path] = ()) -> PoseData:
    """Read one annotation file. A person's id is its number in the file, from 0: the row of `pred.mat`.

    A person's box is the square that leads to the published centre and scale once a recipe's padding of 1.25 widens
    it (`mpii.py: _get_db` of the published code, quirks included).
    """
    content = load_json(path)
    if not content:
        raise HRNetError(f"{path} is an empty list: expected people as MPII has them, or a COCO-style object")
    rows = [checked(row, number, path) for number, row in enumerate(content, start=1)]
    pictures = find_pictures(path, [row["image"] for row in rows], images)
    heads = head_boxes(path.with_name(f"gt_{path.stem}.mat"), len(rows))
    people: dict[str, list[Person]] = {}
    for number, row in enumerate(rows):
        head = None if heads is None else heads[number]
        people.setdefault(row["image"], []).append(person_of(row, number, head))
    records = []
    for name, found in people.items():
        file = pictures.path(name)
        records.append(Record(file, *stored_size(file), id=Path(name).stem, people=tuple(found)))
    return PoseData(f"mpii_{path.stem}", MPII, tuple(records), metric="PCK" if heads is None else "PCKh")


def checked(row: Any, number: int, path: Path) -> dict[str, Any]:
    """A row as arrays; a test set's rows have no joints."""
    try:
        joints = np.array(row.get("joints") or np.zeros((16, 2)), float).reshape(16, 2)
        labelled = np.array(row.get("joints_vis") or np.zeros(16), float).reshape(16) > 0
        center, scale = np.array(row["center"], float).reshape(2), float(row["scale"])
        return {"image": str(row["image"]), "center": center, "scale": scale, "joints": joints, "labelled": labelled}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise HRNetError(
            f"{path}, entry {number}: expected a person as MPII has it (image, center [x, y], scale, 16 joints [x, y], "
            "joints_vis); a list of boxes is no data set"
        ) from None


def person_of(row: dict[str, Any], number: int, head: np.ndarray | None) -> Person:
    """A row's person, in pixels from 0."""
    center, side = row["center"].copy(), HEIGHT * row["scale"]
    if center[0] == -1:
        side /= PADDING  # the published code neither lowers nor widens where there is no centre
    else:
        center[1] += LOWERED * row["scale"]
    center -= 1
    return Person(
        box=np.concatenate([center - side / 2, center + side / 2]),
        keypoints=row["joints"] - 1,
        visibility=np.where(row["labelled"], 2, 0),
        area=side * side,
        id=number,
        head=head,
    )


def head_boxes(path: Path, count: int) -> np.ndarray | None:
    """Head boxes (N, 4) x1, y1, x2, y2 in pixels from 0, or None where there is no such file."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.exists():
        return None
    try:
        boxes = loadmat(path)["headboxes_src"].astype(float)
    except (OSError, ValueError, TypeError, KeyError, MatReadError, NotImplementedError) as error:
        raise HRNetError(f"{path} cannot be read as MPII's head boxes ({error}): download it again") from None
    if boxes.shape != (2, 2, count):
        raise HRNetError(f"{path} holds head boxes of shape {boxes.shape}, expected (2, 2, {count}) as the JSON has")
    return boxes.transpose(2, 0, 1).reshape(count, 4) - 1
