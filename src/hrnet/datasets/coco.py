"""COCO keypoints (Lin et al., ECCV 2014), and any JSON of the same form; `layouts.py` says how data sets differ."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.layouts import COCO_LAYOUT, Layout, layout_of
from hrnet.datasets.pictures import find_pictures
from hrnet.datasets.records import Person, PoseData, Record, box_around
from hrnet.datasets.skeleton import Skeleton
from hrnet.datasets.skeleton_files import guessed_pairs
from hrnet.errors import HRNetError


def read_coco(path: Path, images: Sequence[Path] = ()) -> PoseData:
    """Read a COCO-style keypoint file; pictures lie in one of `images`, or where `find_pictures` finds them.

    Boxes are cleaned as the published code does: clipped to the picture and one pixel short. People without a
    labelled joint and crowds are kept, for scoring; training passes them over. Frames that say they are not labelled
    (PoseTrack18) are left out. Where pictures have other ids than numbers, `Record.id` is the picture's number in the
    file, from 1. A file without annotations (a test set's) gives records without people.
    """
    content = load_json(path)
    listed = entries(content, path, "images", "id", "file_name")
    categories = entries(content, path, "categories", "id", "name")
    labelled = "annotations" in content
    annotations = entries(content, path, "annotations") if labelled else []
    if not listed:
        raise HRNetError(f"{path} lists no pictures: check that it is the right file")
    category, same = category_of(categories, annotations, path, labelled)
    layout, skeleton = skeleton_of(category, annotations, path)
    kept = [image for image in listed if image.get("is_labeled", True)]
    pictures = find_pictures(path, [image["file_name"] for image in kept], images)
    sizes = {image["id"]: pictures.size(image, path) for image in kept}
    numbers = numbered([image["id"] for image in kept])

    chosen = [annotation for annotation in annotations if annotation.get("category_id") in same]
    check_pictures(annotations, {image["id"] for image in listed}, path)
    people: dict[Any, list[Person]] = {name: [] for name in sizes}
    scored = []
    for annotation in (annotation for annotation in chosen if annotation["image_id"] in sizes):
        name = annotation["image_id"]
        full = completed(annotation, layout, len(skeleton), sizes[name], f"{path}, annotation {shown_id(annotation)}")
        person = person_of(full, sizes[name])
        if person is not None:
            people[name].append(person)
        scored.append(full | {"id": len(scored) + 1, "image_id": numbers[name], "category_id": category["id"]})
    records = tuple(
        Record(pictures.path(i["file_name"]), *sizes[i["id"]], numbers[i["id"]], tuple(people[i["id"]])) for i in kept
    )
    truth = {
        "images": [image | {"id": numbers[image["id"]]} for image in kept],
        "annotations": scored,
        "categories": [category],
    }
    return PoseData(path.stem, skeleton, records, "AP" if skeleton.sigmas else "PCK", truth if labelled else None)


def coco_skeleton(path: Path) -> Skeleton:
    """The skeleton of a COCO-style file."""
    content = load_json(path)
    categories = entries(content, path, "categories", "id", "name")
    annotations = entries(content, path, "annotations") if "annotations" in content else []
    category, _ = category_of(categories, annotations, path, labelled=True)
    return skeleton_of(category, annotations, path)[1]


def numbered(ids: Sequence[Any]) -> dict[Any, int]:
    """Ids of pictures as the numbers that the COCO protocol works with: themselves, or, where they are no numbers,
    their places from 1."""
    if all(isinstance(each, int) for each in ids):
        return {each: each for each in ids}
    return {each: number for number, each in enumerate(ids, start=1)}


def check_pictures(annotations: Sequence[dict[str, Any]], known: set[Any], path: Path) -> None:
    """Refuse annotations of pictures that the file does not list."""
    for annotation in annotations:
        name = annotation.get("image_id")
        if not isinstance(name, int | float | str) or name not in known:
            raise HRNetError(
                f"{path}, annotation {shown_id(annotation)}: image_id {name!r} is not among the pictures of the file"
            )


def shown_id(annotation: dict[str, Any]) -> Any:
    """An annotation's id as messages show it."""
    return annotation.get("id", "?")


def as_coco(data: PoseData) -> dict[str, Any]:
    """A data set of any kind as the content of a COCO-style file; ids are the records' and people's own."""
    skeleton = data.skeleton
    limbs = [[skeleton.index(a) + 1, skeleton.index(b) + 1] for a, b in skeleton.limbs]
    category = {"id": 1, "name": skeleton.name, "keypoints": list(skeleton.keypoints), "skeleton": limbs}
    images, annotations = [], []
    for record in data.records:
        images.append({"id": record.id, "file_name": record.name, "width": record.width, "height": record.height})
        for person in record.people:
            points = np.column_stack([person.keypoints, person.visibility])
            annotation = {
                "id": person.id,
                "image_id": record.id,
                "category_id": 1,
                "bbox": [*person.box[:2].tolist(), *(person.box[2:] - person.box[:2]).tolist()],
                "area": person.area,
                "iscrowd": int(person.crowd),
                "keypoints": points.ravel().tolist(),
                "num_keypoints": int((person.visibility > 0).sum()),
            }
            annotations.append(annotation)
    return {"images": images, "annotations": annotations, "categories": [category]}


def scored_by_oks(data: PoseData) -> PoseData:
    """The set with the truth that the COCO protocol reads, where its skeleton has sigmas and it has no truth yet."""
    if not data.skeleton.sigmas:
        return data if data.metric != "AP" else replace(data, metric="PCK")
    if data.truth is not None:
        return replace(data, metric="AP")
    numbered = replace(data, records=tuple(replace(r, id=number) for number, r in enumerate(data.records, start=1)))
    truth = as_coco(numbered)
    for number, annotation in enumerate(truth["annotations"], start=1):
        annotation["id"] = number
    return replace(numbered, metric="AP", truth=truth)


def joined(sets: Sequence[PoseData], name: str) -> PoseData:
    """Several files of one data set as one, such as PoseTrack's, which has one per video."""
    first = sets[0]
    for other in sets[1:]:
        if other.skeleton != first.skeleton:
            raise HRNetError(f"{other.name} has other keypoints than {first.name}: name the files one by one")
    records = tuple(record for data in sets for record in data.records)
    truth = None
    if all(data.truth for data in sets):
        truth = {key: [each for data in sets for each in (data.truth or {})[key]] for key in ("images", "annotations")}
        truth["categories"] = (first.truth or {})["categories"]
    if len({record.id for record in records}) < len(records) or truth is None:
        return scored_by_oks(replace(first, name=name, records=records, truth=None))
    numbered = [annotation | {"id": number} for number, annotation in enumerate(truth["annotations"], start=1)]
    return replace(first, name=name, records=records, truth=truth | {"annotations": numbered})


def category_of(
    categories: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]], path: Path, labelled: bool
) -> tuple[dict[str, Any], set[Any]]:
    """The category whose keypoints are read, and the ids of all that have the same keypoints.

    Where a file has several kinds of keypoints it is the one with most annotations. A test set's file, which has no
    keypoints at all, is taken for people's.
    """
    named = [category for category in categories if category.get("keypoints")]
    if not named and not labelled:
        named = [{"id": 1, "name": "person", "keypoints": list(COCO_LAYOUT.skeleton.keypoints)}]
    if not named:
        raise HRNetError(f"{path} names no keypoints: expected a category with a list 'keypoints'")
    counts = Counter(annotation.get("category_id") for annotation in annotations)
    chosen = max(named, key=lambda category: counts[category["id"]])
    return chosen, {category["id"] for category in named if category["keypoints"] == chosen["keypoints"]}


