"""The high-resolution backbone (Sun et al., CVPR 2019, figure 1; Wang et al., TPAMI 2020, figure 2).

Names and order of the parameters are those of the published code, because the world's weights carry them.
Shapes in comments: B pictures of H x W pixels, C = `spec.width`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import reduce
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from hrnet.nets.spec import BackboneSpec


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around an identity; `planes` channels in and out."""

    expansion = 1

    def __init__(self, inputs: int, planes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

    def forward(self, x: Tensor) -> Tensor:  # (B, planes, h, w), the same out
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)).add_(x), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around an identity; puts out `4 * planes` channels."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.downsample = nn.Identity() if same else conv_bn(inputs, outputs, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, h, w) -> (B, 4 * planes, h / stride, w / stride)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.bn3(self.conv3(y)).add_(self.downsample(x)), inplace=True)


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = False) -> nn.Sequential:
    """Convolution and batch norm, with a ReLU where asked."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=True)] if relu else []))


class Resize(nn.Module):
    """Resize by a power of two: nearest repeats cells, bilinear interpolates between their centres."""

    def __init__(self, scale: float, mode: str) -> None:
        super().__init__()
        self.scale, self.mode = scale, mode

    def forward(self, x: Tensor, like: Tensor | None = None) -> Tensor:
        size = None if like is None else like.shape[-2:]
        scale = self.scale if size is None else None
        if self.mode == "nearest":
            return F.interpolate(x, size=size, scale_factor=scale, mode="nearest")
        aligned = self.mode == "bilinear_aligned"
        return F.interpolate(x, size=size, scale_factor=scale, mode="bilinear", align_corners=aligned)


class ExchangePath(nn.Sequential):
    """The way from stream j to stream i of an exchange unit; the target's size settles that of the result."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:  # type: ignore[override]
        for layer in self:
            x = layer(x, like) if isinstance(layer, Resize) else layer(x)
        return x


