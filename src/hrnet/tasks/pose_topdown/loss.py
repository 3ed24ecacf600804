"""Maps and target maps to one number."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from hrnet.tasks.pose_topdown.settings import PoseRecipe


def loss_of(recipe: PoseRecipe) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The loss that goes with the recipe's codec."""
    if recipe.codec.kind == "distribution":
        return cross_entropy
    return lambda maps, targets, weights: mean_squares(maps, targets, weights, recipe.loss.hardest)


def mean_squares(maps: Tensor, targets: Tensor, weights: Tensor, hardest: int = 0) -> Tensor:
    """Published `JointsMSELoss` and, with `hardest` = k, `JointsOHKMMSELoss`.

    `maps`, `targets` (B, K, h, w), `weights` (B, K). As published there is a factor of one half, the weight multiplies
    both maps (so it acts squared), and joints of weight 0 still count in the mean.
    """
    scale = weights[:, :, None, None]
    errors = 0.5 * F.mse_loss(maps * scale, targets * scale, reduction="none").mean(dim=(2, 3))  # (B, K)
    if hardest:
        errors = errors.topk(hardest, dim=1).values
    return errors.mean()


def cross_entropy(maps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy between each map's softmax over cells and its target distribution, mean by weight.

    `maps`, `targets` (B, K, h, w), `weights` (B, K).
    """
    surprise = -(targets * maps.float().flatten(2).log_softmax(dim=2).view_as(targets)).sum(dim=(2, 3))
    return (surprise * weights).sum() / weights.sum().clamp(min=1)
