"""Every layout of checkpoint files, as data. A new one is a row: what marks it, and how its names become ours.

Our names are those of the published code (leoxiaobin's and HRNet's repositories); a `Network` is told by them. A
`Layout` is how some code base names the same tensors. Renames are pairs of prefixes, theirs and ours, of which the
first that fits counts, in both directions; `{}` stands for a number and is carried over.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Network:
    """A network of the family, told by its published names: each of `marks` begins one of them.

    In `title`, `{}` is the place of the width.
    """

    name: str
    title: str
    task: str
    marks: tuple[str, ...]
    outputs: str = ""  # the tensor whose first side is the number of keypoints, classes, ...
    unit: str = ""  # what that number counts
    head: tuple[str, ...] = ()  # what depends on that number: prefixes, re-initialised by new_head
    prefix: str = ""  # what published files put before every name


# The first that fits counts, so the narrower stand before the wider.
NETWORKS = (
    Network(
        "higher_hrnet", "HigherHRNet{}, bottom-up pose", "pose_bottomup",
        ("stage4.", "final_layers.1.", "deconv_layers."),
        "final_layers.1.weight", "keypoints", ("final_layers.", "deconv_layers.{}.0.0.weight"),
    ),
    Network(
        "hrnet_ae", "HRNet{} with associative embedding, bottom-up pose", "pose_bottomup",
        ("stage4.", "final_layers.0."),
        "final_layers.0.weight", "maps and tags", ("final_layers.",),
    ),
    Network(
        "pose_hrnet", "HRNet{}, top-down pose", "pose_topdown", ("stage4.", "final_layer.weight"),
        "final_layer.weight", "keypoints", ("final_layer.",),
    ),
    Network(
        "cls_hrnet", "HRNet{}-C, classification", "classification", ("stage4.", "classifier.weight"),
        "classifier.weight", "classes", ("classifier.",),
    ),
    Network(
        "seg_hrnet_ocr", "HRNetV2{} with OCR, segmentation", "segmentation",
        ("stage4.", "cls_head.", "ocr_distri_head."),
        "cls_head.weight", "classes", ("cls_head.", "aux_head.3."), "model.",
    ),
    Network(
        "seg_hrnet", "HRNetV2{}, segmentation", "segmentation", ("stage4.", "last_layer.3."),
        "last_layer.3.weight", "classes", ("last_layer.3.",), "model.",
    ),
    Network(
        "seg_hrnet_v1", "HRNetV1{}, segmentation", "segmentation", ("stage4.", "last_layer.0."),
        "last_layer.0.weight", "classes", ("last_layer.0.",), "model.",
    ),
    Network(
        "face_hrnet", "HRNetV2{}, facial landmarks", "landmarks", ("stage4.", "head.3.weight"),
        "head.3.weight", "landmarks", ("head.3.",),
    ),
    Network("hrnetv2p", "HRNetV2p{}, detection trunk and pyramid", "detection", ("stage4.", "neck.reduction_conv.")),
    Network("trunk", "HRNet{} trunk without a head", "", ("stage4.", "conv2.")),
    Network(
        "pose_resnet", "SimpleBaseline (ResNet), top-down pose", "pose_topdown",
        ("layer4.", "deconv_layers.0.weight", "final_layer.weight"),
        "final_layer.weight", "keypoints", ("final_layer.",),
    ),
    Network(
        "hourglass", "stacked hourglass, top-down pose", "pose_topdown", ("hg.", "score.0."),
        "score.0.weight", "keypoints", ("score.", "score_."),
    ),
    Network("rsn", "residual steps network (RSN), top-down pose", "pose_topdown", ("backbone.top.top.0.conv.",)),
    Network(
        "vitpose", "ViTPose, top-down pose", "pose_topdown", ("backbone.pos_embed", "keypoint_head.final_layer.weight"),
        "keypoint_head.final_layer.weight", "keypoints", ("keypoint_head.final_layer.",),
    ),
    Network(
        "resnet", "ResNet, classification", "classification", ("layer4.", "fc.weight"),
        "fc.weight", "classes", ("fc.",),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How a code base names the tensors of `networks`. Each of `marks` begins a name, none of `absent` does."""

    code: str
    title: str
    networks: tuple[str, ...]
    renames: tuple[tuple[str, str], ...] = (("", ""),)
    marks: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    outputs: tuple[int, ...] = ()  # where two layouts share all names, the numbers of outputs that speak for this one
    unbiased: tuple[tuple[str, str], ...] = ()  # biases of ours that it lacks, each with the running mean behind it
    dropped: tuple[tuple[str, str], ...] = ()  # prefixes that have no place, and why
    notes: tuple[str, ...] = ()
    container: Literal["", "state_dict"] = ""  # the key under which its files keep the tensors

    @property
    def biases(self) -> tuple[str, ...]:
        """Our biases that are zero in its networks."""
        return tuple(bias for bias, _ in self.unbiased)


