"""The top-down pose network: the backbone's finest stream and one 1x1 convolution (CVPR 2019, section 3)."""

import numpy as np
import torch
from torch import Tensor, nn

from hrnet.nets.backbone import HighResolutionNet, initialise
from hrnet.tasks.pose_topdown.settings import PoseModel


class PoseHighResolutionNet(HighResolutionNet):
    """HRNet with a head of K maps.

    `forward(image)`: (B, 3, H, W), normalised RGB, to the published tensor (B, K, H/4, W/4); with the head on a coarser
    stream r = `model.stream` (CVPR 2019, figure 5) to (B, K, H / 4 / 2**r, W / 4 / 2**r).
    """

    def __init__(self, model: PoseModel) -> None:
        backbone = model.backbone.but(outputs=model.stream + 1)
        super().__init__(backbone)
        self.skeleton = model.keypoints
        self.final_layer = nn.Conv2d(backbone.channels(stage=4)[model.stream], len(model.keypoints), 1)
        initialise(self.final_layer, backbone.but(init="normal"))

    def take_head(self, other: "PoseHighResolutionNet") -> list[str]:
        """Start the maps of the keypoints that both networks have, by name, from the other's; their names."""
        theirs = self.skeleton.positions_in(other.skeleton)
        ours = np.flatnonzero(theirs >= 0)
        with torch.no_grad():
            self.final_layer.weight[ours] = other.final_layer.weight[theirs[ours]]
            self.final_layer.bias[ours] = other.final_layer.bias[theirs[ours]]  # type: ignore[index]
        return [self.skeleton.keypoints[k] for k in ours]

    def forward(self, image: Tensor) -> Tensor:  # type: ignore[override]
        return self.final_layer(super().forward(image)[-1])  # (B, K, H/4, W/4)
