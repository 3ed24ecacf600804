"""Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011): people of many postures, 14 joints, no boxes.

Two layouts are read: crops with `joints.csv` and `images/`, and the original `joints.mat` with `images/`. The set has
no split of its own; `lspet_val.txt` beside this file names the 300 pictures of ours and `lspet_unused.txt` their
near-duplicates.
"""

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import LSPET
from hrnet.errors import HRNetError
from hrnet.geometry import extent_of
from hrnet.images import picture_size

FEWEST_JOINTS = 6


def read_lspet(folder: Path, split: str) -> PoseData:
    """Read one split ("train" or "val") of either layout.

    A person's box is the tight extent of the labelled joints. Visibility 2 means labelled: the set does not tell
    hidden joints from visible ones.
    """
    rows = crop_rows(folder) if (folder / "joints.csv").exists() else original_rows(folder)
    chosen = split_of(split)
    records = tuple(
        record_of(path, size, joints)
        for path, size, joints in rows
        if chosen(path.stem) and (joints[:, 2] > 0).sum() >= FEWEST_JOINTS
    )
    if not records:
        raise HRNetError(f"{folder} holds no picture of the split {split!r}: the splits of LSPET are train and val")
    return PoseData("lspet", LSPET, records, metric="PCK", complete=False)


def split_of(split: str):
    """Whether a picture's name, less its ending, belongs to the split."""
    val, unused = (set(names(f"lspet_{part}.txt")) for part in ("val", "unused"))
    return {"val": val.__contains__, "train": lambda stem: stem not in val | unused}.get(split, lambda stem: False)


def names(file: str) -> list[str]:
    """The names in one of the lists that ship beside this file."""
    return files("hrnet.datasets").joinpath(file).read_text(encoding="utf-8").split()


def crop_rows(folder: Path):
    """Yield path, size and joints (14, 3) of each row of `joints.csv`; columns `NAME_x`, `NAME_y`, `NAME_v`."""
    table = folder / "joints.csv"
    columns = [short(name) for name in LSPET.keypoints]
    with table.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                joints = np.array([[float(row[f"{name}_{axis}"]) for axis in "xyv"] for name in columns])
                yield folder / "images" / row["file"], (int(row["width"]), int(row["height"])), joints
            except (KeyError, ValueError, TypeError) as error:
                raise HRNetError(
                    f"{table}, line {number}: {error} is missing or not a number; expected {columns[0]}_x and so on"
                ) from None


def short(name: str) -> str:
    """The set's own name of a joint: `right_ankle` is `r_ankle`."""
    return name.replace("right_", "r_").replace("left_", "l_")


def original_rows(folder: Path):
    """Yield path, size and joints (14, 3) of each picture of the original layout; joints.mat is 14 x 3 x pictures."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    table = folder / "joints.mat"
    try:
        joints = loadmat(table)["joints"].astype(float)
    except (OSError, ValueError, TypeError, KeyError, MatReadError, NotImplementedError) as error:
        raise HRNetError(f"{table} cannot be read as joints ({error}): download it again") from None
    if joints.shape[:2] != (14, 3) or joints.ndim != 3:
        raise HRNetError(f"{table} holds joints of shape {joints.shape}, expected (14, 3, pictures) as LSPET has them")
    for k in range(joints.shape[2]):
        path = folder / "images" / f"im{k + 1:05d}.jpg"
        if path.exists():
            yield path, picture_size(path), joints[:, :, k]


def record_of(path: Path, size: tuple[int, int], joints: np.ndarray) -> Record:
    """The record of one picture and its one person."""
    labelled = joints[:, 2] > 0
    box = extent_of(joints[labelled, :2])
    area = float(np.prod(box[2:] - box[:2]))
    person = Person(box, joints[:, :2], np.where(labelled, 2, 0), area, id=path.stem)
    return Record(path, *size, id=path.stem, people=(person,))
