"""Every named setting of top-down pose; scores are those of spec tables: CVPR 2019 tables 1 and 2, and their code."""

from hrnet.nets.spec import SMALL_V1
from hrnet.settings import Optim, Published, Training
from hrnet.tasks.pose_topdown.settings import (
    Augmentation,
    CodecSettings,
    Framing,
    LossSettings,
    PoseModel,
    PoseRecipe,
    Testing,
)

COCO_AP = "AP, COCO val2017, person boxes of 56.4 AP, flip test"
CODE = "published code's README"


def ap(score: float) -> Published:
    """A published score on COCO val2017."""
    return Published(score=score, metric=COCO_AP, source=CODE)


w32_256x192 = PoseRecipe(name="pose_topdown/w32_256x192", published=ap(74.4))
w48_256x192 = w32_256x192.but(name="pose_topdown/w48_256x192", model__backbone__width=48, published=ap(75.1))
w32_384x288 = w32_256x192.but(
    name="pose_topdown/w32_384x288", model__input_size=(288, 384), codec__sigma=3, published=ap(75.8)
)
w48_384x288 = w32_384x288.but(
    name="pose_topdown/w48_384x288", model__backbone__width=48, training__batch_size=24, published=ap(76.3)
)

mpii_w32_256x256 = w32_256x192.but(
    name="pose_topdown/mpii_w32_256x256",
    model__skeleton="mpii",
    model__input_size=(256, 256),
    augmentation=Augmentation(half_body=0, scale=0.25, rotation=30),
    published=Published(score=90.3, metric="PCKh@0.5, MPII val, flip test", source=CODE),
)
mpii_w48_256x256 = mpii_w32_256x256.but(name="pose_topdown/mpii_w48_256x256", model__backbone__width=48, published=None)
# The same network for other data sets' joints, as mmpose trained it.
crowdpose_w32_256x192 = w32_256x192.but(
    name="pose_topdown/crowdpose_w32_256x192", model__skeleton="crowdpose", published=None
)
aic_w32_256x192 = w32_256x192.but(name="pose_topdown/aic_w32_256x192", model__skeleton="aic", published=None)

small_256x192 = PoseRecipe(
    name="pose_topdown/small_256x192",
    model=PoseModel(backbone=SMALL_V1.but(width=28, init="kaiming")),
    framing=Framing(padding=1.2, convention="unbiased"),
    augmentation=Augmentation(
        cut_off=0.35, half_body=0.2, rotation_probability=0.7, shift=0.08, colour=0.25, blur=0.15
    ),
    codec=CodecSettings(kind="distribution", sigma=1.5, absent_weight=0.2),
    loss=LossSettings(pseudo_weight=0.5),
    optim=Optim(name="adamw", lr=2e-3, weight_decay=0.02, schedule="cosine", warmup=0.03),
    training=Training(epochs=60, batch_size=64, precision="bf16", ema_decay=0.999),
    testing=Testing(search=True),
    # Photographs of the demo, so that it shows what the network makes of unseen people.
    without=("000000000785", "000000000790", "000000129648", "000000214753", "000000252219"),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        w32_256x192,
        w48_256x192,
        w32_384x288,
        w48_384x288,
        mpii_w32_256x256,
        mpii_w48_256x256,
        crowdpose_w32_256x192,
        aic_w32_256x192,
        small_256x192,
    )
}
