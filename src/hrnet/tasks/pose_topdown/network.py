"""The top-down pose network: the backbone's finest stream and one 1x1 convolution (CVPR 2019, section 3)."""

from torch import Tensor, nn

from hrnet.nets.backbone import HighResolutionNet, initialise
from hrnet.tasks.pose_topdown.settings import PoseModel


class PoseHighResolutionNet(HighResolutionNet):
    """HRNet with a head of K maps.

    `forward(image)`: (B, 3, H, W), normalised RGB, to the published tensor (B, K, H/4, W/4). With several
    `model.streams` (CVPR 2019, figure 5) a tuple, map r of them (B, K, H / 4 / 2**r, W / 4 / 2**r).
    """

    def __init__(self, model: PoseModel) -> None:
        backbone = model.backbone.but(outputs=max(model.streams) + 1)
        super().__init__(backbone)
        heads = [nn.Conv2d(backbone.output_channels[r], len(model.keypoints), 1) for r in model.streams]
        self.streams = model.streams
        self.final_layer = heads[0] if len(heads) == 1 else nn.ModuleList(heads)
        initialise(self.final_layer, backbone.but(init="normal"))

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
        streams = super().forward(image)  # stream r: (B, C * 2**r, H / 4 / 2**r, W / 4 / 2**r)
        if isinstance(self.final_layer, nn.ModuleList):
            return tuple(head(streams[r]) for r, head in zip(self.streams, self.final_layer, strict=True))
        return self.final_layer(streams[self.streams[0]])  # (B, K, H/4, W/4)
