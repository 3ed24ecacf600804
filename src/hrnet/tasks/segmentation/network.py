"""The segmentation networks: HRNetV1, V1h and V2 (TPAMI section 3.2 and figure 10), and V2 with OCR (Yuan et al., ECCV
2020). Shapes in comments: B pictures of H x W pixels, C = width, K classes, h = H/4, w = W/4."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hrnet.nets.backbone import HighResolutionNet, initialise
from hrnet.nets.heads import joined, pixel_head
from hrnet.tasks.segmentation.settings import SegmentationModel

OBJECT_CHANNELS, KEY_CHANNELS, DROPOUT = 512, 256, 0.05


def build(model: SegmentationModel) -> nn.Module:
    """The network that a recipe's head asks for, with starting weights."""
    return ObjectContextNet(model) if model.head == "ocr" else SegmentationNet(model)


class SegmentationNet(HighResolutionNet):
    """HRNet with a score for each class at every fourth pixel.

    `forward(image)`: (B, 3, H, W), normalised RGB of any size, to scores before softmax (B, K, h, w). The head is fed
    by the finest stream (`v1`, and `v1h` with a layer as wide as V2's before the classifier) or by all (`v2`).
    """

    def __init__(self, model: SegmentationModel) -> None:
        spec = model.backbone.but(outputs=4 if model.head == "v2" else 1)
        super().__init__(spec)
        classes, finest, joint = len(model.class_list), spec.width, sum(spec.channels(stage=4))
        self.aligned = model.aligned
        if model.head == "v1":
            self.last_layer = nn.Sequential(nn.Conv2d(finest, classes, 1))
            initialise(self.last_layer, spec.but(init="normal"), zero_bias=False)
        else:
            self.last_layer = pixel_head(joint if model.head == "v2" else finest, joint, classes, spec)

    def forward(self, image: Tensor) -> Tensor:  # type: ignore[override]
        streams = super().forward(image)
        representation = joined(streams, self.aligned) if len(streams) > 1 else streams[0]  # (B, 15C or C, h, w)
        return self.last_layer(representation)  # (B, K, h, w)


class ObjectContextNet(HighResolutionNet):
    """HRNetV2 whose pixels are described anew by the object regions that they belong to (OCR).

    `forward(image)`: (B, 3, H, W) to two scores (B, K, h, w): those of the soft object regions, which training guides
    too, and the final ones.
    """

    def __init__(self, model: SegmentationModel) -> None:
        spec = model.backbone.but(outputs=4)
        super().__init__(spec)
        classes, joint = len(model.class_list), sum(spec.channels(stage=4))
        self.aligned = model.aligned
        # Order of the published state dict; except for the backbone, torch's own starting weights are kept.
        self.conv3x3_ocr = nn.Sequential(
            nn.Conv2d(joint, OBJECT_CHANNELS, 3, padding=1), nn.BatchNorm2d(OBJECT_CHANNELS), nn.ReLU(inplace=True)
        )
        self.ocr_gather_head = ObjectGathering()
        self.ocr_distri_head = ObjectDistribution()
        self.cls_head = nn.Conv2d(OBJECT_CHANNELS, classes, 1)
        self.aux_head = nn.Sequential(
            nn.Conv2d(joint, joint, 1), nn.BatchNorm2d(joint), nn.ReLU(inplace=True), nn.Conv2d(joint, classes, 1)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        representation = joined(super().forward(image), self.aligned)  # (B, 15C, h, w)
        regions = self.aux_head(representation)  # (B, K, h, w)
        pixels = self.conv3x3_ocr(representation)  # (B, 512, h, w)
        objects = self.ocr_gather_head(pixels, regions)  # (B, 512, K, 1)
        return regions, self.cls_head(self.ocr_distri_head(pixels, objects))


class ObjectGathering(nn.Module):
    """Each class's region described by the mean of its pixels, weighted by a softmax over all pixels."""

    def forward(self, pixels: Tensor, regions: Tensor) -> Tensor:  # (B, D, h, w), (B, K, h, w) -> (B, D, K, 1)
        shares = regions.flatten(2).softmax(dim=2)  # (B, K, h * w)
        return (shares @ pixels.flatten(2).transpose(1, 2)).transpose(1, 2).unsqueeze(3)


class ObjectDistribution(nn.Module):
    """Each pixel joined with the objects that it attends to."""

    def __init__(self) -> None:
        super().__init__()
        self.object_context_block = ObjectAttention()
        self.conv_bn_dropout = nn.Sequential(*point_conv(2 * OBJECT_CHANNELS, OBJECT_CHANNELS), nn.Dropout2d(DROPOUT))

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:  # (B, 512, h, w), (B, 512, K, 1) -> (B, 512, h, w)
        context = self.object_context_block(pixels, objects)
        return self.conv_bn_dropout(torch.cat([context, pixels], dim=1))


class ObjectAttention(nn.Module):
    """Attention from pixels to objects."""

    def __init__(self) -> None:
        super().__init__()
        self.f_pixel = nn.Sequential(
            *point_conv(OBJECT_CHANNELS, KEY_CHANNELS), *point_conv(KEY_CHANNELS, KEY_CHANNELS)
        )
        self.f_object = nn.Sequential(
            *point_conv(OBJECT_CHANNELS, KEY_CHANNELS), *point_conv(KEY_CHANNELS, KEY_CHANNELS)
        )
        self.f_down = nn.Sequential(*point_conv(OBJECT_CHANNELS, KEY_CHANNELS))
        self.f_up = nn.Sequential(*point_conv(KEY_CHANNELS, OBJECT_CHANNELS))

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:  # (B, 512, h, w), (B, 512, K, 1) -> (B, 512, h, w)
        queries = self.f_pixel(pixels).flatten(2).transpose(1, 2)  # (B, h * w, 256)
        keys = self.f_object(objects).flatten(2)  # (B, 256, K)
        values = self.f_down(objects).flatten(2).transpose(1, 2)  # (B, K, 256)
        attention = (queries @ keys / math.sqrt(KEY_CHANNELS)).softmax(dim=2)  # (B, h * w, K)
        context = (attention @ values).transpose(1, 2).unflatten(2, pixels.shape[-2:])  # (B, 256, h, w)
        return self.f_up(context)


def point_conv(inputs: int, outputs: int) -> list[nn.Module]:
    """A 1x1 convolution, then batch norm and ReLU nested as the published code nests them."""
    return [
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.Sequential(nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)),
    ]


def enlarged(scores: Tensor, size: tuple[int, int], aligned: bool) -> Tensor:
    """Scores (B, K, h, w) at `size` (height, width), bilinear; as they are where the size is that already."""
    if tuple(scores.shape[-2:]) == tuple(size):
        return scores
    return F.interpolate(scores, size=size, mode="bilinear", align_corners=aligned)