POSES = ("pose_hrnet", "pose_resnet", "hrnet_ae", "higher_hrnet")
OTHERS = ("hourglass", "rsn", "vitpose", "resnet")
BACKBONE = ("backbone.", "")
MMSEG_HEAD = "decode_head.1.object_context_block."
OCR_BLOCK = "ocr_distri_head.object_context_block."
DETECTOR = tuple(
    (head, "a detector's head, which this package does not build")
    for head in ("rpn_head.", "roi_head.", "bbox_head.", "mask_head.", "semantic_head.", "mask_roi_extractor.")
)
NOT_ALIGNED = "its exchange units and head enlarge with align_corners=False, also where the published OCR code aligns"

LAYOUTS = (
    Layout(
        "mmpose0", "mmpose 0.x", ("face_hrnet",), (("keypoint_head.final_layer.", "head."), BACKBONE),
        marks=("backbone.conv1.", "keypoint_head.final_layer.3."), container="state_dict",
    ),
    Layout(
        "mmpose0", "mmpose 0.x", POSES,
        (
            ("keypoint_head.final_layer.", "final_layer."),
            ("keypoint_head.final_layers.", "final_layers."),
            ("keypoint_head.deconv_layers.", "deconv_layers."),
            BACKBONE,
        ),
        marks=("backbone.conv1.", "keypoint_head.final_layer"), container="state_dict",
    ),
    Layout(
        "mmpose1", "mmpose 1.x", ("face_hrnet",),
        (("head.final_layer.", "head.3."), ("head.conv_layers.", "head."), BACKBONE),
        marks=("backbone.conv1.", "head.conv_layers.0.", "head.final_layer."), container="state_dict",
    ),
    Layout(
        "mmpose1", "mmpose 1.x", ("hrnet_ae",), (("head.final_layer.", "final_layers.0."), BACKBONE),
        marks=("backbone.stage4.", "head.final_layer."), absent=("head.conv_layers.",), outputs=(34, 28),
        container="state_dict",
        notes=("its names are also a top-down network's; 34 or 28 maps speak for 17 or 14 keypoints and their tags",),
    ),
    Layout(
        "mmpose1", "mmpose 1.x", ("pose_hrnet", "pose_resnet", "higher_hrnet"),
        (
            ("head.final_layer.", "final_layer."),
            ("head.final_layers.", "final_layers."),
            ("head.deconv_layers.", "deconv_layers."),
            BACKBONE,
        ),
        marks=("backbone.conv1.", "head.final_layer"), container="state_dict",
    ),
    Layout(
        "mmseg", "mmsegmentation (OCR)", ("seg_hrnet_ocr",),
        (
            ("decode_head.0.convs.0.conv.", "aux_head.0."),
            ("decode_head.0.convs.0.bn.", "aux_head.1."),
            ("decode_head.0.conv_seg.", "aux_head.3."),
            ("decode_head.1.bottleneck.conv.", "conv3x3_ocr.0."),
            ("decode_head.1.bottleneck.bn.", "conv3x3_ocr.1."),
            ("decode_head.1.conv_seg.", "cls_head."),
            (f"{MMSEG_HEAD}query_project.0.conv.", f"{OCR_BLOCK}f_pixel.0."),
            (f"{MMSEG_HEAD}query_project.0.bn.", f"{OCR_BLOCK}f_pixel.1.0."),
            (f"{MMSEG_HEAD}query_project.1.conv.", f"{OCR_BLOCK}f_pixel.2."),
            (f"{MMSEG_HEAD}query_project.1.bn.", f"{OCR_BLOCK}f_pixel.3.0."),
            (f"{MMSEG_HEAD}key_project.0.conv.", f"{OCR_BLOCK}f_object.0."),
            (f"{MMSEG_HEAD}key_project.0.bn.", f"{OCR_BLOCK}f_object.1.0."),
            (f"{MMSEG_HEAD}key_project.1.conv.", f"{OCR_BLOCK}f_object.2."),
            (f"{MMSEG_HEAD}key_project.1.bn.", f"{OCR_BLOCK}f_object.3.0."),
            (f"{MMSEG_HEAD}value_project.conv.", f"{OCR_BLOCK}f_down.0."),
            (f"{MMSEG_HEAD}value_project.bn.", f"{OCR_BLOCK}f_down.1.0."),
            (f"{MMSEG_HEAD}out_project.conv.", f"{OCR_BLOCK}f_up.0."),
            (f"{MMSEG_HEAD}out_project.bn.", f"{OCR_BLOCK}f_up.1.0."),
            (f"{MMSEG_HEAD}bottleneck.conv.", "ocr_distri_head.conv_bn_dropout.0."),
            (f"{MMSEG_HEAD}bottleneck.bn.", "ocr_distri_head.conv_bn_dropout.1.0."),
            BACKBONE,
        ),
        marks=("backbone.conv1.", "decode_head.1.object_context_block."), container="state_dict", notes=(NOT_ALIGNED,),
        unbiased=(
            ("aux_head.0.bias", "aux_head.1.running_mean"),
            ("conv3x3_ocr.0.bias", "conv3x3_ocr.1.running_mean"),
        ),
    ),
    Layout(
        "mmseg", "mmsegmentation (FCN)", ("seg_hrnet",),
        (
            ("decode_head.convs.0.conv.", "last_layer.0."),
            ("decode_head.convs.0.bn.", "last_layer.1."),
            ("decode_head.conv_seg.", "last_layer.3."),
            BACKBONE,
        ),
        marks=("backbone.conv1.", "decode_head.convs.0."), container="state_dict", notes=(NOT_ALIGNED,),
        unbiased=(("last_layer.0.bias", "last_layer.1.running_mean"),),
        dropped=(("auxiliary_head.", "a second loss, used in training alone"),),
    ),
    Layout(
        "mmdet", "mmdetection 2.x and 3.x", ("hrnetv2p",),
        (
            ("neck.reduction_conv.conv.", "neck.reduction_conv.0."),
            ("neck.fpn_convs.{}.conv.", "neck.fpn_conv.{}."),
            BACKBONE,
        ),
        marks=("backbone.conv1.", "neck.fpn_convs."), dropped=DETECTOR, container="state_dict",
    ),
    Layout(
        "mmdet1", "mmdetection 1.x", ("hrnetv2p",),
        (("neck.reduction_conv.conv.", "neck.reduction_conv.0."), ("neck.fpn_conv.", "neck.fpn_conv."), BACKBONE),
        marks=("backbone.conv1.", "neck.fpn_conv.", "neck.reduction_conv.conv."), dropped=DETECTOR,
        container="state_dict",
    ),
    Layout(
        "published", "the published detection code", ("hrnetv2p",), (("neck.", "neck."), BACKBONE),
        marks=("backbone.conv1.", "neck.reduction_conv.0."), dropped=DETECTOR, container="state_dict",
    ),
    Layout(
        "deeplabcut", "DeepLabCut 3 (timm's names)", ("trunk", "cls_hrnet"), (("backbone.model.", ""),),
        marks=("backbone.model.conv1.",), dropped=(("heads.", "DeepLabCut's own heads"),), container="state_dict",
    ),
    Layout(
        "timm-ssld", "timm's *_ssld (from PaddleClas)", ("cls_hrnet",), marks=("incre_modules.",),
        absent=("final_layer.0.bias", "downsamp_modules.0.0.bias"),
        unbiased=(
            ("downsamp_modules.0.0.bias", "downsamp_modules.0.1.running_mean"),
            ("downsamp_modules.1.0.bias", "downsamp_modules.1.1.running_mean"),
            ("downsamp_modules.2.0.bias", "downsamp_modules.2.1.running_mean"),
            ("final_layer.0.bias", "final_layer.1.running_mean"),
        ),
    ),
    Layout("published", "the published code", tuple(network.name for network in NETWORKS)),
    Layout("timm", "timm", ("cls_hrnet",)),
    Layout("backbone", "trunks under 'backbone.'", ("trunk",), (BACKBONE,), marks=("backbone.conv1.",)),
)  # fmt: skip

# The layers of every network before its head; a classification file can start those of any other network.
TRUNK = ("conv1.", "bn1.", "conv2.", "bn2.", "layer{}.", "transition{}.", "stage{}.")

# Where a file keeps its tensors, in the order in which they are looked for.
CONTAINERS = (
    "state_dict", "model_state_dict", "model", "network", "net", "weights", "params",
    "ema", "ema_state_dict", "state_dict_ema", "model_ema", "best_state_dict",
)  # fmt: skip

# What may stand before every name, and who puts it there; stripped as often as all names share one.
PREFIXES = {
    "module.": "parallel training",
    "model.": "a wrapper with the loss, as published segmentation files have",
    "1.": "the half-precision wrapper of HigherHRNet's training",
    "network.": "this package's training checkpoint",
    "_orig_mod.": "torch.compile",
    "ema_model.": "averaged weights",
    "net.": "a wrapper",
}

# Entries that belong to a training and not to a network; they may stand beside names that share a prefix.
LEFTOVERS = {
    "loss.": "class weights of a training's loss",
    "criterion.": "class weights of a training's loss",
    "n_averaged": "a counter of averaged weights",
    "data_preprocessor.": "a picture's mean and deviation, which recipes state",
}
