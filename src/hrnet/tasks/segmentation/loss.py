"""Scores and labels to one number (published `lib/core/criterion.py`)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hrnet.datasets.classes import IGNORE
from hrnet.tasks.segmentation.network import enlarged
from hrnet.tasks.segmentation.settings import LossSettings, SegmentationRecipe


class SegmentationLoss(nn.Module):
    """The loss that a recipe asks for: `loss(outputs, labels)`.

    `outputs` are scores (B, K, h, w), or of OCR networks those of the regions and the final ones; `labels` (B, H, W)
    uint8, 255 where ignored. Scores are first enlarged to the labels' size.
    """

    def __init__(self, recipe: SegmentationRecipe) -> None:
        super().__init__()
        self.settings, self.aligned = recipe.loss, recipe.model.aligned
        weights = recipe.model.class_list.weights
        self.weights = torch.tensor(weights) if self.settings.class_weights and weights else None

    def forward(self, outputs: Tensor | tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        labels = labels.long()
        if isinstance(outputs, Tensor):
            return self.of_scores(outputs, labels, self.settings.kind)
        regions, scores = outputs
        guided = self.settings.region_weight * self.of_scores(regions, labels, "cross_entropy")
        return guided + self.of_scores(scores, labels, self.settings.kind)

    def of_scores(self, scores: Tensor, labels: Tensor, kind: str) -> Tensor:
        """The loss of one output."""
        scores = enlarged(scores.float(), (labels.shape[1], labels.shape[2]), self.aligned)
        weights = None if self.weights is None else self.weights.to(scores.device)
        if kind == "ohem":
            return hard_cross_entropy(scores, labels, weights, self.settings)
        return cross_entropy(scores, labels, weights)


def cross_entropy(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over the pixels that count, weighted by class: sum(w * l) / sum(w). Zero where no pixel counts."""
    losses = F.cross_entropy(scores, labels, weights, ignore_index=IGNORE, reduction="sum")
    counted = labels != IGNORE
    shares = counted if weights is None else weights[labels.clamp(max=len(weights) - 1)] * counted
    return losses / shares.sum().clamp(min=torch.finfo(losses.dtype).tiny)


def hard_cross_entropy(scores: Tensor, labels: Tensor, weights: Tensor | None, settings: LossSettings) -> Tensor:
    """Online hard example mining: the mean loss of pixels whose true class gets less than a threshold.

    The threshold is `ohem_threshold`, or the probability below which `ohem_keep` pixels of the batch lie, if that is
    higher. Class weights multiply the losses but do not normalise them, as published. Where no pixel lies strictly
    below, which gives NaN as published, those at the threshold count; where there are none either, the loss is zero.
    """
    losses = F.cross_entropy(scores, labels, weights, ignore_index=IGNORE, reduction="none").flatten()
    counted = labels.flatten() != IGNORE
    true = labels.clamp(max=scores.shape[1] - 1).unsqueeze(1)
    chances = scores.detach().softmax(dim=1).gather(1, true).flatten()[counted]
    losses = losses[counted]
    if not len(losses):
        return scores.sum() * 0
    place = min(settings.ohem_keep, len(chances) - 1)
    threshold = chances.kthvalue(place + 1).values.clamp(min=settings.ohem_threshold)
    hard = chances < threshold
    hard = hard if hard.any() else chances <= chances.min()
    return losses[hard].mean()
