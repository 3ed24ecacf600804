"""Classes found and true to top-1 and top-5 accuracy."""

from typing import Any

import numpy as np

from hrnet.datasets.image_folder import ImageFolderData
from hrnet.tasks.classification.inference import ClassificationInference

MISSING = 1 << 30


def evaluate(inference: ClassificationInference, data: ImageFolderData) -> dict[str, Any]:
    """Predict every picture of a data set and score it: `{"metrics": {"top-1": ..., "top-5": ...}, ...}`.

    The share of pictures whose class is among the k most probable; with five classes or fewer, or where fewer are
    listed (`testing.top`), there is no top-5.
    """
    results = inference.predict((record.read, None, None) for record in data.records)
    places = np.array(
        [place(record.label, found.labels) for record, (found,) in zip(data.records, results, strict=True)]
    )
    most = min(inference.recipe.testing.top, len(data.classes) - 1)
    metrics = {f"top-{k}": float((places < k).mean()) for k in (1, 5) if k <= max(most, 1)}
    labels = np.array([record.label for record in data.records])
    per_class = {
        name: round(float((places[labels == k] < 1).mean()), 4)
        for k, name in enumerate(data.classes)
        if (labels == k).any()
    }
    return {
        "metrics": {name: round(value, 4) for name, value in metrics.items()},
        "per_class": per_class,
        "pictures": len(places),
    }


def place(label: int, found: tuple[int, ...]) -> int:
    """The rank of the true class among those found, from 0; beyond all where it is missing."""
    return found.index(label) if label in found else MISSING