def skeleton_of(category: dict[str, Any], annotations: Sequence[dict[str, Any]], path: Path) -> tuple[Layout, Skeleton]:
    """A known layout and its skeleton, or a skeleton from the category's own names and limbs, pairs told by name."""
    layout = layout_of(category, annotations)
    if layout is not None:
        return layout, layout.skeleton
    names = tuple(str(name) for name in category["keypoints"])
    try:
        limbs = tuple((names[a - 1], names[b - 1]) for a, b in category.get("skeleton") or () if min(a, b) > 0)
        return COCO_LAYOUT, Skeleton(str(category["name"]), names, limbs, guessed_pairs(names))
    except (IndexError, TypeError, ValueError):
        raise HRNetError(
            f"{path}: the 'skeleton' of category {category['name']!r} does not fit its {len(names)} keypoints; "
            f"expected pairs of their numbers, from 1 to {len(names)}"
        ) from None
    except HRNetError as error:
        raise HRNetError(f"{path}: {error}") from None


def completed(
    annotation: dict[str, Any], layout: Layout, count: int, size: tuple[int, int], where: str
) -> dict[str, Any]:
    """An annotation with all that readers and the COCO protocol need, some of which small files leave out."""
    try:
        parts = [annotation.get(part) or [0] * 3 * joints for part, joints in part_sizes(layout, count)]
        keypoints = [float(value) for part in parts for value in part]
        box = [float(value) for value in annotation["bbox"]] if "bbox" in annotation else around(keypoints, size)
        area = float(annotation.get("area", layout.area_share * box[2] * box[3]))
        if len(keypoints) != 3 * count or len(box) != 4 or not np.isfinite([*keypoints, *box, area]).all():
            raise ValueError
    except (IndexError, KeyError, ValueError, TypeError):
        raise HRNetError(
            f"{where}: expected bbox [x, y, w, h], {count} keypoints as [x, y, v, ...], and area, if given, as a number"
        ) from None
    found = {"num_keypoints": sum(v > 0 for v in keypoints[2::3]), "iscrowd": 0}
    return found | annotation | {"keypoints": keypoints, "bbox": box, "area": area}


