"""YOLO-pose: a `data.yaml`, and beside each picture's folder `images` a folder `labels` with one text file a picture.

Each line of such a file is a being: class, box centre x, y, width, height, then x, y(, visibility) of each keypoint,
all but class and visibility as shares of the picture's width and height.
"""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hrnet.datasets.pictures import stored_size
from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import COCO, Skeleton
from hrnet.datasets.skeleton_files import guessed_pairs
from hrnet.errors import HRNetError
from hrnet.images import find_images


def is_yolo(path: Path) -> bool:
    """Whether a path is a data.yaml with keypoints."""
    return path.suffix in (".yaml", ".yml") and path.is_file() and "kpt_shape" in path.read_text(encoding="utf-8")


def read_yolo(path: Path, split: str) -> PoseData:
    """Read one split ("train" or "val") of a data.yaml. Beings of all classes are read."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        count, dims = (int(value) for value in content["kpt_shape"])
        skeleton = skeleton_of(content, count)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise HRNetError(
            f"{path} is no data.yaml of YOLO-pose ({error}): expected kpt_shape [keypoints, 2 or 3]"
        ) from None
    pictures = pictures_of(content, split, path)
    records = []
    for picture in pictures:
        size = stored_size(picture)
        labels = labels_of(picture)
        people = people_of(labels, count, dims, size) if labels.exists() and all(size) else ()
        records.append(Record(picture, *size, id=len(records) + 1, people=people))
    return PoseData(f"{path.stem}_{split}", skeleton, tuple(records), metric="PCK")


def skeleton_of(content: dict[str, Any], count: int) -> Skeleton:
    """COCO's for 17 keypoints that mirror as COCO's do, else one of the file's names, or of numbers."""
    flip = content.get("flip_idx") or list(range(count))
    named = content.get("kpt_names")
    names = next(iter(named.values())) if isinstance(named, dict) else named
    if names is None and count == len(COCO) and list(flip) == COCO.flip_order.tolist():
        return COCO
    names = tuple(str(name) for name in names or [f"keypoint_{k + 1}" for k in range(count)])
    if len(names) != count or sorted(flip) != list(range(count)):
        raise ValueError(f"{len(names)} kpt_names and flip_idx {flip} do not fit {count} keypoints")
    if names == COCO.keypoints:
        return COCO
    pairs = tuple((names[a], names[b]) for a, b in enumerate(flip) if a < b) or guessed_pairs(names)
    return Skeleton("own", names, (), pairs)


def pictures_of(content: dict[str, Any], split: str, path: Path) -> list[Path]:
    """The pictures of a split: a folder, a text file with a list, or several of these."""
    given = content.get(split)
    if not given:
        raise HRNetError(f"{path} has no {split!r}: expected the folder of its pictures")
    root = Path(content.get("path") or ".")
    bases = [path.parent / root, path.parent, root]
    pictures: list[Path] = []
    for place in given if isinstance(given, list) else [given]:
        found = next((base / place for base in bases if (base / place).exists()), None)
        if found is None:
            looked = ", ".join(str(base / place) for base in bases)
            raise HRNetError(f"{path}: the {split} pictures are not at {looked}: correct 'path' in it")
        if found.is_dir():
            images, faults = find_images([found])
            if faults:
                raise faults[0]
            pictures += images
        else:
            names = found.read_text(encoding="utf-8").split()
            pictures += [found.parent / name for name in names]
    return pictures


def labels_of(picture: Path) -> Path:
    """The text file of a picture: the last folder `images` of its path becomes `labels`."""
    parts = list(picture.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def people_of(labels: Path, count: int, dims: int, size: tuple[int, int]) -> tuple[Person, ...]:
    """The beings of one picture. Where a file has no visibility, points at 0, 0 are not labelled, as YOLO has it."""
    people = []
    for number, line in enumerate(labels.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.split()]
            points = np.array(values[5:]).reshape(count, dims)
            x, y, w, h = values[1:5]
        except ValueError:
            raise HRNetError(
                f"{labels}, line {number}: expected class, box x y w h and {count} keypoints of {dims} numbers each"
            ) from None
        labelled = points[:, 2] > 0 if dims == 3 else points.max(axis=1) > 0
        visibility = np.where(labelled, points[:, 2] if dims == 3 else 2, 0).astype(int)
        box = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * [*size, *size]
        keypoints = np.where(labelled[:, None], points[:, :2] * size, 0.0)
        people.append(
            Person(box, keypoints, visibility, float(w * h * size[0] * size[1]), id=f"{labels.stem}:{number}")
        )
    return tuple(people)
