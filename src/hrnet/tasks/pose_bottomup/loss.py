"""Maps and truth to one number: squares of heatmaps, and associative embedding (Newell et al., NIPS 2017).

B pictures, P people, J joints; everything is computed in float32, whatever precision the network ran in.
"""

import torch
from torch import Tensor

from hrnet.tasks.pose_bottomup.codec import heatmap_targets, tag_places
from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe


class BottomUpLoss:
    """The published total: the plain sum over maps of heatmap, push and pull losses, each the mean of the batch."""

    def __init__(self, recipe: BottomUpRecipe) -> None:
        self.model, self.settings = recipe.model, recipe.loss
        every = range(recipe.model.outputs)
        self.heatmap_maps = every if recipe.loss.heatmap_maps is None else recipe.loss.heatmap_maps

    def __call__(self, outputs: tuple[Tensor, ...], joints: Tensor, counted: Tensor, *grounds: Tensor) -> Tensor:
        """`outputs` are the network's maps; for the rest see `BottomUpSamples`, whose targets they are."""
        total = joints.new_zeros(())
        count = self.model.joints
        for k, (output, ground) in enumerate(zip(outputs, grounds, strict=True)):
            size = (output.shape[3], output.shape[2])
            if k in self.heatmap_maps:
                targets = heatmap_targets(joints[:, k], size)
                weights = counted_cells(ground, counted)
                total = total + heatmap_loss(output[:, :count], targets, weights, self.settings.foreground).mean()
            if k in self.model.tag_maps:
                places, taught = tag_places(joints[:, k], size, self.model.tags == "shared")
                push, pull = tag_loss(output[:, count:], places, taught, self.settings.kind)
                total = total + (self.settings.push * push + self.settings.pull * pull).mean()
        return total


def counted_cells(ground: Tensor, counted: Tensor) -> Tensor:
    """Weights (B, J, h, w) in 0, 1 from kinds of ground (B, h, w) and what counts on each kind (B, kinds, J)."""
    kinds = ground.flatten(1).long()[:, None].expand(-1, counted.shape[2], -1)  # (B, J, h * w)
    return counted.transpose(1, 2).gather(2, kinds).view(-1, counted.shape[2], *ground.shape[1:])


def heatmap_loss(maps: Tensor, targets: Tensor, weights: Tensor, foreground: float = 1.0) -> Tensor:
    """Mean of squared errors of each picture, (B,); `maps`, `targets`, `weights` broadcast to (B, J, h, w).

    As published, cells of weight 0 still count in the mean. With `foreground` f, a cell whose target is y weighs
    1 + (f - 1) y.
    """
    errors = (maps.float() - targets) ** 2 * weights
    if foreground != 1:
        errors = errors * (1 + (foreground - 1) * targets)
    return errors.mean(dim=(1, 2, 3))


def tag_loss(tags: Tensor, places: Tensor, taught: Tensor, kind: str = "exp") -> tuple[Tensor, Tensor]:
    """Push and pull of each picture, both (B,).

    `tags` (B, T, h, w); `places` (B, P, J) point into its flattened maps; `taught` (B, P, J) says which count. Pull is
    the variance of a person's tags, mean over people; push the mean over ordered pairs of people of exp(-d**2) or
    max(0, 1 - d), halved, where d is the distance of their mean tags. Without people both are 0, with one push is.
    """
    flat = tags.float().flatten(1)
    values = flat.gather(1, places.flatten(1)).view(places.shape)
    shown = taught.float()
    joints = shown.sum(dim=2).clamp(min=1)  # (B, P)
    means = (values * shown).sum(dim=2) / joints
    spread = ((values - means[..., None]) ** 2 * shown).sum(dim=2) / joints
    present = taught.any(dim=2).float()
    people = present.sum(dim=1)  # (B,)
    pull = (spread * present).sum(dim=1) / people.clamp(min=1)

    distances = means[:, :, None] - means[:, None]  # (B, P, P)
    near = torch.exp(-(distances**2)) if kind == "exp" else (1 - distances.abs()).clamp(min=0)
    pairs = present[:, :, None] * present[:, None]
    # Everybody is at distance 0 from itself, so the diagonal adds exactly one per person.
    push = ((near * pairs).sum(dim=(1, 2)) - people) / (2 * people * (people - 1)).clamp(min=1)
    return push, pull
