"""What several tasks put on the backbone: all streams joined at the finest one's size, and maps made of them.

Shapes in comments: B pictures of H x W pixels, C = `spec.width`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hrnet.nets.backbone import initialise
from hrnet.nets.spec import BackboneSpec


def joined(streams: list[Tensor], aligned: bool) -> Tensor:
    """HRNetV2 (TPAMI, figure 4 b): every stream enlarged to the finest one and concatenated, (B, 15C, H/4, W/4).

    `aligned` is align_corners of the bilinear enlargement; a recipe uses one value in the exchange units, here and for
    the scores, as the published repositories do.
    """
    size = streams[0].shape[-2:]
    coarse = [F.interpolate(x, size=size, mode="bilinear", align_corners=aligned) for x in streams[1:]]
    return torch.cat([streams[0], *coarse], dim=1)


def pixel_head(inputs: int, hidden: int, outputs: int, spec: BackboneSpec) -> nn.Sequential:
    """1x1 convolution, batch norm, ReLU, and a 1x1 convolution to `outputs` maps; both convolutions have a bias.

    The last starts near zero whatever `spec.init` says, so that training begins with even scores.
    """
    head = nn.Sequential(
        nn.Conv2d(inputs, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True), nn.Conv2d(hidden, outputs, 1)
    )
    initialise(head[:3], spec, zero_bias=False)
    initialise(head[3], spec.but(init="normal"), zero_bias=False)
    return head
