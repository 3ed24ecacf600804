"""Writing the results of a run over many pictures: JSON for people, COCO for scoring, CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.results.pose import Pose, rounded

if TYPE_CHECKING:
    from hrnet.datasets.skeleton import Skeleton


@dataclass(frozen=True)
class PictureResult:
    """What was found in one picture: its file name (with folders where others have the same), its size in pixels, its
    poses."""

    file_name: str
    width: int
    height: int
    poses: list[Pose] = field(default_factory=list)


def to_json(results: Sequence[PictureResult]) -> str:
    """One object with `images` (each with its `poses`, as `Pose.to_dict` gives them) and the `skeleton` they share.

    One pose per line. `skeleton` is null where no pose was found.
    """
    skeleton = shared_skeleton(results)
    about = skeleton and {"name": skeleton.name, "keypoints": skeleton.keypoints, "limbs": skeleton.limbs}
    images = (
        f'{{"file_name": {json.dumps(result.file_name)}, "width": {result.width}, "height": {result.height}, '
        f'"poses": {listed((pose.to_dict() for pose in result.poses), indent=4)}}}'
        for result in results
    )
    return f'{{\n"images": {bracketed(images, indent=2)},\n"skeleton": {json.dumps(about)}\n}}\n'


def to_coco(results: Sequence[PictureResult]) -> str:
    """COCO's list of keypoint results, category 1, as its evaluation tools load it; one pose per line.

    `image_id` is the number that the file name holds (000000000785.jpg: 785), or else the name without its suffix.
    What is not finite is written as 0, a keypoint without finite coordinates as 0, 0, 0.
    """
    return listed(coco_result(result, pose) for result in results for pose in result.poses) + "\n"


def to_csv(results: Sequence[PictureResult]) -> str:
    """A table with one row per pose: file, number in its picture from 0, score, box, then x, y, score by keypoint.

    The box is x1, y1, x2, y2. What is not finite is left empty; a picture without poses has no row.
    """
    skeleton = shared_skeleton(results)
    names = skeleton.keypoints if skeleton else ()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = [f"{name}_{value}" for name in names for value in ("x", "y", "score")]
    writer.writerow(["file_name", "person", "score", "x1", "y1", "x2", "y2", *columns])
    for result in results:
        # A name that is no valid text (undecodable bytes on Linux) must not cost the table of a whole run.
        file_name = result.file_name.encode("utf-8", "backslashreplace").decode("utf-8")
        for person, pose in enumerate(result.poses):
            plain = pose.to_dict()
            corners = [rounded(value, 2) for value in pose.box]
            keypoints = [value for keypoint in plain["keypoints"].values() for value in keypoint]
            writer.writerow([file_name, person, plain["score"], *corners, *keypoints])
    return table.getvalue()


FORMATS: dict[str, Callable[[Sequence[PictureResult]], str]] = {"json": to_json, "coco": to_coco, "csv": to_csv}


def shared_skeleton(results: Iterable[PictureResult]) -> "Skeleton | None":
    """The skeleton of the first pose, which all poses of a run share; None where there is no pose."""
    return next((pose.skeleton for result in results for pose in result.poses), None)


def coco_result(result: PictureResult, pose: Pose) -> dict[str, Any]:
    """One entry of COCO's list of keypoint results."""
    plain = pose.to_dict()
    keypoints = ([0.0, 0.0, 0.0] if None in keypoint else keypoint for keypoint in plain["keypoints"].values())
    path = PurePath(result.file_name)
    numbered = path.stem.isascii() and path.stem.isdigit()
    return {
        "image_id": int(path.stem) if numbered else path.with_suffix("").as_posix(),
        "category_id": 1,
        "keypoints": [value for keypoint in keypoints for value in keypoint],
        "score": plain["score"] or 0.0,
        "bbox": [value or 0.0 for value in plain["bbox"]],
    }


def coco_results(
    image_ids: Sequence[int | str], poses: Sequence[Sequence[Pose]], category_id: int = 1
) -> list[dict[str, Any]]:
    """COCO's list of keypoint results, one entry per pose of each picture, for scoring: unrounded, and without boxes,
    which evaluators would take for the poses' sizes. What is not finite is written as 0."""
    entries = []
    for image_id, pose in ((each, pose) for each, group in zip(image_ids, poses, strict=True) for pose in group):
        values = np.nan_to_num(np.column_stack([pose.keypoints, pose.scores]), posinf=0, neginf=0)
        score = float(np.nan_to_num(pose.score, posinf=0, neginf=0))
        entries.append(
            {"image_id": image_id, "category_id": category_id, "keypoints": values.ravel().tolist(), "score": score}
        )
    return entries


def listed(values: Iterable[dict[str, Any]], indent: int = 0) -> str:
    """JSON list with one value per line."""
    return bracketed((json.dumps(value) for value in values), indent)


def bracketed(texts: Iterable[str], indent: int) -> str:
    """Bracket JSON texts as a list with one text per line."""
    body = ",\n".join(" " * indent + text for text in texts)
    return f"[\n{body}\n{' ' * max(indent - 2, 0)}]" if body else "[]"
