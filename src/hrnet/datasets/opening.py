"""Which reader opens a path: the one place that knows all formats."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hrnet.datasets.coco import coco_skeleton, joined, read_coco, scored_by_oks
from hrnet.datasets.deeplabcut import is_deeplabcut, read_deeplabcut
from hrnet.datasets.lspet import read_lspet
from hrnet.datasets.mpii import read_mpii
from hrnet.datasets.records import PoseData
from hrnet.datasets.skeleton import Skeleton
from hrnet.datasets.skeleton_files import read_skeleton
from hrnet.datasets.synthetic import figures
from hrnet.datasets.yolo import is_yolo, read_yolo
from hrnet.errors import HRNetError, UsageError, nearest

SYNTHETIC_FIGURES = {"train": (1024, 0), "val": (64, 1)}
SKELETON_FILE = "skeleton.yaml"  # beside the labels: what they lack
KINDS = (
    "the folder of LSPET, a COCO-style JSON or a folder of some, MPII's JSON, YOLO-pose's data.yaml, DeepLabCut's CSV "
    "or project, or 'synthetic'"
)


def open_data(
    data: str | Path, split: str = "val", images: Sequence[Path] = (), skeleton: Skeleton | None = None
) -> PoseData:
    """Open a data set: the split "train" or "val" of one that has splits, all of a file that is one split by itself.

    `images` are folders to look for pictures in. A `skeleton`, or else the file skeleton.yaml beside the labels, adds
    what labels lack (limbs, flip pairs, sigmas) where it has the same keypoints. Raises `HRNetError` for what is no
    data set, and `UsageError` for an unknown split.
    """
    if split not in SYNTHETIC_FIGURES:
        raise UsageError(f"there is no split {split!r}: {nearest(split, SYNTHETIC_FIGURES)}")
    if str(data) == "synthetic":
        count, seed = SYNTHETIC_FIGURES[split]
        return figures(count, seed)
    path = Path(data)
    found = opened(path, split, images)
    beside = (path if path.is_dir() else path.parent) / SKELETON_FILE
    for more in (read_skeleton(beside) if beside.is_file() else None, skeleton):
        found = found if more is None else with_skeleton(found, more)
    return found


def opened(path: Path, split: str, images: Sequence[Path]) -> PoseData:
    """The data set at a path, by the reader of its format."""
    if path.is_dir():
        if is_lspet(path):
            return read_lspet(path, split)
        if is_deeplabcut(path):
            return read_deeplabcut(path, images)
        if is_yolo(path / "data.yaml"):
            return scored_by_oks(read_yolo(path / "data.yaml", split))
        files = split_files(path, split) or coco_files(path)
        if not files:
            raise HRNetError(f"{path} is no known data set: expected {KINDS}")
        return (
            joined([read_coco(file, images) for file in files], path.name)
            if files[1:]
            else opened_file(files[0], split, images)
        )
    if not path.exists():
        raise HRNetError(f"{path} does not exist: name {KINDS}")
    return opened_file(path, split, images)


def opened_file(path: Path, split: str, images: Sequence[Path]) -> PoseData:
    """The data set in a file."""
    if is_yolo(path):
        return scored_by_oks(read_yolo(path, split))
    if is_deeplabcut(path):
        return read_deeplabcut(path, images)
    return read_mpii(path, images) if begins_a_list(path) else read_coco(path, images)


def is_lspet(path: Path) -> bool:
    """Whether a folder is one of LSPET's two layouts."""
    return any((path / name).exists() for name in ("joints.csv", "joints.mat"))


def begins_a_list(path: Path) -> bool:
    """Whether a JSON file holds a list, as MPII's do, and no object."""
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def coco_files(folder: Path) -> list[Path]:
    """The JSON files of a folder, or of the folder annotations in it."""
    return sorted(folder.glob("*.json")) or sorted(folder.glob("annotations/*.json"))


def split_files(folder: Path, split: str) -> list[Path]:
    """The JSON files of one split, told by their names: bees_train.json, person_keypoints_val2017.json."""
    files = [file for file in coco_files(folder) if split in re.split(r"[^a-z]+", file.stem.lower())]
    return [file for file in files if file.stem.startswith("person_keypoints")] or files


def has_split(data: str | Path) -> bool:
    """Whether a data set brings a validation split of its own: a folder does, unless it holds labels without splits."""
    path = Path(data)
    if path.is_dir():
        without = is_deeplabcut(path) or (coco_files(path) and not split_files(path, "val"))
        return is_lspet(path) or not without
    return str(data) == "synthetic" or is_yolo(path)


def skeleton_in(path: Path) -> Skeleton:
    """The skeleton that labels bring along; pictures are not needed for COCO-style files."""
    file = next(iter(coco_files(path)), path) if path.is_dir() else path
    if file.suffix == ".json" and file.is_file() and not begins_a_list(file):
        return coco_skeleton(file)
    return opened(path, "train", ()).skeleton


def with_skeleton(data: PoseData, skeleton: Skeleton) -> PoseData:
    """The set with a fuller skeleton of the same keypoints; unchanged where the skeleton is of other ones.

    Labels without names (keypoint_1 and so on, as YOLO-pose has them) take the names of one with as many keypoints.
    """
    if skeleton == data.skeleton:
        return data
    unnamed = all(name == f"keypoint_{k + 1}" for k, name in enumerate(data.skeleton.keypoints))
    same = data.skeleton.keypoints == skeleton.keypoints or (unnamed and len(data.skeleton) == len(skeleton))
    return scored_by_oks(replace(data, skeleton=skeleton)) if same else data
