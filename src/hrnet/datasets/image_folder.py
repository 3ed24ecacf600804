"""ImageFolder: a folder of pictures for each class, below train/ and val/."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.errors import HRNetError
from hrnet.images import SUFFIXES, read_image

ENDINGS = {*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES), ".JPEG"}


@dataclass(frozen=True)
class ClassifiedPicture:
    """One picture and the position of its class."""

    image: Path
    label: int

    @property
    def name(self) -> str:
        """File name of the picture."""
        return self.image.name

    def read(self) -> np.ndarray:
        """Pixels as (H, W, 3) RGB uint8. EXIF orientation is not applied, nor was it for the published weights."""
        return read_image(self.image, turn_by_exif=False)


@dataclass(frozen=True)
class ImageFolderData:
    """A data set, or one split of it: its pictures, and the classes in the order of the network's scores."""

    name: str
    classes: tuple[str, ...]
    records: tuple[ClassifiedPicture, ...]

    @property
    def headline(self) -> str:
        """The figure by which weights are judged on this set."""
        return "top-1"


def open_image_folder(data: str | Path, split: str, classes: int | tuple[str, ...]) -> ImageFolderData:
    """`data/split/CLASS/PICTURE`, or `data/CLASS/PICTURE` where there are no splits.

    A class's position is the rank of its folder's name. `classes` is what the network tells apart: names, which must
    be those of the folders, or a number of classes. Raises `HRNetError` for other classes and for empty ones.
    """
    root = Path(data)
    if not root.is_dir():
        raise HRNetError(f"{root} is no folder: name one with train/ and val/, and in them a folder per class")
    if (root / split).is_dir():
        folder = root / split
    elif any((root / name).is_dir() for name in ("train", "val")):
        raise HRNetError(f"{root} has no folder {split}: expected one, and in it a folder per class")
    else:
        folder = root
    names = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."))
    if not names:
        raise HRNetError(f"{folder} has no folders: expected one per class, with its pictures")
    must_agree(names, classes, folder)
    records = []
    for label, name in enumerate(names):
        files = sorted(path for path in (folder / name).rglob("*") if path.suffix in ENDINGS and path.name[0] != ".")
        if not files:
            raise HRNetError(f"{folder / name} holds no pictures ({', '.join(SUFFIXES)}): fill the class or remove it")
        records += [ClassifiedPicture(path, label) for path in files]
    return ImageFolderData(f"{root.name} {split}", names, tuple(records))


def must_agree(names: tuple[str, ...], classes: int | tuple[str, ...], folder: Path) -> None:
    """Refuse folders that are not the network's classes."""
    if names == classes or len(names) == classes:
        return
    wanted = f"{classes}" if isinstance(classes, int) else f"{len(classes)}, {listed(classes)}"
    raise HRNetError(
        f"{folder} has {len(names)} classes, {listed(names)}; the network has {wanted}: train one with "
        f"'model.classes=[{listed(names)}]', or correct the folders"
    )


def listed(names: tuple[str, ...], most: int = 12) -> str:
    """Names as text, the first of many."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
