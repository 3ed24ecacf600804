"""Folders of pictures with index PNGs: your own or CamVid's; other data sets are read in `label_layouts.py`."""

import csv
from dataclasses import replace
from pathlib import Path

from hrnet.datasets.classes import ClassList, own_classes
from hrnet.datasets.label_layouts import LAYOUTS, pairs_of_two_folders
from hrnet.datasets.label_maps import LabelledPicture, LabelMapData
from hrnet.errors import HRNetError

NOT_A_CLASS = ("void", "ignore", "ignored", "unlabelled", "unlabeled")
LAYOUT = (
    "expected images/ and labels/ (in them train/ and val/, or beside them train.txt and val.txt with a picture and "
    "its label file per line), and classes.csv or classes.txt"
)


def open_label_maps(data: str | Path, split: str, classes: ClassList) -> LabelMapData:
    """One split of a folder of pictures with labels, or the pairs that a list file names.

    `classes` is what the network tells apart; the folder's own class list, where it has one, must name the same.
    Raises `HRNetError` for an unknown layout, other classes, and pictures without labels.
    """
    path = Path(data)
    if not path.exists():
        raise HRNetError(f"{path} does not exist: name a folder of pictures with labels")
    found = None if path.is_file() else folder_classes(path)
    if found is not None:
        classes = agreed(found, classes, path)
    records = pairs_of(path, split, classes)
    if not records:
        raise HRNetError(f"{path} has no pictures with labels in its part {split!r}: {LAYOUT}")
    for record in records:
        missing = next((each for each in (record.image, record.label) if each is not None and not each.exists()), None)
        if missing is not None:
            raise HRNetError(f"{missing} does not exist, but {path} names it or its picture: complete the data set")
    return LabelMapData(path.stem if path.is_file() else f"{path.name} {split}", classes, records)


def pairs_of(path: Path, split: str, classes: ClassList) -> tuple[LabelledPicture, ...]:
    """The pictures of a folder's split, or of a list file, with their label files, whether these are there or not."""
    return pairs_of_list(path, path.parent, classes) if path.is_file() else pairs_of_folder(path, split, classes)


def folder_classes(folder: Path) -> ClassList | None:
    """The class list that lies in a folder: classes.csv with id, name and maybe r, g, b, or classes.txt with a name
    per line. Classes called void, ignore or unlabelled are ignored. None where there is no such file."""
    table, plain = folder / "classes.csv", folder / "classes.txt"
    if plain.exists():
        names = [line.strip() for line in plain.read_text(encoding="utf-8").splitlines() if line.strip()]
        rows = [{"id": str(number), "name": name} for number, name in enumerate(names)]
    elif table.exists():
        with table.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    else:
        return None
    source = plain if plain.exists() else table
    try:
        named = [(int(row["id"]), row["name"].replace("_", " ").strip(), row) for row in rows]
        kept = [(value, name, row) for value, name, row in named if name.lower() not in NOT_A_CLASS]
        colours = [(int(row["r"]), int(row["g"]), int(row["b"])) for _, _, row in kept if "r" in row]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise HRNetError(
            f"{source} is no class list ({error}): expected columns id, name and maybe r, g, b, or a name per line"
        ) from None
    ignored = tuple(value for value, name, _ in named if name.lower() in NOT_A_CLASS)
    wrong = next((value for value, _, _ in named if not 0 <= value <= 255), None)
    if wrong is not None:
        raise HRNetError(f"{source} gives a class the number {wrong}: label files hold 0 to 255")
    listed = own_classes([name for _, name, _ in kept], colours, source.parent.name)
    return replace(listed, values={value: k for k, (value, _, _) in enumerate(kept)}, ignored=ignored)


def agreed(found: ClassList, wanted: ClassList, folder: Path) -> ClassList:
    """The network's class list with the folder's numbers in label files; `HRNetError` where the names differ."""
    if [name.casefold() for name in found.names] != [name.casefold() for name in wanted.names]:
        raise HRNetError(
            f"{folder} has the {len(found)} classes {', '.join(found.names)}; the network has the {len(wanted)} of "
            f"{wanted.name}: {', '.join(wanted.names)}; train one with "
            f"'model.classes=[{', '.join(found.names)}]', or correct the folder's class list"
        )
    return replace(wanted, values=found.values, ignored=found.ignored)


def pairs_of_folder(folder: Path, split: str, classes: ClassList) -> tuple[LabelledPicture, ...]:
    """Pictures of a folder in whichever layout it has."""
    for known, read in LAYOUTS.items():
        if (folder / known).exists():
            return read(folder, split, classes)
    listed = folder / f"{split}.txt"
    if listed.exists():
        return pairs_of_list(listed, folder, classes)
    images, labels = folder / "images", folder / "labels"
    if not images.is_dir() or not labels.is_dir():
        raise HRNetError(f"{folder} is no known data set: {LAYOUT}")
    if (images / split).is_dir():
        images, labels = images / split, labels / split
    elif any(path.is_dir() for path in images.iterdir()):
        raise HRNetError(f"{images} has no part {split!r}: {LAYOUT}")
    return pairs_of_two_folders(images, labels, classes)


def pairs_of_list(file: Path, root: Path, classes: ClassList) -> tuple[LabelledPicture, ...]:
    """The pairs of a list file: a picture and its label file per line, apart by white space; a third or fourth field,
    as LIP's lists have, is left out. Paths start from `root`."""
    pairs = []
    for line in file.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields:
            label = root / fields[1] if len(fields) > 1 else None
            pairs.append(LabelledPicture(root / fields[0], label, classes))
    return tuple(pairs)
