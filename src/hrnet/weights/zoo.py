"""Published weights by name: `pose_topdown/w32_256x192@coco-mmpose0` is a recipe, the data, and whose file.

Addresses and scores are the publishers' own, none is ours. Nothing of this ships with the package: weights carry the
terms of their data. Where several files fit one name, the suffix says whose; `@coco` is the official one.
"""

import re
from dataclasses import dataclass

from hrnet.errors import HRNetError, UsageError, nearest

MMPOSE = "https://download.openmmlab.com/mmpose/"
MMSEG = "https://download.openmmlab.com/mmsegmentation/v0.5/hrnet/"
POSE_PAGE = "https://github.com/leoxiaobin/deep-high-resolution-net.pytorch"
BOTTOMUP_PAGE = "https://github.com/HRNet/HigherHRNet-Human-Pose-Estimation"
CLASSIFICATION_PAGE = "https://github.com/HRNet/HRNet-Image-Classification"
SEGMENTATION_PAGE = "https://github.com/HRNet/HRNet-Semantic-Segmentation"
CLASSIFICATION = f"{CLASSIFICATION_PAGE}/releases/download/PretrainedWeights/"
SEGMENTATION = "https://github.com/hsfzxjy/models.storage/releases/download/HRNet-OCR/"

# Terms of the data that weights learnt from, in short; read each set's own page before use or redistribution.
TERMS = {
    "COCO": "annotations CC BY 4.0; pictures under their Flickr licences",
    "MPII": "pictures for non-commercial research",
    "COCO and AIC": "COCO's terms, and AI Challenger's: research use",
    "AIC": "AI Challenger's: research use; ask the owners otherwise",
    "CrowdPose": "research use; ask the owners otherwise",
    "ImageNet": "non-commercial research and education; pictures not to be passed on",
    "Cityscapes": "its own licence: non-commercial research, not to be passed on",
    "LIP": "research use; ask the owners otherwise",
    "PASCAL-Context": "Flickr's terms; research",
}


@dataclass(frozen=True)
class Entry:
    """One published file: `source` is its address, or None where it lies on a share drive that `page` links to.

    A `recipe` such as `trunk/w32` is none: the file starts trainings, and finds nothing by itself.
    """

    recipe: str
    suffix: str
    file: str
    score: str
    data: str
    page: str
    source: str | None = None

    @property
    def name(self) -> str:
        """What users call it."""
        return f"{self.recipe}@{self.suffix}"

    @property
    def is_trunk(self) -> bool:
        """Whether it is a trunk to start from, without a head that a recipe has."""
        return self.recipe.startswith("trunk/")

    @property
    def sha256(self) -> str:
        """The beginning of the file's SHA-256 that its name carries, by the convention of torchvision and OpenMMLab."""
        match = re.search(r"-([0-9a-f]{8})(?=[._])", self.file)
        return match[1] if match else ""


def official(recipe: str, suffix: str, file: str, score: str, data: str = "COCO") -> Entry:
    """A file of the published top-down repository, which lies in one folder of a share drive."""
    return Entry(f"pose_topdown/{recipe}", suffix, file, score, data, POSE_PAGE)


def mmpose(recipe: str, suffix: str, path: str, score: str, data: str = "COCO") -> Entry:
    """A file of mmpose's model zoo."""
    recipe = recipe if "/" in recipe else f"pose_topdown/{recipe}"
    return Entry(recipe, suffix, path.rpartition("/")[2], score, data, MMPOSE, f"{MMPOSE}{path}")


def trunk(width: str, file: str) -> Entry:
    """The ImageNet trunk that the published pose trainings began with."""
    return Entry(f"trunk/{width}", "imagenet", file, "-", "ImageNet", POSE_PAGE, f"{MMPOSE}pretrain_models/{file}")


def classifier(recipe: str, file: str, error: float, suffix: str = "imagenet") -> Entry:
    """A file of the published classification repository: on a share drive, but for those of its later release."""
    source = None if suffix == "imagenet" else f"{CLASSIFICATION}{file}"
    score = f"top-1 error {error}"
    return Entry(f"classification/{recipe}", suffix, file, score, "ImageNet", CLASSIFICATION_PAGE, source)


def segmenter(recipe: str, suffix: str, file: str, score: float, data: str) -> Entry:
    """A file of the published segmentation repository, branch HRNet-OCR."""
    name = f"segmentation/{recipe}"
    return Entry(name, suffix, file, f"mIoU {score}", data, SEGMENTATION_PAGE, f"{SEGMENTATION}{file}")


def mmseg(recipe: str, name: str, version: str, score: float) -> Entry:
    """A file of mmsegmentation's model zoo, trained on Cityscapes."""
    file, folder = f"{name}_{version}.pth", f"{MMSEG}{name}/"
    recipe = f"segmentation/{recipe}"
    return Entry(recipe, "cityscapes-mmseg", file, f"mIoU {score}", "Cityscapes", MMSEG, f"{folder}{file}")


