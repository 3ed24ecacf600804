"""Faults that labels show by themselves, without their pictures."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from hrnet.doctor.findings import Finding
from hrnet.doctor.labels import Labels, numbers_in

BEYOND = 2.0  # pixels that a box or a keypoint may lie beyond the picture: rounding, and edges against centres
NEAR_BOX = 0.25  # of the box's sides: how far outside of it keypoints still belong to it
SAME = 0.5  # pixels between two labellings of the same keypoints by a mistake, not by two people


def faults(labels: Labels) -> list[Finding]:
    """All faults of a split's labels."""
    found = [*doubles(labels)]
    sizes = {image["id"]: (image.get("width") or 0, image.get("height") or 0) for image in labels.images}
    for annotation in labels.annotations:
        name = annotation.get("image_id")
        if name not in sizes:
            found.append(finding(labels, "unknown-picture", annotation, f"image_id {name!r} is not in the file"))
            continue
        found += keypoint_faults(labels, annotation, sizes[name])
        if labels.boxed:
            found += box_faults(labels, annotation, sizes[name])
    return [*found, *people_twice(labels)]


def finding(labels: Labels, kind: str, annotation: dict[str, Any], says: str, strength: float = 0.0) -> Finding:
    """A finding about one annotation."""
    return Finding(kind, labels.name, annotation.get("image_id"), annotation.get("id", "?"), says, strength)


def doubles(labels: Labels) -> Iterator[Finding]:
    """Ids and files that are there twice."""
    for name, times in Counter(image["id"] for image in labels.images).items():
        if times > 1:
            yield Finding("duplicate-id", labels.name, name, None, f"{times} pictures have this id")
    for file, times in Counter(image["file_name"] for image in labels.images).items():
        if times > 1:
            ids = [image["id"] for image in labels.images if image["file_name"] == file]
            yield Finding("duplicate-id", labels.name, ids[-1], None, f"{file} is listed {times} times, as {ids}")
    ids = Counter(annotation.get("id") for annotation in labels.annotations)
    for annotation in labels.annotations:
        if ids[annotation.get("id")] > 1:
            yield finding(labels, "duplicate-id", annotation, f"{ids[annotation.get('id')]} annotations have this id")


def keypoint_faults(labels: Labels, annotation: dict[str, Any], size: tuple[int, int]) -> Iterator[Finding]:
    """Faults of one annotation's keypoints."""
    given, count = annotation.get("keypoints") or [], 3 * len(labels.skeleton)
    points = labels.keypoints(annotation)
    if points is None:
        numbers = numbers_in(given)
        says = f"{len(given)} numbers, expected {count}" if numbers is not None else "keypoints that are no numbers"
        yield finding(labels, "keypoint-count" if numbers is not None else "not-numbers", annotation, says)
        return
    names, labelled = labels.skeleton.keypoints, points[:, 2] > 0
    if not labelled.any():
        if points[:, :2].any():
            yield finding(
                labels, "visibility-unset", annotation, f"{int(points[:, :2].any(axis=1).sum())} points, all 0"
            )
        elif not annotation.get("iscrowd"):
            yield finding(labels, "no-keypoints", annotation, "no keypoint is labelled")
        return
    odd = sorted({float(v) for v in points[:, 2]} - {0.0, 1.0, 2.0})
    if odd:
        values = ", ".join(f"{value:g}" for value in odd[:4])
        yield finding(labels, "visibility-value", annotation, f"visibility {values}{' ...' * (len(odd) > 4)}")
    stated = annotation.get("num_keypoints")
    if stated is not None and not labels.parts[1:] and stated != labelled.sum():
        yield finding(labels, "keypoint-total", annotation, f"num_keypoints {stated}, labelled {int(labelled.sum())}")
    zero = labelled & ~points[:, :2].any(axis=1)
    if zero.any():
        yield finding(labels, "keypoint-at-origin", annotation, listed(names, zero))
    away = beyond(points[:, :2], size) * labelled
    if (away > BEYOND).any():
        says = f"{listed(names, away > BEYOND)}, up to {away.max():.0f} px beyond {size[0]} x {size[1]}"
        yield finding(labels, "keypoint-outside", annotation, says, float(away.max()))


def box_faults(labels: Labels, annotation: dict[str, Any], size: tuple[int, int]) -> Iterator[Finding]:
    """Faults of one annotation's box and area."""
    if "bbox" not in annotation:
        return
    box = numbers_in(annotation["bbox"])
    if box is None or len(box) != 4:
        yield finding(labels, "not-numbers", annotation, f"bbox {annotation['bbox']!r}, expected [x, y, w, h]")
        return
    corner, side = box[:2], box[2:]
    shown = " ".join(f"{value:g}" for value in box)
    if (side <= 0).any():
        yield finding(labels, "box-empty", annotation, f"bbox {shown}")
        return
    away = float(beyond(np.array([corner, corner + side]), size).max())
    if away > BEYOND:
        yield finding(labels, "box-outside", annotation, f"bbox {shown} reaches {away:.0f} px beyond the picture", away)
    area = numbers_in([annotation.get("area", side.prod())])
    if area is None or area[0] <= 0:
        yield finding(labels, "area-zero", annotation, f"area {annotation['area']!r}")
    elif area[0] > 1.05 * side.prod():
        yield finding(labels, "area-beyond-box", annotation, f"area {area[0]:.0f}, the box has {side.prod():.0f}")
    points = labels.keypoints(annotation)
    labelled = None if points is None else points[points[:, 2] > 0, :2]
    if labelled is not None and len(labelled):
        margin = NEAR_BOX * side
        inside = ((labelled >= corner - margin) & (labelled <= corner + side + margin)).all(axis=1)
        if inside.mean() < 0.5:
            says = f"{int(inside.sum())} of {len(labelled)} keypoints lie in the box {shown}"
            yield finding(labels, "keypoints-off-box", annotation, says, 1 - float(inside.mean()))


def people_twice(labels: Labels) -> Iterator[Finding]:
    """People of one picture with the same keypoints."""
    people: dict[Any, list[tuple[dict[str, Any], np.ndarray]]] = defaultdict(list)
    for annotation in labels.annotations:
        points = labels.keypoints(annotation)
        if points is not None and (points[:, 2] > 0).sum() >= 3:
            people[annotation.get("image_id")].append((annotation, points))
    for group in people.values():
        for k, (annotation, points) in enumerate(group):
            for other, others in group[:k]:
                same = ((points[:, 2] > 0) == (others[:, 2] > 0)).all()
                if same and np.abs(points[:, :2] - others[:, :2])[points[:, 2] > 0].max() <= SAME:
                    says = f"the same keypoints as annotation {other.get('id', '?')}"
                    yield finding(labels, "person-twice", annotation, says)


def beyond(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(N,) how far points (N, 2) lie beyond a picture, 0 within; 0 where its size is not known."""
    if not all(size):
        return np.zeros(len(points))
    return np.maximum(np.maximum(-points, points - np.array(size)), 0).max(axis=1)


def listed(names: tuple[str, ...], chosen: np.ndarray, most: int = 4) -> str:
    """The names of some keypoints as text."""
    some = [name for name, there in zip(names, chosen, strict=True) if there]
    return ", ".join(some[:most]) + (f" and {len(some) - most} more" if len(some) > most else "")
