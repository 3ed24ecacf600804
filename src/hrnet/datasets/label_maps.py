"""Pictures with a label for every pixel: what they are, whatever layout of files they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.datasets.classes import IGNORE, ClassList
from hrnet.errors import HRNetError
from hrnet.images import read_image, read_values


@dataclass(frozen=True)
class LabelledPicture:
    """One picture and the file of its labels; None for pictures to predict only. Nothing is decoded until asked.

    `instances` is Cityscapes' file of instances, where there is one: class number * 1000 + count.
    """

    image: Path
    label: Path | None
    classes: ClassList
    instances: Path | None = None

    @property
    def name(self) -> str:
        """File name of the picture."""
        return self.image.name

    def read(self) -> np.ndarray:
        """Pixels as (H, W, 3) RGB uint8. EXIF orientation is not applied: labels refer to stored pixels."""
        return read_image(self.image, turn_by_exif=False)

    def read_labels(self) -> np.ndarray:
        """Positions in the class list, (H, W) uint8, 255 where ignored. Raises `HRNetError` for unknown values."""
        if self.label is None:
            raise HRNetError(f"{self.image} has no labels: name a split that has")
        return known_values(read_label_file(self.label), self.classes, self.label)

    def read_both(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and labels; `HRNetError` where their sizes differ."""
        image, labels = self.read(), self.read_labels()
        if image.shape[:2] != labels.shape:
            raise HRNetError(
                f"{self.label} is {labels.shape[1]} x {labels.shape[0]} pixels, its picture {self.image} "
                f"{image.shape[1]} x {image.shape[0]}: labels must have their picture's size"
            )
        return image, labels


@dataclass(frozen=True)
class LabelMapData:
    """A data set, or one split of it: its pictures, and the classes of their labels in the order of the maps."""

    name: str
    classes: ClassList
    records: Sequence[LabelledPicture]

    @property
    def headline(self) -> str:
        """The figure by which weights are judged on this set."""
        return "mIoU"


def read_label_file(path: Path) -> np.ndarray:
    """The numbers of a label file, (H, W): a grey or palette picture, or a MATLAB file with `LabelMap`."""
    if path.suffix != ".mat":
        return read_values(path)
    from scipy.io import loadmat

    try:
        return loadmat(path)["LabelMap"]
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise HRNetError(f"{path} cannot be read ({error}): expected a MATLAB file with a matrix LabelMap") from None


def known_values(numbers: np.ndarray, classes: ClassList, path: Path) -> np.ndarray:
    """Numbers of a label file (H, W) as positions in the class list, uint8; one sentence about the first unknown."""
    table = classes.lookup()
    positions = table[np.minimum(numbers, len(table) - 1)] if numbers.max(initial=0) < len(table) else None
    if positions is None or positions.min(initial=0) < 0:
        y, x = np.argwhere((numbers >= len(table)) if positions is None else positions < 0)[0]
        known = np.flatnonzero((table >= 0) & (table != IGNORE))
        raise HRNetError(
            f"{path} holds the label {numbers[y, x]} (first at x {x}, y {y}), which the {len(classes)} classes of "
            f"{classes.name} do not have: expected {ranges(known)}, or 255 for pixels to ignore; correct the file or "
            "the class list"
        )
    return positions.astype(np.uint8)


def ranges(numbers: np.ndarray) -> str:
    """Ascending numbers as text: `0 to 10` or `7 to 8, 11 to 13`."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