def part_sizes(layout: Layout, count: int) -> list[tuple[str, int]]:
    """The fields of an annotation that hold keypoints, each with how many."""
    sizes = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    parts = [(part, sizes[part]) for part in layout.parts]
    return [("keypoints", count - sum(size for _, size in parts)), *parts]


def around(keypoints: Sequence[float], size: tuple[int, int]) -> list[float]:
    """A box [x, y, w, h] around labelled keypoints, within the picture; empty where none is labelled."""
    points = np.array(keypoints, float).reshape(-1, 3)
    labelled = points[points[:, 2] > 0, :2]
    if not len(labelled):
        return [0.0, 0.0, 0.0, 0.0]
    x1, y1, x2, y2 = box_around(labelled, size).tolist()
    return [x1, y1, x2 - x1, y2 - y1]


def person_of(annotation: dict[str, Any], size: tuple[int, int]) -> Person | None:
    """The person of a completed annotation; None where the published code drops it for its box."""
    x, y, w, h = annotation["bbox"]
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(size[0] - 1, left + max(0.0, w - 1)), min(size[1] - 1, top + max(0.0, h - 1))
    if annotation["area"] <= 0 or right < left or bottom < top:
        return None
    keypoints = np.array(annotation["keypoints"]).reshape(-1, 3)
    head = annotation.get("bbox_head")
    return Person(
        box=np.array([left, top, right, bottom]),
        keypoints=keypoints[:, :2],
        visibility=np.ceil(keypoints[:, 2]).astype(int),  # WholeBody's hands have shares: labelled, and hidden
        area=float(annotation["area"]),
        id=shown_id(annotation),
        crowd=bool(annotation["iscrowd"]),
        pseudo=bool(annotation.get("pseudo", False)),
        head=None if head is None else np.array([head[0], head[1], head[0] + head[2], head[1] + head[3]], float),
        segment=annotation.get("segmentation"),
    )


def entries(content: Any, path: Path, key: str, *fields: str) -> list[dict[str, Any]]:
    """One of the file's lists, whose entries must all have `fields`."""
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise HRNetError(f"{path} is not COCO-style: it has no list {key!r}; expected images, annotations, categories")
    for number, entry in enumerate(found, start=1):
        if not isinstance(entry, dict) or not set(fields) <= entry.keys():
            raise HRNetError(f"{path}, entry {number} of {key!r}: expected an object with {', '.join(fields) or 'id'}")
        if "id" in fields and not isinstance(entry["id"], int | float | str):
            raise HRNetError(f"{path}, entry {number} of {key!r}: expected an id, a number or text, not {entry['id']}")
    return found


def load_json(path: Path) -> Any:
    """The content of a JSON file, or one sentence about what is wrong with it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HRNetError(f"{path} does not exist: check the path") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise HRNetError(f"{path} is not JSON ({error}): check that the file is whole") from None
    except OSError as error:
        raise HRNetError(f"{path} cannot be read: {error.strerror}") from None
