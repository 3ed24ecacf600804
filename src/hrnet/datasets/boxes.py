"""Boxes files: where the people of each picture are, as person detectors write it."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.coco import load_json
from hrnet.datasets.records import Record
from hrnet.errors import HRNetError

PERSON = 1  # COCO's category


@dataclass(frozen=True)
class BoxesFile:
    """Boxes by picture; entries name a picture by its id, its file name, or that name less its ending."""

    path: Path
    entries: dict[int | str, list[tuple[list[float], float]]]

    def of(self, picture: Path) -> tuple[np.ndarray, np.ndarray] | None:
        """Boxes (P, 4) as x1, y1, x2, y2 and their scores (P,), or None where the file does not name the picture."""
        return self.found(picture.name, picture.stem, number_in(picture.stem))

    def of_record(self, record: Record) -> tuple[np.ndarray, np.ndarray] | None:
        """The same for a picture of a data set, which is also known by its id."""
        stem = Path(record.name).stem
        return self.found(record.id, record.name, stem, number_in(stem))

    def found(self, *names: int | str | None) -> tuple[np.ndarray, np.ndarray] | None:
        """The boxes under the first of several names that the file knows."""
        found = next((self.entries[name] for name in names if name is not None and name in self.entries), None)
        if not found:
            return None
        x, y, w, h = np.array([box for box, _ in found], float).T
        return np.stack([x, y, x + w, y + h], axis=1), np.array([score for _, score in found])


def number_in(stem: str) -> int | None:
    """The id that COCO's file names spell in digits."""
    return int(stem) if stem.isascii() and stem.isdigit() else None


def read_boxes(path: Path) -> BoxesFile:
    """Read a JSON list of `{"file_name" or "image_id", "bbox": [x, y, w, h], "score"?, "category_id"?}`.

    `image_id` is a picture's id, its file name or its stem. Of a detector that knows COCO's categories only people are
    read, as the published code does. Raises `HRNetError` with the entry's number where one cannot be read.
    """
    content = load_json(path)
    if not isinstance(content, list):
        raise HRNetError(f'{path} is not a list of boxes: expected [{{"file_name": ..., "bbox": [x, y, w, h]}}, ...]')
    entries: dict[int | str, list[tuple[list[float], float]]] = defaultdict(list)
    categories = {entry.get("category_id", PERSON) for entry in content if isinstance(entry, dict)}
    for number, entry in enumerate(content, start=1):
        try:
            name, box = name_of(entry), [float(value) for value in entry["bbox"]]
            score = float(entry.get("score", 1.0))
            if len(box) != 4:
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError):
            raise HRNetError(
                f'{path}, entry {number}: expected "file_name" or "image_id", and "bbox": [x, y, w, h]'
            ) from None
        if PERSON not in categories or entry.get("category_id", PERSON) == PERSON:
            entries[name].append((box, score))
    return BoxesFile(path, dict(entries))


def name_of(entry: dict[str, Any]) -> int | str:
    """The picture that an entry names."""
    name = entry["file_name"] if "file_name" in entry else entry["image_id"]
    return name if isinstance(name, int) else Path(str(name)).name
