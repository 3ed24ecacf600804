"""What a run over many pictures does with each kind of results: poses, label maps, classes."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrnet.images import write_text
from hrnet.results.classification import Classification
from hrnet.results.label_map import LabelMap, write_label_png
from hrnet.results.pose import Pose
from hrnet.results.writing import FORMATS, PictureResult

Size = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """One kind of results.

    `columns` and `line(results)` are a table's head and a picture's row in it. `row(file name, (width, height),
    results)` is kept of a picture until the end, when `formats[form](rows)` becomes the text of the file `name`.
    `beside(path, results)` writes files for one picture; `path` is their common beginning.
    """

    name: str
    columns: str
    line: Callable[[list[Any]], str]
    row: Callable[[str, Size, list[Any]], Any]
    formats: Mapping[str, Callable[[Sequence[Any]], str]]
    beside: Callable[[Path, list[Any]], None] | None = None


def pose_line(poses: list[Pose]) -> str:
    """How many people, and their mean score."""
    score = f"{sum(pose.score for pose in poses) / len(poses):.2f}" if poses else "-"
    return f"{len(poses):>6}  {score:>10}"


def pose_row(name: str, size: Size, poses: list[Pose]) -> PictureResult:
    """A picture's poses."""
    return PictureResult(name, *size, poses)


def shares_line(results: list[LabelMap]) -> str:
    """The classes that cover most of a picture."""
    largest = list(results[0].areas.items())[:3]
    return f"{', '.join(f'{name} {100 * share:.0f}%' for name, share in largest):<40}"


def shares_row(name: str, size: Size, results: list[LabelMap]) -> dict[str, Any]:
    """A picture's classes with their shares; masks are too large to be kept for many pictures."""
    shares = {name: round(float(share), 6) for name, share in results[0].areas.items()}
    return {"file_name": name, "width": size[0], "height": size[1], "shares": shares}


def shares_csv(rows: Sequence[dict[str, Any]]) -> str:
    """A row per picture, a column per class that occurs."""
    names = list(dict.fromkeys(name for row in rows for name in row["shares"]))
    lines = [[row["file_name"], *(row["shares"].get(name, 0) for name in names)] for row in rows]
    return table(["file_name", *names], lines)


def write_label_files(path: Path, results: list[LabelMap]) -> None:
    """`PATH_labels.png`, and `PATH_labels.json` with shares and masks."""
    write_label_png(path.with_name(f"{path.name}_labels.png"), results[0])
    write_text(path.with_name(f"{path.name}_labels.json"), json.dumps(results[0].to_dict()) + "\n")


def class_line(results: list[Classification]) -> str:
    """The most probable class."""
    return f"{results[0].names[0]:<20} {results[0].scores[0]:.2f}"


def class_row(name: str, size: Size, results: list[Classification]) -> dict[str, Any]:
    """A picture's most probable classes."""
    return {"file_name": name, "width": size[0], "height": size[1], **results[0].to_dict()}


def class_csv(rows: Sequence[dict[str, Any]]) -> str:
    """A row per picture and class listed, the most probable first."""
    lines = [[row["file_name"], each["name"], each["score"]] for row in rows for each in row["classes"]]
    return table(["file_name", "class", "score"], lines)


def listed_json(rows: Sequence[dict[str, Any]]) -> str:
    """`{"images": [...]}`, one picture per line."""
    body = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    return f'{{\n"images": [\n{body}\n]\n}}\n'


def table(head: list[str], lines: list[list[Any]]) -> str:
    """Comma-separated values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *lines])
    return text.getvalue()


POSES = Kind("poses", "people  mean score", pose_line, pose_row, FORMATS)
LABEL_MAPS = Kind(
    "label_maps",
    f"{'largest classes':<40}",
    shares_line,
    shares_row,
    {"json": listed_json, "csv": shares_csv},
    write_label_files,
)
CLASSES = Kind("classes", f"{'class':<20} score", class_line, class_row, {"json": listed_json, "csv": class_csv})
KINDS = {kind.name: kind for kind in (POSES, LABEL_MAPS, CLASSES)}
