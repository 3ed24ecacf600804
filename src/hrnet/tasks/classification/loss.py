"""Scores and classes to one number."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from hrnet.tasks.classification.settings import ClassificationRecipe


def loss_of(recipe: ClassificationRecipe) -> Callable[[Tensor, Tensor], Tensor]:
    """Mean cross-entropy of scores (B, K) and classes (B,)."""
    smoothing = recipe.loss.smoothing
    return lambda scores, classes: F.cross_entropy(scores.float(), classes, label_smoothing=smoothing)
