"""DeepLabCut's labels: `CollectedData_NAME.csv`, one folder of frames each, or a project with all of them.

The head of such a table has the rows scorer, (individuals,) bodyparts, coords; its first column, or its first three,
name a frame. Coordinates are pixels from 0; an empty cell is a keypoint that is not labelled.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet.datasets.pictures import find_pictures, stored_size
from hrnet.datasets.records import Person, PoseData, Record, box_around
from hrnet.datasets.skeleton import Skeleton
from hrnet.datasets.skeleton_files import guessed_pairs
from hrnet.errors import HRNetError

HEADS = ("scorer", "individuals", "bodyparts", "coords")
Column = tuple[str, str, str]  # individual, body part, coordinate


def is_deeplabcut(path: Path) -> bool:
    """Whether a path is such a table, or a project folder with some."""
    if path.is_dir():
        return any(path.glob("labeled-data/*/CollectedData*.csv"))
    return path.suffix == ".csv" and path.is_file() and path.open(encoding="utf-8").readline().startswith("scorer")


def read_deeplabcut(path: Path, images: Sequence[Path] = ()) -> PoseData:
    """Read a table, or all tables of a project folder. Boxes are made of the keypoints; there are no OKS sigmas."""
    tables = [path] if path.is_file() else sorted(path.glob("labeled-data/*/CollectedData*.csv"))
    records, parts = [], ()
    for table in tables:
        columns, rows = table_of(table)
        found = tuple(dict.fromkeys(part for _, part, _ in columns))
        if parts and found != parts:
            raise HRNetError(f"{table} labels {', '.join(found)}, but {tables[0]} {', '.join(parts)}: label the same")
        parts = found
        pictures = find_pictures(table, [name for name, _ in rows], [table.parent, *images])
        for name, values in rows:
            file = pictures.path(name)
            size = stored_size(file)
            people = people_of(values, columns, parts, size, f"{table.parent.name}/{file.name}")
            records.append(Record(file, *size, id=f"{table.parent.name}/{file.name}", people=people))
    name = path.parent.name if path.is_file() else path.name
    return PoseData(name, Skeleton(name, parts, (), guessed_pairs(parts)), tuple(records), metric="PCK")


def table_of(table: Path) -> tuple[list[Column], list[tuple[str, list[float]]]]:
    """What each column with numbers holds, and the rows: name of the frame and numbers, NaN where a cell is empty."""
    with table.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    heads = {row[0]: row for row in rows[:4] if row and row[0] in HEADS}
    if not {"scorer", "bodyparts", "coords"} <= heads.keys():
        raise HRNetError(f"{table} is no table of DeepLabCut: expected its first rows to be scorer, bodyparts, coords")
    first = next((k for k, cell in enumerate(heads["coords"][1:], start=1) if cell), 1)
    alone = ["single"] * len(heads["coords"])
    columns = list(zip(heads.get("individuals", alone), heads["bodyparts"], heads["coords"], strict=False))[first:]
    found = []
    for number, row in enumerate(rows, start=1):
        if not row or row[0] in heads or not any(row[:first]):
            continue
        try:
            values = [float(cell) if cell.strip() else math.nan for cell in row[first:]]
        except ValueError:
            raise HRNetError(
                f"{table}, line {number}: expected numbers or empty cells after the frame's name"
            ) from None
        if len(values) != len(columns):
            raise HRNetError(f"{table}, line {number}: has {len(values)} values, expected {len(columns)}")
        found.append(("/".join(cell for cell in row[:first] if cell), values))
    if not columns or not found:
        raise HRNetError(f"{table} labels no frame: label some in DeepLabCut and save")
    return columns, found


def people_of(
    values: Sequence[float], columns: Sequence[Column], parts: Sequence[str], size: tuple[int, int], where: str
) -> tuple[Person, ...]:
    """The individuals of one frame that have a labelled keypoint."""
    people = []
    for individual in dict.fromkeys(name for name, _, _ in columns):
        points = np.full((len(parts), 2), np.nan)
        for value, (name, part, axis) in zip(values, columns, strict=True):
            if name == individual and axis in ("x", "y"):
                points[parts.index(part), "xy".index(axis)] = value
        labelled = np.isfinite(points[:, 0] + points[:, 1])
        if labelled.any():
            box = box_around(points[labelled], size)
            visibility = np.where(labelled, 2, 0)
            area = float(np.prod(box[2:] - box[:2]))
            name = where if individual == "single" else f"{where}/{individual}"
            people.append(Person(box, np.where(labelled[:, None], points, 0.0), visibility, area, id=name))
    return tuple(people)
