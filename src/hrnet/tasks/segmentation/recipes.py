"""Every named setting of segmentation. Scores are those of the papers' tables and the published repositories' READMEs:
Wang et al., TPAMI 2020 ("TPAMI"), tables 3 to 6.

The repositories differ, and each recipe follows the one that its weights come from. The branch pytorch-v1.1 trained
the plain networks: bilinear exchange units with align_corners=False (torch's default of the time) and batch-norm
momentum 0.01. The branch HRNet-OCR trained the others: align_corners=True and momentum 0.1. Both enlarge bilinearly to
the exact size, because their pictures do not divide by 32; the ImageNet weights that they start from repeated cells.
"""

from hrnet.nets.spec import SMALL_V1, SMALL_V2, BackboneSpec
from hrnet.settings import Optim, Published, Training
from hrnet.tasks.segmentation.settings import (
    Augmentation,
    LossSettings,
    SegmentationModel,
    SegmentationRecipe,
    Testing,
)

OCR_BACKBONE = BackboneSpec(width=48, upsample="bilinear_aligned", momentum=0.1)
SIX = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)


def miou(score: float, metric: str, source: str) -> Published:
    """A published mIoU in percent."""
    return Published(score=score, metric=metric, source=source)


CITYSCAPES = "mIoU, Cityscapes val, single scale"

w48 = SegmentationRecipe(
    name="segmentation/w48",
    loss=LossSettings(class_weights=True),
    optim=Optim(name="sgd", lr=0.01, weight_decay=5e-4, schedule="poly"),
    training=Training(epochs=484, batch_size=12),
    testing=Testing(windows="tiled"),
    published=miou(81.1, CITYSCAPES, "TPAMI table 3"),
)
w40 = w48.but(name="segmentation/w40", model__backbone__width=40, published=miou(80.2, CITYSCAPES, "TPAMI table 3"))
w18 = w48.but(name="segmentation/w18", model__backbone__width=18, published=None)
w18_small_v1 = w48.but(
    name="segmentation/w18_small_v1",
    model__backbone=SMALL_V1.but(upsample="bilinear", momentum=0.01),
    published=miou(70.3, CITYSCAPES, "pytorch-v1.1 README"),
)
w18_small_v2 = w48.but(
    name="segmentation/w18_small_v2",
    model__backbone=SMALL_V2.but(upsample="bilinear", momentum=0.01),
    published=miou(76.2, CITYSCAPES, "pytorch-v1.1 README"),
)
w48_ocr = w48.but(
    name="segmentation/w48_ocr",
    model__backbone=OCR_BACKBONE,
    model__head="ocr",
    published=miou(81.6, CITYSCAPES, "TPAMI table 3"),
)

w48_pascal_context = SegmentationRecipe(
    name="segmentation/w48_pascal_context",
    model=SegmentationModel(classes="pascal_context_59", input_size=(480, 480)),
    augmentation=Augmentation(long_side=520, crop=(480, 480)),
    optim=Optim(name="sgd", lr=0.004, weight_decay=1e-4, schedule="poly"),
    training=Training(epochs=200, batch_size=16),
    # The text of the paper says six scales; the README that gives the score lists seven.
    testing=Testing(windows="sliding", window=(480, 480), base=520, scales=(*SIX, 2.0), flip=True),
    published=miou(54.0, "mIoU, PASCAL-Context test, 59 classes, multi-scale, flip", "TPAMI table 5"),
)
w48_ocr_pascal_context = w48_pascal_context.but(
    name="segmentation/w48_ocr_pascal_context",
    model__backbone=OCR_BACKBONE,
    model__head="ocr",
    model__input_size=(520, 520),
    augmentation=Augmentation(short_side=520, long_side=520, crop=(520, 520)),
    optim=Optim(name="sgd", lr=0.001, weight_decay=1e-4, schedule="poly", head_names=("cls", "aux", "ocr"), head_lr=10),
    testing=Testing(
        resize="short_side", side=520, windows="sliding", window=(520, 520), base=520, scales=(*SIX, 2.0), flip=True
    ),
    published=miou(56.2, "mIoU, PASCAL-Context test, 59 classes, multi-scale, flip", "TPAMI table 5"),
)

LIP = "mIoU, LIP val, flip"
w48_lip = SegmentationRecipe(
    name="segmentation/w48_lip",
    model=SegmentationModel(classes="lip", input_size=(473, 473)),
    augmentation=Augmentation(stretch=True, long_side=473, scale_steps=11, crop=(473, 473)),
    optim=Optim(name="sgd", lr=0.007, weight_decay=5e-4, schedule="poly"),
    training=Training(epochs=150, batch_size=40),
    testing=Testing(resize="stretch", window=(473, 473), base=473, flip=True, batch_size=8),
    published=miou(55.9, LIP, "TPAMI table 6"),
)
w48_ocr_lip = w48_lip.but(
    name="segmentation/w48_ocr_lip",
    model__backbone=OCR_BACKBONE,
    model__head="ocr",
    published=miou(56.48, LIP, "TPAMI table 6"),
)

camvid_small = SegmentationRecipe(
    name="segmentation/camvid_small",
    model=SegmentationModel(
        backbone=SMALL_V1.but(width=22, upsample="bilinear", init="kaiming"), classes="camvid", input_size=(480, 360)
    ),
    augmentation=Augmentation(long_side=480, scale_steps=16, crop=(352, 288), colour=0.3),
    optim=Optim(name="adamw", lr=3e-3, weight_decay=0.05, schedule="cosine", warmup=0.05),
    training=Training(epochs=150, batch_size=16, precision="bf16", ema_decay=0.998, validate_every=10),
    testing=Testing(base=0, batch_size=8),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        w18_small_v1,
        w18_small_v2,
        w18,
        w40,
        w48,
        w48_ocr,
        w48_pascal_context,
        w48_ocr_pascal_context,
        w48_lip,
        w48_ocr_lip,
        camvid_small,
    )
}
