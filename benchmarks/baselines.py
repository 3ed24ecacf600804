"""ResNet-18 as what HRNet is compared with: a fully convolutional network with skips (FCN-8s), and a classifier."""

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (64, 128, 256, 512)


class Block(nn.Module):
    """The basic residual block of ResNet-18 and 34 (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if same else shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """`forward(image)`: (B, 3, H, W) to four maps of 64, 128, 256 and 512 channels at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(Block(64 if r == 0 else WIDTHS[r - 1], width, 1 if r == 0 else 2), Block(width, width, 1))
            for r, width in enumerate(WIDTHS)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        x, maps = self.stem(image), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class ResNetFCN(nn.Module):
    """FCN-8s (Long et al., CVPR 2015) on ResNet-18: scores (B, K, H/8, W/8) of three strides, enlarged and added."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = ResNet18()
        self.scores = nn.ModuleList(nn.Conv2d(width, classes, 1) for width in WIDTHS[1:])
        start(self)

    def forward(self, image: Tensor) -> Tensor:
        fine, middle, coarse = (score(x) for score, x in zip(self.scores, self.backbone(image)[1:], strict=True))
        middle = middle + F.interpolate(coarse, size=middle.shape[-2:], mode="bilinear", align_corners=False)
        return fine + F.interpolate(middle, size=fine.shape[-2:], mode="bilinear", align_corners=False)


class ResNetClassifier(nn.Module):
    """ResNet-18: scores (B, K)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = ResNet18()
        self.classifier = nn.Linear(WIDTHS[-1], classes)
        start(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(self.backbone(image)[-1].mean(dim=(2, 3)))


def start(network: nn.Module) -> None:
    """Starting weights as HRNet's: Kaiming by fan-out, the layers that give scores near zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if isinstance(network, ResNetFCN):
        for layer in network.scores:
            nn.init.normal_(layer.weight, std=0.001)  # type: ignore[arg-type]
