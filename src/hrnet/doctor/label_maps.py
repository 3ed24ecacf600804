"""Folders of pictures with a label for every pixel examined: every fault by its file, and how often classes occur."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.classes import CAMVID, CITYSCAPES, IGNORE, LIP, PASCAL_CONTEXT_60, ClassList
from hrnet.datasets.label_folders import folder_classes, pairs_of
from hrnet.datasets.label_layouts import LAYOUTS
from hrnet.datasets.label_maps import LabelledPicture, read_label_file
from hrnet.errors import HRNetError
from hrnet.images import picture_size
from hrnet.results.drawing import contact_sheet
from hrnet.results.label_map import LabelMap, overlaid

SPLITS = ("train", "val", "test")
LISTS = {"leftImg8bit": CITYSCAPES, "JPEGImages": PASCAL_CONTEXT_60, "TrainVal_images": LIP, "trainannot": CAMVID}
SHOWN = 5  # faults of one kind in the text; the values have all
CELLS = 12
FAULTS = {
    "picture-missing": "the file is not there: training stops",
    "label-missing": "a picture without labels: training stops",
    "unreadable": "the file is damaged, or its labels are colours instead of numbers: training stops",
    "size-mismatch": "picture and labels differ in size: training stops",
    "unknown-label": "a number that is no class and not 255: training stops",
}


@dataclass
class LabelPart:
    """One split: its pictures, faults as (kind, sentence), and pixels and pictures of each class."""

    name: str
    classes: ClassList
    pictures: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    found_in: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    ignored: int = 0
    samples: list[LabelledPicture] = field(default_factory=list)


def is_label_folder(path: Path) -> bool:
    """Whether a folder holds pictures with labels for every pixel."""
    known = any((path / name).is_dir() for name in LAYOUTS)
    return path.is_dir() and (known or ((path / "images").is_dir() and (path / "labels").is_dir()))


def examine_label_maps(folder: Path) -> list[LabelPart]:
    """Every split of a folder of pictures with labels. Raises `HRNetError` where there is none, or no class list."""
    known = next((LISTS[name] for name in LAYOUTS if (folder / name).is_dir()), None)
    classes = folder_classes(folder) or known
    if classes is None:
        raise HRNetError(f"{folder} has no class list: write classes.txt, a name per line in the order of the labels")
    parts, seen = [], set()
    for split in SPLITS:
        try:
            pairs = pairs_of(folder, split, classes)
        except HRNetError:
            continue  # a split that the folder does not have
        if pairs and pairs[0].image not in seen:
            seen.add(pairs[0].image)  # without parts, every split is the same pictures
            parts.append(examined(LabelPart(f"{folder.name} {split}", classes), pairs))
    if not parts:
        raise HRNetError(f"{folder} has no pictures with labels in {', '.join(SPLITS)}: see docs/segmentation.md")
    return parts


def examined(part: LabelPart, pairs: Sequence[LabelledPicture]) -> LabelPart:
    """A split with its faults and counts filled in."""
    part.pixels, part.found_in = (np.zeros(len(part.classes), np.int64) for _ in range(2))
    part.pictures = len(pairs)
    every = max(1, len(pairs) // CELLS)
    for number, pair in enumerate(pairs):
        try:
            fault = examine_pair(part, pair)
        except HRNetError as error:
            fault = ("unreadable", str(error))
        if fault is not None:
            part.faults.append(fault)
        elif number % every == 0 and len(part.samples) < CELLS:
            part.samples.append(pair)
    return part


def examine_pair(part: LabelPart, pair: LabelledPicture) -> tuple[str, str] | None:
    """Count a picture's labels; its first fault."""
    if not pair.image.exists():
        return "picture-missing", str(pair.image)
    if pair.label is None or not pair.label.exists():
        return "label-missing", f"{pair.image}: {pair.label or 'no label file'}"
    size = picture_size(pair.image)
    numbers = read_label_file(pair.label)
    if size != numbers.shape[::-1]:
        return "size-mismatch", (
            f"{pair.label} is {numbers.shape[1]} x {numbers.shape[0]} pixels, {pair.image.name} {size[0]} x {size[1]}"
        )
    table = pair.classes.lookup()
    values = Counter(dict(zip(*(each.tolist() for each in np.unique(numbers, return_counts=True)), strict=True)))
    unknown = {value: count for value, count in values.items() if value >= len(table) or table[value] < 0}
    if unknown:
        listed = ", ".join(f"{value} ({count} pixels)" for value, count in unknown.items())
        return "unknown-label", f"{pair.label} holds {listed}; the class list has {len(part.classes)} classes"
    for value, count in values.items():
        position = int(table[value])
        if position == IGNORE:
            part.ignored += count
        else:
            part.pixels[position] += count
            part.found_in[position] += 1
    return None


def to_text(parts: Sequence[LabelPart]) -> list[str]:
    """What an examination found, as lines: faults, then each class's share of the labelled pixels."""
    lines: list[str] = []
    for part in parts:
        total = max(1, int(part.pixels.sum()))
        share = part.ignored / max(1, total + part.ignored)
        lines += [
            f"{part.name}: {part.pictures} pictures, {len(part.faults)} faults, {share:.1%} of all pixels ignored"
        ]
        for kind, meaning in FAULTS.items():
            found = [says for each, says in part.faults if each == kind]
            if found:
                lines += [f"  error: {kind} ({len(found)}): {meaning}", *(f"    {says}" for says in found[:SHOWN])]
                lines += [f"    and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        width = max(len(name) for name in part.classes.names)
        for name, pixels, pictures in zip(part.classes.names, part.pixels, part.found_in, strict=True):
            never = "   never labelled: it scores 0" if not pixels else ""
            lines.append(f"  {name:<{width}} {pixels / total:>8.3%} of pixels, in {pictures} pictures{never}")
    return lines


def to_values(parts: Sequence[LabelPart]) -> dict[str, Any]:
    """The same as plain values, every fault listed."""
    return {
        "parts": [
            {
                "part": part.name,
                "pictures": part.pictures,
                "faults": [{"kind": kind, "says": says} for kind, says in part.faults],
                "ignored_pixels": part.ignored,
                "classes": [
                    {"name": name, "pixels": int(pixels), "pictures": int(pictures)}
                    for name, pixels, pictures in zip(part.classes.names, part.pixels, part.found_in, strict=True)
                ],
            }
            for part in parts
        ]
    }


def sheet_of(parts: Sequence[LabelPart]) -> np.ndarray:
    """Samples of every split with their labels drawn over them, (H, W, 3) RGB."""
    pictures, names = [], []
    for part in parts:
        for pair in part.samples:
            image, labels = pair.read_both()
            pictures.append(overlaid(image, LabelMap(labels, part.classes)))
            names.append(pair.name)
    return contact_sheet(pictures, columns=4, cell=(320, 320), labels=names)
