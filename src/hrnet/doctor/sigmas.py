"""OKS sigmas of a skeleton: how far labels of one keypoint lie apart, in units of the person's size.

COCO defines sigma_i**2 = E[d_i**2 / s**2], where d is the distance of a label from where the keypoint is and s**2 the
person's area. Two people's labels differ by twice that variance. The median stands for the mean (of an exponential
distribution, which squared distances in the plane follow), so that swapped labels do not count.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.datasets.opening import has_split
from hrnet.doctor.labels import Labels, numbers_in

if TYPE_CHECKING:
    from hrnet.predictor import Predictor

FEWEST = 10  # labels of a keypoint from which its sigma is estimated
SAME_PERSON = 0.5  # overlap of two boxes (intersection over union) from which they hold the same person


@dataclass(frozen=True)
class Sigmas:
    """Estimates (K,), NaN where too few labels were at hand, and of how many labels."""

    values: np.ndarray
    labels: np.ndarray
    source: str
    names: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values by keypoint; None where too few labels were at hand."""
        rows = zip(self.names, self.values.tolist(), strict=True)
        return {
            "source": self.source,
            "labels": int(self.labels.sum()),
            "sigmas": {name: round(value, 4) if np.isfinite(value) else None for name, value in rows},
        }


def from_distances(rows: list[np.ndarray], source: str, names: tuple[str, ...], share: float = 1.0) -> Sigmas | None:
    """Sigmas from squared distances over area, a row (K,) for each person, NaN where there is none; `share` of them is
    one label's. None where no keypoint has enough."""
    if len(rows) < FEWEST:
        return None
    relative = np.array(rows)
    counts = np.isfinite(relative).sum(axis=0)
    values = np.full(relative.shape[1], np.nan)
    enough = counts >= FEWEST
    if not enough.any():
        return None
    values[enough] = np.sqrt(share * np.nanmedian(relative[:, enough], axis=0) / np.log(2))
    return Sigmas(values, counts, source, names)


def from_repetitions(parts: Sequence[Labels]) -> Sigmas | None:
    """Sigmas from people who were labelled twice: in two files of the same pictures, or twice in one file."""
    people: dict[str, list[tuple[np.ndarray, np.ndarray, float]]] = defaultdict(list)
    for labels in parts:
        names = {image["id"]: image["file_name"] for image in labels.images}
        for annotation in labels.annotations:
            points, box = labels.keypoints(annotation), numbers_in(annotation.get("bbox", []))
            if points is None or box is None or len(box) != 4 or not (points[:, 2] > 0).any():
                continue
            people[names.get(annotation.get("image_id"), "?")].append((points, box, labels.area(annotation)))
    rows = []
    for group in people.values():
        for i, (points, box, area) in enumerate(group):
            for others, other_box, other_area in group[:i]:
                if overlap(box, other_box) < SAME_PERSON or len(points) != len(others):
                    continue
                both = (points[:, 2] > 0) & (others[:, 2] > 0)
                squares = ((points[:, :2] - others[:, :2]) ** 2).sum(axis=1) / max((area + other_area) / 2, 1e-9)
                if both.any() and squares[both].max() > 0:  # copies say nothing of how people label
                    rows.append(np.where(both, squares, np.nan))
    names = parts[0].skeleton.keypoints
    return from_distances(rows, f"{len(rows)} people labelled twice", names, share=0.5)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes x, y, w, h."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    common = float(np.maximum(high - low, 0).prod())
    return common / max(float(one[2:].prod() + other[2:].prod()) - common, 1e-9)


def from_residuals(predictor: "Predictor", data: str | Path, images: Sequence[Path] = ()) -> Sigmas | None:
    """Sigmas from what a network finds in people's own boxes: an upper bound, as its own errors are in it."""
    recipe = predictor.recipe
    names = tuple(recipe.model.keypoints.keypoints)  # type: ignore[attr-defined]
    rows = []
    for split in ("train", "val") if has_split(data) else ("val",):
        found = recipe.read(data, split, images)
        positions = recipe.model.keypoints.positions_in(found.skeleton)  # type: ignore[attr-defined]
        groups = [
            (record, [person for person in record.people if person.visibility.any() and not person.crowd])
            for record in found.records
        ]
        groups = [(record, people) for record, people in groups if people and all(person.area > 0 for person in people)]
        items = ((record.read, np.array([person.box for person in people]), None) for record, people in groups)
        for (_, people), poses in zip(groups, predictor.inference.predict(items), strict=True):
            for person, pose in zip(people, poses, strict=True):
                labelled = (positions >= 0) & (person.visibility[positions] > 0)
                squares = ((pose.keypoints - person.keypoints[positions]) ** 2).sum(axis=1) / person.area
                rows.append(np.where(labelled, squares, np.nan))
    source = f"residuals of {predictor.weights.name} on {Path(data).name}, an upper bound"
    return from_distances(rows, source, names)
