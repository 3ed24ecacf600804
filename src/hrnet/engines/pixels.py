"""From a network that wants normalised channels to one that takes pictures: what every engine runs."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from hrnet.images import MEAN, STD


class FromPixels(nn.Module):
    """`forward(pictures)`: (B, H, W, 3) RGB from 0 to 255, of any type, to the network's outputs as a tuple.

    The arithmetic is `hrnet.images.normalised`, in float32 and in the same order, so it answers bit for bit what the
    network does with pictures normalised outside; only then the batch takes the network's own type.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.from_numpy(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.from_numpy(STD)[:, None, None], persistent=False)
        self.dtype = next((p.dtype for p in network.parameters()), torch.float32)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        channels = pictures.permute(0, 3, 1, 2)  # first, for graphs are slow at arithmetic on rows of three
        scaled = (channels.float() / 255 - self.mean) / self.std  # channels last in memory still
        return as_tuple(self.network(scaled.to(self.dtype)))


def as_tuple(outputs: Tensor | Iterable[Tensor]) -> tuple[Tensor, ...]:
    """The outputs of any network as a tuple."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