class HighResolutionModule(nn.Module):
    """Residual blocks along every stream, then one exchange unit that lets every stream hear every other.

    `rows` is how many streams the exchange unit puts out, finest first; 0 leaves the exchange out. With `recompute`
    a training step keeps only what enters the module and computes the rest again in its backward pass.
    """

    recompute = False

    def __init__(self, spec: BackboneSpec, streams: int, rows: int) -> None:
        super().__init__()
        block = {"basic": BasicBlock, "bottleneck": Bottleneck}[spec.block]
        channels = [spec.width * 2**r for r in range(streams)]
        self.branches = nn.ModuleList(
            nn.Sequential(*(block(c, c // block.expansion) for _ in range(spec.blocks))) for c in channels
        )
        exchanging = range(rows if streams > 1 else 0)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(exchange_path(spec, channels, j, i) for j in range(streams)) for i in exchanging
        )
        self.product = spec.combine == "product"

    def forward(self, streams: list[Tensor]) -> list[Tensor]:  # stream r: (B, C * 2**r, H / 4 / 2**r, W / 4 / 2**r)
        if self.recompute and self.training:
            twice = lambda: (nullcontext(), statistics_kept(self))  # noqa: E731
            return checkpoint(self.exchanged, streams, use_reentrant=False, context_fn=twice)  # type: ignore[return-value]
        return self.exchanged(streams)

    def exchanged(self, streams: list[Tensor]) -> list[Tensor]:
        """The streams after blocks and exchange unit."""
        streams = [branch(x) for branch, x in zip(self.branches, streams, strict=True)]
        if len(self.fuse_layers) == 0:
            return streams
        return [F.relu(self.exchange(i, streams)) for i in range(len(self.fuse_layers))]

    def exchange(self, i: int, streams: list[Tensor]) -> Tensor:
        """Everything that stream i hears, joined: (B, C * 2**i, H / 4 / 2**i, W / 4 / 2**i)."""
        paths = cast(nn.ModuleList, self.fuse_layers[i])
        join = torch.mul if self.product else torch.add
        return reduce(join, (x if j == i else paths[j](x, streams[i]) for j, x in enumerate(streams)))


@contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Batch norms use their batch's statistics and do not add them to the running ones: the first pass did."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


def exchange_path(spec: BackboneSpec, channels: list[int], source: int, target: int) -> nn.Module:
    """The layers from stream `source` to stream `target` (CVPR 2019, figure 3)."""
    inputs, outputs = channels[source], channels[target]
    if source == target:
        return nn.Identity()
    if source > target:
        return ExchangePath(*conv_bn(inputs, outputs, kernel=1), Resize(2.0 ** (source - target), spec.upsample))
    steps = target - source
    if spec.downsample == "bilinear":
        # Resized first, so that the 1x1 convolution sees the small map; its position keeps index 0 and 1.
        return BilinearDown(*conv_bn(inputs, outputs, kernel=1))
    widths = [inputs] * steps + [outputs]
    return ExchangePath(*(conv_bn(widths[k], widths[k + 1], stride=2, relu=k < steps - 1) for k in range(steps)))


class BilinearDown(nn.Sequential):
    """Ablation: bilinear shrinking and a 1x1 convolution in place of strided 3x3 ones (TPAMI table 12)."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False))


class Transition(nn.ModuleList):
    """From the streams of one stage to those of the next; new ones are made from the coarsest by strided 3x3 steps."""

    def __init__(self, before: list[int], after: list[int]) -> None:
        kept = [
            nn.Identity() if before[i] == after[i] else conv_bn(before[i], after[i], relu=True)
            for i in range(min(len(before), len(after)))
        ]
        new = []
        for i in range(len(before), len(after)):
            steps = i + 1 - len(before)
            widths = [before[-1]] * steps + [after[i]]
            new.append(nn.Sequential(*(conv_bn(widths[k], widths[k + 1], stride=2, relu=True) for k in range(steps))))
        super().__init__(kept + new)

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        last = len(streams) - 1
        return [layer(streams[min(i, last)]) for i, layer in enumerate(self)]


class HighResolutionNet(nn.Module):
    """HRNet without a head: one map per stream that `spec.outputs` asks for, finest first.

    `forward(image)`: (B, 3, H, W) -> list of (B, C * 2**r, H / 4 / 2**r, W / 4 / 2**r), r = 0 .. outputs - 1.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        planes, wide = spec.stage1_planes, spec.stage1_planes * Bottleneck.expansion
        self.layer1 = nn.Sequential(*(Bottleneck(wide if b else 64, planes) for b in range(spec.stage1_blocks)))

        self.transition1, self.stage2 = next_stage(spec, 2, [wide])
        self.transition2, self.stage3 = next_stage(spec, 3, spec.channels(stage=2))
        self.transition3, self.stage4 = next_stage(spec, 4, spec.channels(stage=3))
        self.outputs = spec.outputs
        initialise(self, spec)

    def forward(self, image: Tensor) -> list[Tensor]:  # (B, 3, H, W)
        x = F.relu(self.bn1(self.conv1(image)), inplace=True)  # (B, 64, H/2, W/2)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)  # (B, 64, H/4, W/4)
        x = self.layer1(x)  # (B, 256, H/4, W/4)
        streams = self.stage2(self.transition1([x]))  # 2 streams: (B, C, H/4, W/4), (B, 2C, H/8, W/8)
        streams = self.stage3(self.transition2(streams))  # 3 streams, the new one (B, 4C, H/16, W/16)
        streams = self.stage4(self.transition3(streams))  # 4 streams, the new one (B, 8C, H/32, W/32)
        return streams[: self.outputs]


def next_stage(spec: BackboneSpec, stage: int, before: list[int]) -> tuple[Transition, nn.Sequential]:
    """The transition from streams of `before` channels, and the modules of a stage."""
    after, count = spec.channels(stage), spec.modules[stage - 2]
    rows = [exchange_rows(spec, stage, m == count - 1, len(after)) for m in range(count)]
    return Transition(before, after), nn.Sequential(*(HighResolutionModule(spec, len(after), r) for r in rows))


def exchange_rows(spec: BackboneSpec, stage: int, last: bool, streams: int) -> int:
    """How many streams the exchange unit of a module puts out; 0 where the ablation leaves it out."""
    if stage == 4 and last:
        return spec.outputs
    exchanging = {"all": True, "across_stages": last, "final": False}[spec.exchange]
    return streams if exchanging else 0


def initialise(module: nn.Module, spec: BackboneSpec, zero_bias: bool = True) -> None:
    """Set the starting weights as the published code does, and the batch-norm momentum.

    Biases of convolutions start at zero for pose; classification and segmentation leave them to torch.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            if spec.init == "kaiming":
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.normal_(layer.weight, std=0.001)
            if zero_bias and layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.momentum = spec.momentum
