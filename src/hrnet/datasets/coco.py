"""COCO keypoints (Lin et al., ECCV 2014), and any JSON of the same form."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import SKELETONS, Skeleton
from hrnet.errors import HRNetError

PLACES = (".", "images", "../images", "..", "../..", "../../..")


def read_coco(path: Path, images: Sequence[Path] = ()) -> PoseData:
    """Read a COCO-style keypoint file; pictures lie in one of `images`, or where `find_pictures` finds them.

    Boxes are cleaned as the published code does: clipped to the picture and one pixel short. People without a
    labelled joint and crowds are kept, for scoring; training passes them over.
    """
    content = load_json(path)
    pictures = entries(content, path, "images", "id", "file_name", "width", "height")
    annotations = entries(content, path, "annotations")
    category = next((c for c in entries(content, path, "categories", "id", "name") if "keypoints" in c), None)
    if category is None:
        raise HRNetError(f"{path} names no keypoints: expected a category with a list 'keypoints'")
    skeleton = skeleton_of(category)
    if not pictures:
        raise HRNetError(f"{path} lists no pictures: check that it is the right file")
    folder = find_pictures(path, pictures[0]["file_name"], images)

    people: dict[Any, list[Person]] = {image["id"]: [] for image in pictures}
    sizes = {image["id"]: (image["width"], image["height"]) for image in pictures}
    scored = []
    for annotation in annotations:
        where = f"{path}, annotation {annotation.get('id', '?')}"
        if annotation.get("image_id") not in people:
            raise HRNetError(f"{where}: image_id {annotation.get('image_id')!r} is not among the pictures of the file")
        if annotation.get("category_id") == category["id"]:
            person = person_of(annotation, len(skeleton), sizes[annotation["image_id"]], where)
            if person is not None:
                people[annotation["image_id"]].append(person)
            scored.append(completed(annotation, len(scored) + 1))
    records = tuple(
        Record(folder / i["file_name"], i["width"], i["height"], i["id"], tuple(people[i["id"]])) for i in pictures
    )
    return PoseData(path.stem, skeleton, records, metric="AP", truth=content | {"annotations": scored})


def completed(annotation: dict[str, Any], number: int) -> dict[str, Any]:
    """An annotation with all that the COCO protocol reads, some of which small files leave out.

    The protocol marks matches by annotation ids, so these are numbers from 1, whatever the file calls them.
    """
    visibility = (annotation.get("keypoints") or [])[2::3]
    found = {"num_keypoints": sum(v > 0 for v in visibility), "iscrowd": 0}
    return found | {"area": annotation["bbox"][2] * annotation["bbox"][3]} | annotation | {"id": number}


def entries(content: Any, path: Path, key: str, *fields: str) -> list[dict[str, Any]]:
    """One of the file's lists, whose entries must all have `fields`."""
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise HRNetError(f"{path} is not COCO-style: it has no list {key!r}; expected images, annotations, categories")
    for number, entry in enumerate(found, start=1):
        if not isinstance(entry, dict) or not set(fields) <= entry.keys():
            raise HRNetError(f"{path}, entry {number} of {key!r}: expected an object with {', '.join(fields) or 'id'}")
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


def skeleton_of(category: dict[str, Any]) -> Skeleton:
    """The skeleton whose names a category carries: a known one, or a new one from its own names and limbs."""
    names = tuple(category["keypoints"])
    for known in SKELETONS.values():
        if known.keypoints == names:
            return known
    limbs = tuple((names[a - 1], names[b - 1]) for a, b in category.get("skeleton", []))
    pairs = tuple((n, n.replace("left", "right")) for n in names if "left" in n and n.replace("left", "right") in names)
    return Skeleton(category["name"], names, limbs, pairs)


def find_pictures(path: Path, first: str, images: Sequence[Path]) -> Path:
    """The folder of a file's pictures: one of `images`, else beside the file, images/, ../images, up to three above."""
    places = [*images, *(path.parent / place for place in PLACES)]
    for place in places:
        if (place / first).exists():
            return place
    looked = ", ".join(str(place) for place in places)
    raise HRNetError(
        f"{path}: its picture {first} was not found; looked in {looked}; name the folder with --images DIR"
    )


def person_of(annotation: dict[str, Any], count: int, size: tuple[int, int], where: str) -> Person | None:
    """The person of an annotation; None where the published code drops it for its box."""
    try:
        keypoints = np.array(annotation.get("keypoints") or [0] * 3 * count, float).reshape(count, 3)
        x, y, w, h = (float(value) for value in annotation["bbox"])
    except (KeyError, ValueError, TypeError):
        raise HRNetError(f"{where}: expected bbox [x, y, w, h] and {count} keypoints as [x, y, v, ...]") from None
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(size[0] - 1, left + max(0.0, w - 1)), min(size[1] - 1, top + max(0.0, h - 1))
    if annotation.get("area", w * h) <= 0 or right < left or bottom < top:
        return None
    return Person(
        box=np.array([left, top, right, bottom]),
        keypoints=keypoints[:, :2],
        visibility=keypoints[:, 2].astype(int),
        area=float(annotation.get("area", w * h)),
        id=annotation.get("id", "?"),
        crowd=bool(annotation.get("iscrowd", 0)),
        pseudo=bool(annotation.get("pseudo", False)),
    )
