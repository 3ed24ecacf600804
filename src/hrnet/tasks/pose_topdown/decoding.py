"""The test path from crops to keypoints as one torch module, for graphs that leave Python and for CUDA devices.

The same steps as `inference.maps` and `codec.decode`, in torch; a test holds the two together.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hrnet.tasks.pose_topdown.codec import Codec
from hrnet.tasks.pose_topdown.settings import PoseRecipe


class Decoding(nn.Module):
    """A pose network that ends in keypoints.

    `forward(image)`: (B, 3, H, W) normalised RGB to keypoints (B, K, 2), x and y in pixels of the input, and scores
    (B, K), averaged with the mirrored input where the recipe says so.
    """

    decodes = True
    output_names = ("keypoints", "scores")

    def __init__(self, network: nn.Module, recipe: PoseRecipe) -> None:
        super().__init__()
        self.network, self.settings, self.flip = network, recipe.codec, recipe.testing.flip
        self.shift = recipe.testing.shift_heatmap and recipe.framing.convention == "published"
        codec = Codec(recipe)
        self.register_buffer("order", torch.from_numpy(recipe.model.keypoints.flip_order.copy()), persistent=False)
        self.width, self.height = codec.map_size
        self.stride = [float(value) for value in codec.stride]
        # Constants of whole numbers: neither a shorter type nor the recording of a CUDA graph touches them.
        self.register_buffer("neighbours", torch.tensor([1, -1, self.width, -self.width]), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.activate(self.network(image))  # (B, K, h, w)
        if self.flip:
            mirrored = self.activate(self.network(image.flip(3)))
            maps = (maps + self.flip_back(mirrored)) * 0.5
        cells, scores = self.quarter(maps.flatten(2)) if self.settings.kind == "gaussian" else self.local_mean(maps)
        return torch.stack([cells[..., axis] * self.stride[axis] for axis in (0, 1)], dim=-1), scores

    def activate(self, maps: Tensor) -> Tensor:
        """What may be averaged, in float32 whatever the network's type."""
        maps = maps.float()
        if self.settings.kind == "gaussian":
            return maps
        return maps.flatten(2).softmax(dim=2).unflatten(2, (self.height, self.width))

    def flip_back(self, maps: Tensor) -> Tensor:
        """Maps of the mirrored input as maps of the input (`codec.flip_back`)."""
        back = maps.index_select(1, self.get_buffer("order")).flip(3)
        return torch.cat([back[..., :1], back[..., :-1]], dim=3) if self.shift else back

    def quarter(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (B, K, 2) and scores (B, K) of flat maps (B, K, h * w) (`codec.highest`, `codec.quarter_shift`)."""
        scores, index = flat.max(dim=2)
        index = torch.where(scores > 0, index, torch.zeros_like(index))
        x, y = index % self.width, torch.div(index, self.width, rounding_mode="floor")
        cells = torch.stack([x, y], dim=-1).float()
        if not self.settings.quarter_shift:
            return cells, scores
        inner = (x > 1) & (x < self.width - 1) & (y > 1) & (y < self.height - 1)
        middle = torch.where(inner, index, torch.full_like(index, self.width + 1))
        right, left, below, above = flat.gather(2, middle[..., None] + self.get_buffer("neighbours")).unbind(dim=2)
        slope = torch.stack([right - left, below - above], dim=-1).sign()
        return cells + 0.25 * slope * inner[..., None].float(), scores

    def local_mean(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (B, K, 2) and scores (B, K) of probabilities (B, K, h, w) (`codec.local_mean`)."""
        radius = math.ceil(2 * self.settings.sigma)
        index = maps.flatten(2).argmax(dim=2)
        x, y = index % self.width, torch.div(index, self.width, rounding_mode="floor")
        side, wide = 2 * radius + 1, self.width + 2 * radius
        padded = F.pad(maps, (radius, radius, radius, radius)).flatten(2)
        steps = torch.arange(side, device=maps.device)
        window = padded.gather(2, (y * wide + x)[..., None] + (steps[:, None] * wide + steps).flatten())
        window = window.unflatten(2, (side, side))  # (B, K, side, side)
        scores = window.sum(dim=(2, 3))
        share = window / scores.clamp(min=1e-12)[..., None, None]
        offset = torch.stack([(share.sum(dim=2) * steps).sum(dim=2), (share.sum(dim=3) * steps).sum(dim=2)], dim=-1)
        return torch.stack([x, y], dim=-1) + offset - radius, scores