HRNET0, TRICKS0 = "top_down/hrnet/hrnet_", "top_down/augmentation/hrnet_"
HRNET1 = "v1/body_2d_keypoint/topdown_heatmap/coco/td-hm_hrnet-"

# AP on COCO val2017 (top-down: person boxes of 56.4 AP), CrowdPose test or AI Challenger val, PCKh@0.5 on MPII val,
# flip test; top-1 error on ImageNet val; mIoU on Cityscapes val (trainval: on test, flip and scales), LIP val with
# flip, PASCAL-Context with flip and scales.
ZOO = (
    official("w32_256x192", "coco", "pose_hrnet_w32_256x192.pth", "AP 0.744"),
    mmpose("w32_256x192", "coco-mmpose0", f"{HRNET0}w32_coco_256x192-c78dce93_20200708.pth", "AP 0.746"),
    mmpose("w32_256x192", "coco-mmpose1", f"{HRNET1}w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth", "AP 0.749"),
    mmpose(
        "w32_256x192", "coco-mmpose0-coarsedropout",
        f"{TRICKS0}w32_coco_256x192_coarsedropout-0f16a0ce_20210320.pth", "AP 0.753",
    ),
    mmpose(
        "w32_256x192", "coco-mmpose0-gridmask",
        f"{TRICKS0}w32_coco_256x192_gridmask-868180df_20210320.pth", "AP 0.752",
    ),
    mmpose(
        "w32_256x192", "coco-mmpose0-photometric",
        f"{TRICKS0}w32_coco_256x192_photometric-308cf591_20210320.pth", "AP 0.753",
    ),
    mmpose(
        "w32_256x192", "coco-mmpose0-fp16",
        f"{HRNET0}w32_coco_256x192_fp16_dynamic-290efc2e_20210430.pth", "AP 0.746",
    ),
    mmpose(
        "w32_256x192", "coco-mmpose1-fp16",
        f"{HRNET1}w32_fp16-8xb64-210e_coco-256x192-f1e84e3b_20220914.pth", "AP 0.749",
    ),
    mmpose(
        "w32_256x192", "coco-aic-mmpose1",
        f"{HRNET1}w32_8xb64-210e_coco-aic-256x192-merge-a9ea6d77_20230818.pth", "AP 0.756", "COCO and AIC",
    ),
    official("w48_256x192", "coco", "pose_hrnet_w48_256x192.pth", "AP 0.751"),
    mmpose("w48_256x192", "coco-mmpose0", f"{HRNET0}w48_coco_256x192-b9e0b3ab_20200708.pth", "AP 0.756"),
    mmpose("w48_256x192", "coco-mmpose1", f"{HRNET1}w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth", "AP 0.756"),
    official("w32_384x288", "coco", "pose_hrnet_w32_384x288.pth", "AP 0.758"),
    mmpose("w32_384x288", "coco-mmpose0", f"{HRNET0}w32_coco_384x288-d9f0d786_20200708.pth", "AP 0.760"),
    mmpose("w32_384x288", "coco-mmpose1", f"{HRNET1}w32_8xb64-210e_coco-384x288-ca5956af_20220909.pth", "AP 0.761"),
    official("w48_384x288", "coco", "pose_hrnet_w48_384x288.pth", "AP 0.763"),
    mmpose("w48_384x288", "coco-mmpose0", f"{HRNET0}w48_coco_384x288-314c8528_20200708.pth", "AP 0.767"),
    mmpose("w48_384x288", "coco-mmpose1", f"{HRNET1}w48_8xb32-210e_coco-384x288-c161b7de_20220915.pth", "AP 0.767"),
    official("mpii_w32_256x256", "mpii", "pose_hrnet_w32_256x256.pth", "PCKh@0.5 90.3", "MPII"),
    mmpose(
        "mpii_w32_256x256", "mpii-mmpose0", f"{HRNET0}w32_mpii_256x256-6c4f923f_20200812.pth", "PCKh@0.5 90.0", "MPII"
    ),
    official("mpii_w48_256x256", "mpii", "pose_hrnet_w48_256x256.pth", "-", "MPII"),
    mmpose(
        "mpii_w48_256x256", "mpii-mmpose0", f"{HRNET0}w48_mpii_256x256-92cab7bd_20200812.pth", "PCKh@0.5 90.1", "MPII"
    ),
    mmpose(
        "crowdpose_w32_256x192", "crowdpose-mmpose0",
        f"{HRNET0}w32_crowdpose_256x192-960be101_20201227.pth", "AP 0.675", "CrowdPose",
    ),
    mmpose("aic_w32_256x192", "aic-mmpose0", f"{HRNET0}w32_aic_256x192-30a4e465_20200826.pth", "AP 0.323", "AIC"),
    Entry(
        "pose_bottomup/higher_w32_512", "coco", "pose_higher_hrnet_w32_512.pth", "AP 67.1", "COCO", BOTTOMUP_PAGE
    ),
    mmpose(
        "pose_bottomup/higher_w32_512", "coco-mmpose0",
        "bottom_up/higher_hrnet32_coco_512x512-8ae85183_20200713.pth", "AP 0.677",
    ),
    mmpose(
        "pose_bottomup/higher_w32_640", "coco-mmpose0",
        "bottom_up/higher_hrnet32_coco_640x640-a22fe938_20200712.pth", "AP 0.686",
    ),
    mmpose(
        "pose_bottomup/higher_w48_512", "coco-mmpose0",
        "bottom_up/higher_hrnet48_coco_512x512-60fedcbc_20200712.pth", "AP 0.686",
    ),
    mmpose(
        "pose_bottomup/crowdpose_w32_512", "crowdpose-mmpose0",
        "bottom_up/higher_hrnet32_crowdpose_512x512-1aa4a132_20201017.pth", "AP 0.655", "CrowdPose",
    ),
    trunk("w32", "hrnet_w32-36af842e.pth"),
    trunk("w48", "hrnet_w48-8ef0771d.pth"),
    classifier("w18_small_v1", "hrnet_w18_small_model_v1.pth", 27.7),
    classifier("w18_small_v2", "hrnet_w18_small_model_v2.pth", 24.9),
    classifier("w18", "hrnetv2_w18_imagenet_pretrained.pth", 23.2),
    classifier("w18", "HRNet_W18_C_cosinelr_cutmix_300epoch.pth.tar", 22.1, "imagenet-cutmix"),
    classifier("w18", "HRNet_W18_C_ssld_pretrained.pth", 18.8, "imagenet-ssld"),
    classifier("w30", "hrnetv2_w30_imagenet_pretrained.pth", 21.8),
    classifier("w32", "hrnetv2_w32_imagenet_pretrained.pth", 21.5),
    classifier("w40", "hrnetv2_w40_imagenet_pretrained.pth", 21.1),
    classifier("w44", "hrnetv2_w44_imagenet_pretrained.pth", 21.1),
    classifier("w48", "hrnetv2_w48_imagenet_pretrained.pth", 20.7),
    classifier("w48", "HRNet_W48_C_cosinelr_cutmix_300epoch.pth.tar", 18.9, "imagenet-cutmix"),
    classifier("w48", "HRNet_W48_C_ssld_pretrained.pth", 16.4, "imagenet-ssld"),
    classifier("w64", "hrnetv2_w64_imagenet_pretrained.pth", 20.5),
    segmenter("w48", "cityscapes", "hrnet_cs_8090_torch11.pth", 80.9, "Cityscapes"),
    mmseg("w48", "fcn_hr48_512x1024_160k_cityscapes", "20200602_190946-59b7973e", 80.65),
    mmseg("w18", "fcn_hr18_512x1024_160k_cityscapes", "20200602_190822-221e4a4f", 78.80),
    mmseg("w18_small_v2", "fcn_hr18s_512x1024_160k_cityscapes", "20200602_190901-4a0797ea", 76.31),
    segmenter("w48_ocr", "cityscapes", "hrnet_ocr_cs_8162_torch11.pth", 81.6, "Cityscapes"),
    segmenter("w48_ocr", "cityscapes-trainval", "hrnet_ocr_cs_trainval_8227_torch11.pth", 82.3, "Cityscapes"),
    segmenter("w48_pascal_context", "pascal-context", "hrnet_pascal_ctx_5410_torch11.pth", 54.1, "PASCAL-Context"),
    segmenter(
        "w48_ocr_pascal_context", "pascal-context", "hrnet_ocr_pascal_ctx_5618_torch11.pth", 56.2, "PASCAL-Context"
    ),
    segmenter("w48_lip", "lip", "hrnet_lip_5583_torch04.pth", 55.83, "LIP"),
    segmenter("w48_ocr_lip", "lip", "hrnet_ocr_lip_5648_torch04.pth", 56.48, "LIP"),
)  # fmt: skip


def entry(name: str) -> Entry:
    """The entry of a name; `w32_256x192@coco` will do where one task has that recipe.

    Raises `UsageError` for a name that does not exist, with the nearest one.
    """
    matches = [each for each in ZOO if name in (each.name, each.name.split("/")[1])]
    if len(matches) != 1:
        names = [each.name if "/" in name else each.name.split("/")[1] for each in ZOO]
        alike = [each for each in names if each.startswith(name.split("@")[0] + "@")] or names
        raise UsageError(f"there are no published weights {name!r}: {nearest(name, alike)}")
    return matches[0]


def by_hand(wanted: Entry) -> HRNetError:
    """What to do about a file that lies on a share drive alone, and which can be downloaded instead."""
    others = [each.name for each in ZOO if each.recipe == wanted.recipe and each.source]
    instead = f", or use {others[0]}, which can be downloaded" if others else ""
    return HRNetError(
        f"{wanted.name} lies on a share drive alone: fetch {wanted.file} by the links on {wanted.page} and run "
        f"'hrnet models --add {wanted.file}'{instead}"
    )
