"""The classification network, HRNet-C (TPAMI appendix B, figure 12), and the heads of its table 16.

Shapes in comments: B pictures of H x W pixels, stream r with C * 2**r channels at stride 4 * 2**r.
"""

import torch
from torch import Tensor, nn

from hrnet.nets.backbone import Bottleneck, HighResolutionNet, initialise
from hrnet.nets.spec import BackboneSpec
from hrnet.tasks.classification.settings import ClassificationModel

PLANES = (32, 64, 128, 256)  # of the head's bottlenecks; four times as many come out, whatever the width
FEATURES = 2048


def build(model: ClassificationModel) -> nn.Module:
    """The network that a recipe's head asks for, with starting weights."""
    kind = {"published": ClassificationNet, "ci": PooledStreamsNet, "cii": StridedStreamsNet}[model.head]
    network = kind(model.backbone.but(outputs=4), model.class_count)
    initialise(network, model.backbone, zero_bias=False)
    return network


class ClassificationNet(HighResolutionNet):
    """HRNet with the published head: streams widened, then added from fine to coarse, pooled and classified.

    `forward(image)`: (B, 3, H, W), normalised RGB, to scores before softmax (B, classes).
    """

    def __init__(self, spec: BackboneSpec, classes: int) -> None:
        super().__init__(spec)
        channels, wide = spec.channels(stage=4), [4 * planes for planes in PLANES]
        self.incre_modules = nn.ModuleList(
            nn.Sequential(Bottleneck(c, planes)) for c, planes in zip(channels, PLANES, strict=True)
        )
        self.downsamp_modules = nn.ModuleList(
            biased_conv_bn(wide[r], wide[r + 1], kernel=3, stride=2) for r in range(3)
        )
        self.final_layer = biased_conv_bn(wide[-1], FEATURES, kernel=1)
        self.classifier = nn.Linear(FEATURES, classes)

    def forward(self, image: Tensor) -> Tensor:  # type: ignore[override]
        streams = [widen(x) for widen, x in zip(self.incre_modules, super().forward(image), strict=True)]
        x = streams[0]  # (B, 128, H/4, W/4)
        for down, stream in zip(self.downsamp_modules, streams[1:], strict=True):
            x = stream + down(x)  # (B, 256, H/8, W/8), then 512 and 1024 channels, each at half the size
        return self.classifier(self.final_layer(x).mean(dim=(2, 3)))  # (B, 2048) -> (B, classes)


class PooledStreamsNet(HighResolutionNet):
    """HRNet-Ci (TPAMI table 16): each stream pooled by itself, the means concatenated and classified."""

    def __init__(self, spec: BackboneSpec, classes: int) -> None:
        super().__init__(spec)
        self.classifier = nn.Linear(sum(spec.channels(stage=4)), classes)

    def forward(self, image: Tensor) -> Tensor:  # type: ignore[override]
        means = [x.mean(dim=(2, 3)) for x in super().forward(image)]
        return self.classifier(torch.cat(means, dim=1))  # (B, 15C) -> (B, classes)


class StridedStreamsNet(HighResolutionNet):
    """HRNet-Cii (TPAMI table 16): strided bottlenecks bring every stream to 512 channels at stride 32; these are
    concatenated, pooled and classified. The head of the CVPR 2019 pretraining; its layer names were never published."""

    def __init__(self, spec: BackboneSpec, classes: int) -> None:
        super().__init__(spec)
        wide = FEATURES // 4
        self.strided = nn.ModuleList()
        for r, channels in enumerate(spec.channels(stage=4)):
            steps = max(3 - r, 1)
            outputs = [wide // 2 ** (steps - k) for k in range(1, steps + 1)]
            inputs, stride = [channels, *outputs[:-1]], 2 if r < 3 else 1
            self.strided.append(
                nn.Sequential(*(Bottleneck(i, o // 4, stride) for i, o in zip(inputs, outputs, strict=True)))
            )
        self.classifier = nn.Linear(FEATURES, classes)

    def forward(self, image: Tensor) -> Tensor:  # type: ignore[override]
        maps = [path(x) for path, x in zip(self.strided, super().forward(image), strict=True)]  # (B, 512, H/32, W/32)
        return self.classifier(torch.cat(maps, dim=1).mean(dim=(2, 3)))


def biased_conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution with a bias, which the published head has before its batch norms, and ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
