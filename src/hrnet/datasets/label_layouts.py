"""The layouts of published data sets: Cityscapes, PASCAL-Context, LIP, and CamVid as SegNet arranges it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hrnet.datasets.classes import CONTEXT_NUMBERS, CONTEXT_ORIGINAL, ClassList
from hrnet.datasets.label_maps import LabelledPicture
from hrnet.errors import HRNetError
from hrnet.images import SUFFIXES

Pairs = tuple[LabelledPicture, ...]


def cityscapes(root: Path, split: str, classes: ClassList) -> Pairs:
    """`leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png` and `gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png`.

    `trainval` is both parts. The test part has no labels that count. Instances are kept for iIoU.
    """
    splits = ("train", "val") if split == "trainval" else (split,)
    pairs = []
    for part in splits:
        for image in sorted((root / "leftImg8bit" / part).glob("*/*_leftImg8bit.png")):
            stem = image.name.removesuffix("_leftImg8bit.png")
            truth = root / "gtFine" / part / image.parent.name
            label, instances = (truth / f"{stem}_gtFine_{kind}Ids.png" for kind in ("label", "instance"))
            there = instances if instances.exists() else None
            pairs.append(LabelledPicture(image, None if part == "test" else label, classes, there))
    return tuple(pairs)


def pascal_context(root: Path, split: str, classes: ClassList) -> Pairs:
    """`JPEGImages/NAME.jpg` with `SegmentationClassContext/NAME.png` (0 for background, 1 to 59), or with the original
    `trainval/NAME.mat` of 459 classes; `ImageSets/SegmentationContext/SPLIT.txt` lists the names.

    In the original, classes other than the 59 are background, as in the published code.
    """
    names = listed_names(root, ("ImageSets/SegmentationContext", "ImageSets/Segmentation", "ImageSets/Main"), split)
    labels, ending = root / "SegmentationClassContext", ".png"
    if not labels.is_dir():
        labels, ending = root / "trainval", ".mat"
        of_png = classes.lookup()
        positions = {number: int(of_png[k]) for k, number in enumerate(CONTEXT_ORIGINAL)}
        numbers = {number: positions.get(number, int(of_png[0])) for number in range(CONTEXT_NUMBERS)}
        ignored = tuple(number for number, k in numbers.items() if k >= len(classes))
        classes = replace(classes, values={n: k for n, k in numbers.items() if k < len(classes)}, ignored=ignored)
    images = root / "JPEGImages"
    return tuple(LabelledPicture(images / f"{name}.jpg", labels / f"{name}{ending}", classes) for name in names)


def listed_names(root: Path, folders: tuple[str, ...], split: str) -> list[str]:
    """The names that a list file of a split holds, one per line."""
    file = next(
        (root / folder / f"{split}.txt" for folder in folders if (root / folder / f"{split}.txt").exists()), None
    )
    if file is None:
        raise HRNetError(f"{root / folders[0]} has no {split}.txt: expected the names of the part's pictures in it")
    return [line.split()[0] for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def lip(root: Path, split: str, classes: ClassList) -> Pairs:
    """`TrainVal_images/SPLIT_images/NAME.jpg` and `TrainVal_parsing_annotations/SPLIT_segmentations/NAME.png`."""
    images, labels = root / "TrainVal_images", root / "TrainVal_parsing_annotations"
    if (images / "TrainVal_images").is_dir():  # the archives hold a folder of their own name
        images, labels = images / "TrainVal_images", labels / "TrainVal_parsing_annotations"
    images, labels = images / f"{split}_images", labels / f"{split}_segmentations"
    return pairs_of_two_folders(images, labels, classes) if images.is_dir() else ()


def segnet(root: Path, split: str, classes: ClassList) -> Pairs:
    """`SPLIT/NAME.png` and `SPLITannot/NAME.png`."""
    return pairs_of_two_folders(root / split, root / f"{split}annot", classes) if (root / split).is_dir() else ()


def pairs_of_two_folders(images: Path, labels: Path, classes: ClassList) -> Pairs:
    """Every picture of a folder with the PNG of the same name in another."""
    pictures = sorted(path for path in images.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    return tuple(LabelledPicture(path, labels / f"{path.stem}.png", classes) for path in pictures)


# What lies in a data set's folder, and its reader.
LAYOUTS: dict[str, Callable[[Path, str, ClassList], Pairs]] = {
    "leftImg8bit": cityscapes,
    "JPEGImages": pascal_context,
    "TrainVal_images": lip,
    "trainannot": segnet,
}
