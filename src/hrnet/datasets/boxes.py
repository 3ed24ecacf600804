"""Boxes files: where the people of each picture are, as person detectors write it."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.coco import load_json
from hrnet.errors import HRNetError


@dataclass(frozen=True)
class BoxesFile:
    """Boxes by picture; entries name a picture by its file name or that name less its ending."""

    path: Path
    entries: dict[str, list[tuple[list[float], float]]]

    def of(self, picture: Path) -> tuple[np.ndarray, np.ndarray] | None:
        """Boxes (P, 4) as x1, y1, x2, y2 and their scores (P,), or None where the file does not name the picture."""
        found = self.entries.get(picture.name) or self.entries.get(picture.stem)
        if not found:
            return None
        x, y, w, h = np.array([box for box, _ in found], float).T
        return np.stack([x, y, x + w, y + h], axis=1), np.array([score for _, score in found])


def read_boxes(path: Path) -> BoxesFile:
    """Read a JSON list of `{"file_name" or "image_id", "bbox": [x, y, w, h], "score"?}`.

    `image_id` is a file name or its stem; COCO's numbers also name pictures by their twelve digits. Raises
    `HRNetError` with the entry's number where one cannot be read.
    """
    content = load_json(path)
    if not isinstance(content, list):
        raise HRNetError(f'{path} is not a list of boxes: expected [{{"file_name": ..., "bbox": [x, y, w, h]}}, ...]')
    entries: dict[str, list[tuple[list[float], float]]] = defaultdict(list)
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
        entries[name].append((box, score))
    return BoxesFile(path, dict(entries))


def name_of(entry: dict[str, Any]) -> str:
    """The picture that an entry names."""
    name = entry["file_name"] if "file_name" in entry else entry["image_id"]
    return f"{name:012d}" if isinstance(name, int) else Path(str(name)).name
