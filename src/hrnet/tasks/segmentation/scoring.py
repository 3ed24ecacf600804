"""Label maps and truth to figures: IoU, accuracies, and Cityscapes' scores of categories and instances."""

from functools import partial
from typing import Any

import numpy as np

from hrnet.datasets.classes import IGNORE, ClassList
from hrnet.datasets.label_maps import LabelledPicture, LabelMapData
from hrnet.errors import HRNetError
from hrnet.images import read_values
from hrnet.tasks.segmentation.inference import SegmentationInference


def evaluate(inference: SegmentationInference, data: LabelMapData) -> dict[str, Any]:
    """Predict every picture of a data set and score it: `{"metrics": {...}, "per_class": {...}, ...}`."""
    records = [record for record in data.records if record.label is not None]
    if not records:
        raise HRNetError(f"{data.name} has no labels to score against: name a split that has")
    classes, truths = data.classes, dict[int, np.ndarray]()
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    things = ThingScores(classes) if classes.things and all(record.instances for record in records) else None

    def read(n: int) -> np.ndarray:
        image, truths[n] = records[n].read_both()
        return image

    items = ((partial(read, n), None, None) for n in range(len(records)))
    for n, (record, (found,)) in enumerate(zip(records, inference.predict(items), strict=True)):
        truth = truths.pop(n)
        matrix += confusion(truth, found.labels, len(classes))
        if things is not None:
            things.add(record, truth, found.labels)
    return figures(matrix, classes, things) | {"pictures": len(records)}


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Pixels by true class (rows) and class found (columns), (K, K); ignored pixels do not count."""
    counted = truth != IGNORE
    pairs = truth[counted].astype(np.int64) * classes + found[counted]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def figures(matrix: np.ndarray, classes: ClassList, things: "ThingScores | None" = None) -> dict[str, Any]:
    """The figures of a confusion matrix (published `get_confusion_matrix` and what follows it).

    A class's IoU is hits / (truth + found - hits); mIoU is the mean over all classes, and as published a class that
    occurs in neither truth nor answers counts 0. `present mIoU` leaves such classes out.
    """
    hits, truth, found = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    union = truth + found - hits
    iou = hits / np.maximum(1, union)
    metrics = {
        "mIoU": iou.mean(),
        "pixel accuracy": hits.sum() / max(1, truth.sum()),
        "mean accuracy": (hits / np.maximum(1, truth)).mean(),
    }
    if (union == 0).any() and (union > 0).any():
        metrics["present mIoU"] = iou[union > 0].mean()
    if classes.categories:
        metrics["category IoU"] = np.mean(list(category_iou(matrix, classes).values()))
    if things is not None:
        metrics["iIoU"] = np.mean(list(things.scores().values()))
        metrics["category iIoU"] = np.mean(list(things.category_scores().values()))
    return {
        "metrics": {name: round(float(value), 4) for name, value in metrics.items()},
        "per_class": {name: round(float(value), 4) for name, value in zip(classes.names, iou, strict=True)},
        "pixels": int(truth.sum()),
    }


def category_iou(matrix: np.ndarray, classes: ClassList) -> dict[str, float]:
    """IoU of groups of classes: confusions within a group are no fault (Cityscapes' server)."""
    scores = {}
    for name, members in classes.categories.items():
        group = list(members)
        hits = matrix[np.ix_(group, group)].sum()
        scores[name] = float(hits / max(1, matrix[group].sum() + matrix[:, group].sum() - hits))
    return scores


class ThingScores:
    """Cityscapes' iIoU: every true pixel weighs as the mean size of its class's instances over its own instance's.

    iIoU = iTP / (iTP + FP + iFN); pixels found wrongly (FP) weigh 1. A category's iIoU counts a pixel as a hit where
    any class of the category was found, with the weights of the classes. Sizes are known only after all pictures, so
    hits and misses are kept by instance.
    """

    def __init__(self, classes: ClassList) -> None:
        self.classes = classes
        self.table = classes.lookup()
        self.sizes: dict[int, list[tuple[int, int, int]]] = {k: [] for k in classes.things}
        count = len(classes.names)
        self.group = np.full(256, -1)
        for g, members in enumerate(classes.categories.values()):
            self.group[list(members)] = g
        self.false = np.zeros(count, np.int64)
        self.false_in_group = np.zeros(len(classes.categories), np.int64)

    def add(self, record: LabelledPicture, truth: np.ndarray, found: np.ndarray) -> None:
        """Count one picture: `truth` and `found` are labels (H, W)."""
        assert record.instances is not None
        ids = read_values(record.instances).astype(np.int64)
        counted = truth != IGNORE
        for number in np.unique(ids[ids >= 1000]):
            k = int(self.table[number // 1000])
            if k in self.sizes:
                inside = found[ids == number]
                hits = int((inside == k).sum())
                self.sizes[k].append((inside.size, hits, int((self.group[inside] == self.group[k]).sum())))
        for k in self.sizes:
            self.false[k] += int((counted & (found == k) & (truth != k)).sum())
        for g in {int(self.group[k]) for k in self.sizes}:
            self.false_in_group[g] += int((counted & (self.group[found] == g) & (self.group[truth] != g)).sum())

    def weighted(self, k: int) -> tuple[float, float, float]:
        """iTP, iTP of its category, and iTP + iFN of a class."""
        if not self.sizes[k]:
            return 0.0, 0.0, 0.0
        sizes, hits, in_group = np.array(self.sizes[k], float).T
        weights = sizes.mean() / sizes
        return float((hits * weights).sum()), float((in_group * weights).sum()), float((sizes * weights).sum())

    def scores(self) -> dict[str, float]:
        """iIoU of each class that has instances."""
        scores = {}
        for k in self.sizes:
            hits, _, truth = self.weighted(k)
            scores[self.classes.names[k]] = hits / max(truth + self.false[k], 1e-9)
        return scores

    def category_scores(self) -> dict[str, float]:
        """iIoU of each category whose classes have instances."""
        scores = {}
        for g, (name, members) in enumerate(self.classes.categories.items()):
            if all(k in self.sizes for k in members):
                parts = np.array([self.weighted(k) for k in members])
                scores[name] = float(parts[:, 1].sum() / max(parts[:, 2].sum() + self.false_in_group[g], 1e-9))
        return scores
