"""Evaluation: a data set through the prediction path, and its figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hrnet.predictor import Predictor


def evaluate(predictor: Predictor, data: str | Path, split: str = "val", images: Sequence[Path] = ()) -> dict[str, Any]:
    """Score a predictor on a data set, with the boxes that the set gives: `{"metrics": {...}, ...}`.

    LSPET and the synthetic figures are scored by PCK@0.2 of the torso, COCO-style files by OKS AP.
    """
    recipe = predictor.recipe
    figures = recipe.evaluate(predictor.inference, recipe.read(data, split, images))
    return {
        "data": str(data),
        "split": split,
        "recipe": recipe.name,
        "weights": predictor.weights.name,
    } | figures
