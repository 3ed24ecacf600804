"""The bottom-up pose network: HRNet's finest stream, and modules that double its resolution (HigherHRNet)."""

import torch
from torch import Tensor, nn

from hrnet.nets.backbone import BasicBlock, HighResolutionNet, initialise
from hrnet.tasks.pose_bottomup.settings import BottomUpModel

# Kernel of a transposed convolution of stride 2 -> its padding and output padding.
PADDINGS = {4: (1, 0), 3: (1, 1), 2: (0, 0)}


class PoseHigherResolutionNet(HighResolutionNet):
    """HRNet with one head per resolution; J keypoints, C = `model.backbone.width`.

    `forward(image)`: (B, 3, H, W), normalised RGB, to the published maps, coarsest first: map k is
    (B, J + T, H / 4 * 2**k, W / 4 * 2**k), J heatmaps and then T tag maps: J, or 1 where tags are shared, or 0 where
    map k carries none. H and W must divide by 32.
    """

    def __init__(self, model: BottomUpModel) -> None:
        super().__init__(model.backbone.but(outputs=1))
        joints, width = model.joints, model.backbone.width
        tags = joints if model.tags == "per_joint" else 1
        self.concatenate = model.concatenate
        channels = [joints + (tags if k in model.tag_maps else 0) for k in range(model.outputs)]
        self.final_layers = nn.ModuleList(
            nn.Conv2d(width, maps, model.head_kernel, padding=model.head_kernel // 2) for maps in channels
        )
        self.deconv_layers = nn.ModuleList(
            deconvolution(width + (channels[k] if model.concatenate else 0), width, model)
            for k in range(model.deconvolutions)
        )
        for heads in (self.final_layers, self.deconv_layers):
            initialise(heads, model.backbone.but(init="normal"))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        x = super().forward(image)[0]  # (B, C, H/4, W/4)
        maps = [self.final_layers[0](x)]  # (B, J + T, H/4, W/4)
        for k, enlarge in enumerate(self.deconv_layers):
            x = enlarge(torch.cat([x, maps[k]], dim=1) if self.concatenate else x)  # (B, C, H/2, W/2), and so on
            maps.append(self.final_layers[k + 1](x))  # (B, J + T, H/2, W/2)
        return tuple(maps)


def deconvolution(inputs: int, width: int, model: BottomUpModel) -> nn.Sequential:
    """One module: a transposed convolution of stride 2, and residual blocks, each in a Sequential as published."""
    padding, output_padding = PADDINGS[model.deconvolution_kernel]
    up = nn.ConvTranspose2d(inputs, width, model.deconvolution_kernel, 2, padding, output_padding, bias=False)
    blocks = (nn.Sequential(BasicBlock(width, width)) for _ in range(model.residual_blocks))
    return nn.Sequential(nn.Sequential(up, nn.BatchNorm2d(width), nn.ReLU(inplace=True)), *blocks)
