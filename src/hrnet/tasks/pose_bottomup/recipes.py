"""Every named setting of bottom-up pose; scores are those of HigherHRNet (CVPR 2020), tables 1 to 6."""

from hrnet.nets.spec import SMALL_V1
from hrnet.settings import Optim, Published, Training
from hrnet.tasks.pose_bottomup.settings import (
    Augmentation,
    BottomUpModel,
    BottomUpRecipe,
    CodecSettings,
    LossSettings,
    Refining,
    Testing,
)

COCO_AP = "AP, COCO val2017, flip test, one scale"
PAPER = "HigherHRNet, CVPR 2020, table"


def ap(score: float, table: str, metric: str = COCO_AP) -> Published:
    """A published score on COCO val2017."""
    return Published(score=score, metric=metric, source=f"{PAPER} {table}")


higher_w32_512 = BottomUpRecipe(
    name="pose_bottomup/higher_w32_512",
    optim=Optim(milestones=(200, 260)),
    training=Training(epochs=300, batch_size=12),
    published=ap(67.1, "3"),
)
higher_w32_640 = higher_w32_512.but(
    name="pose_bottomup/higher_w32_640", model__input_size=(640, 640), published=ap(68.5, "6")
)
higher_w32_768 = higher_w32_512.but(
    name="pose_bottomup/higher_w32_768", model__input_size=(768, 768), published=ap(68.5, "6")
)
higher_w40_640 = higher_w32_640.but(
    name="pose_bottomup/higher_w40_640",
    model__backbone__width=40,
    training__batch_size=10,
    published=ap(69.2, "7"),
)
higher_w48_640 = higher_w40_640.but(
    name="pose_bottomup/higher_w48_640", model__backbone__width=48, published=ap(69.9, "7")
)
higher_w48_512 = higher_w48_640.but(name="pose_bottomup/higher_w48_512", model__input_size=(512, 512), published=None)

# Rows (a) to (d) of the ablation; (e) is higher_w32_512.
ae_w32_512 = higher_w32_512.but(
    name="pose_bottomup/ae_w32_512", model__deconvolutions=0, published=ap(64.4, "5, row a")
)
ae_w48_640 = ae_w32_512.but(
    name="pose_bottomup/ae_w48_640",
    model__backbone__width=48,
    model__input_size=(640, 640),
    training__batch_size=10,
    published=None,
)
ablation_b = higher_w32_512.but(
    name="pose_bottomup/ablation_b",
    model__concatenate=False,
    model__residual_blocks=0,
    testing__heatmap_maps=(1,),
    published=ap(66.0, "5, row b"),
)
ablation_c = ablation_b.but(name="pose_bottomup/ablation_c", model__concatenate=True, published=ap(66.3, "5, row c"))
ablation_d = ablation_c.but(name="pose_bottomup/ablation_d", testing__heatmap_maps=None, published=ap(66.9, "5, row d"))
two_deconvolutions = higher_w32_512.but(
    name="pose_bottomup/higher_w32_512_stride1", model__deconvolutions=2, published=ap(66.5, "4")
)

crowdpose_w32_512 = higher_w32_512.but(
    name="pose_bottomup/crowdpose_w32_512", model__skeleton="crowdpose", published=None
)
crowdpose_w48_640 = higher_w48_640.but(
    name="pose_bottomup/crowdpose_w48_640",
    model__skeleton="crowdpose",
    published=ap(65.9, "8", "AP, CrowdPose test, flip test, one scale"),
)

small_512 = BottomUpRecipe(
    name="pose_bottomup/small_512",
    model=BottomUpModel(backbone=SMALL_V1.but(width=28, init="kaiming"), input_size=(256, 256), residual_blocks=1),
    augmentation=Augmentation(
        scale=(0.5, 1.8), mosaics=12000, paste=0.4, colour=0.25, blur=0.15, size=(0.2, 1.2), overlap=0.4, inside=0.4
    ),
    codec=CodecSettings(unlabelled="unknown"),
    loss=LossSettings(foreground=4.0, push=1e-2, pull=1e-2),
    optim=Optim(name="adamw", lr=1e-3, weight_decay=0.02, schedule="cosine", warmup=0.03),
    training=Training(epochs=5, batch_size=16, precision="bf16", ema_decay=0.999),
    testing=Testing(
        input_size=320,
        grouping="near",
        detection_threshold=0.2,
        score_threshold=0.32,
        fewest_joints=3,
        nms_threshold=0.3,
    ),
    refining=Refining(candidate_threshold=0.2, scales=(1.0, 0.6), search=True, score_threshold=0.44),
    # Photographs of the demo, so that it shows what the network makes of unseen people.
    without=("000000000785", "000000000790", "000000129648", "000000214753", "000000252219"),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        ae_w32_512,
        ae_w48_640,
        higher_w32_512,
        higher_w32_640,
        higher_w32_768,
        higher_w40_640,
        higher_w48_640,
        higher_w48_512,
        ablation_b,
        ablation_c,
        ablation_d,
        two_deconvolutions,
        crowdpose_w32_512,
        crowdpose_w48_640,
        small_512,
    )
}
