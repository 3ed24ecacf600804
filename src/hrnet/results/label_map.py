"""LabelMap: a class for every pixel of a picture; drawing it and turning it into files."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hrnet.errors import HRNetError, nearest
from hrnet.images import write_bytes

if TYPE_CHECKING:
    from hrnet.datasets.classes import ClassList

DARK, LIGHT = (14, 16, 22), (255, 255, 255)


@dataclass(frozen=True, eq=False)
class LabelMap:
    """The class of every pixel: `labels` (H, W) uint8 are positions in `classes`, in pixels of the picture."""

    labels: np.ndarray
    classes: "ClassList"

    def mask(self, name: str) -> np.ndarray:
        """Where a class is, (H, W) bool; `KeyError` says which name was probably meant."""
        if name not in self.classes.names:
            raise KeyError(f"no class '{name}': {nearest(name, self.classes.names)}")
        return self.labels == self.classes.names.index(name)

    @property
    def areas(self) -> dict[str, float]:
        """The share of the picture that each class found in it covers, largest first."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))[: len(self.classes)]
        order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k]]
        return {self.classes.names[k]: counts[k] / self.labels.size for k in order}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: each class found with its share and its mask as COCO's run lengths.

        `segmentation` is `{"size": [H, W], "counts": [...]}`, runs down the columns, the first of zeros, as
        `pycocotools.mask.frPyObjects` reads them.
        """
        shares = self.areas
        return {
            "classes": [
                {
                    "id": self.classes.names.index(name),
                    "name": name,
                    "share": round(float(share), 6),
                    "segmentation": {"size": list(self.labels.shape), "counts": run_lengths(self.mask(name))},
                }
                for name, share in shares.items()
            ]
        }


def run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed run lengths of a mask (H, W): down the columns, beginning with zeros (maybe none)."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    runs = np.diff(edges).tolist()
    return [0, *runs] if flat[0] else runs


def mask_of(counts: list[int], size: tuple[int, int]) -> np.ndarray:
    """The mask (H, W) that run lengths stand for: the inverse of `run_lengths`."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")


def coloured(found: LabelMap) -> np.ndarray:
    """The label map in its classes' colours, (H, W, 3) RGB uint8; ignored pixels are black."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(found.classes)] = found.classes.palette
    return table[found.labels]


def overlaid(image: np.ndarray, found: LabelMap, opacity: float = 0.55) -> np.ndarray:
    """The picture (H, W, 3) RGB with the classes' colours laid over it, borders drawn, and a legend below."""
    if image.shape[:2] != found.labels.shape:
        raise HRNetError(
            f"the picture is {image.shape[1]} x {image.shape[0]} pixels, its label map "
            f"{found.labels.shape[1]} x {found.labels.shape[0]}: give the picture that it belongs to"
        )
    canvas = cv2.addWeighted(image, 1 - opacity, coloured(found), opacity, 0)
    border = np.zeros(found.labels.shape, bool)
    border[:, 1:] |= found.labels[:, 1:] != found.labels[:, :-1]
    border[1:] |= found.labels[1:] != found.labels[:-1]
    canvas[border] = canvas[border] // 4 * 3 + 63
    return np.vstack([canvas, legend(found, image.shape[1])])


def legend(found: LabelMap, width: int) -> np.ndarray:
    """A strip of `width` pixels with colour, name and share of the classes found, largest first."""
    text = max(9, min(22, width // 45))
    row, gap = round(1.9 * text), text
    places: list[tuple[int, int, str, tuple[int, int, int]]] = []
    x = y = 0
    for name, share in found.areas.items():
        words = f"{name} {100 * share:.0f}%" if share >= 0.01 else f"{name} <1%"
        (columns, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, text / 22, 1)
        needed = row + columns + gap
        if x and x + needed > width:
            x, y = 0, y + row
        places.append((x, y, words, found.classes.palette[found.classes.names.index(name)]))
        x += needed
    strip = np.full((y + row, width, 3), DARK, np.uint8)
    for x, y, words, colour in places:
        side = row - text // 2
        cv2.rectangle(strip, (x + 3, y + text // 4), (x + side - 3, y + side), colour, cv2.FILLED)
        at = (x + side + 2, y + round(1.35 * text))
        cv2.putText(strip, words, at, cv2.FONT_HERSHEY_SIMPLEX, text / 22, LIGHT, 1, cv2.LINE_AA)
    return strip


def write_label_png(path: str | Path, found: LabelMap, file_values: bool = False) -> None:
    """Write a label map as a palette PNG, whole or not at all: one byte per pixel, its position in the class list.

    `file_values` writes the data set's own numbers instead, as Cityscapes' test server expects them.
    """
    from PIL import Image

    table = found.classes.file_values() if file_values else np.arange(256, dtype=np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    palette[table[: len(found.classes)]] = found.classes.palette
    picture = Image.fromarray(table[found.labels])
    picture.putpalette(palette.tobytes())
    stream = BytesIO()
    picture.save(stream, format="PNG")
    write_bytes(path, stream.getvalue())
