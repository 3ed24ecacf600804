"""A segmentation network that ends in labels, as one torch module, for graphs that leave Python."""

import torch
from torch import Tensor, nn

from hrnet.tasks.segmentation.network import enlarged
from hrnet.tasks.segmentation.settings import SegmentationRecipe


class Decoding(nn.Module):
    """`forward(image)`: (B, 3, H, W) normalised RGB to the label of every pixel, (B, H, W) int32.

    One look at one scale, as `codec.labels_of` decodes it; windows, scales and mirroring stay outside.
    """

    decodes = True
    output_names = ("labels",)

    def __init__(self, network: nn.Module, recipe: SegmentationRecipe) -> None:
        super().__init__()
        self.network, self.aligned = network, recipe.model.aligned

    def forward(self, image: Tensor) -> Tensor:
        found = self.network(image)
        scores = found if isinstance(found, Tensor) else found[-1]
        size = (image.shape[2], image.shape[3])
        return enlarged(scores.float(), size, self.aligned).argmax(dim=1).to(torch.int32)
