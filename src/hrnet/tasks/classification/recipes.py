"""Every named setting of classification: the nine published networks, and those of TPAMI tables 15 and 16.

Scores are top-1 accuracies on ImageNet val, single crop, from the published README and the tables.
"""

from hrnet.nets.spec import SMALL_V1, SMALL_V2
from hrnet.settings import Optim, Published, Training
from hrnet.tasks.classification.settings import Augmentation, ClassificationModel, ClassificationRecipe, Testing

README, TABLE_15, TABLE_16 = "published code's README", "TPAMI table 15", "TPAMI table 16"


def top1(error: float, source: str = README) -> Published:
    """A published top-1 error as accuracy in percent."""
    return Published(score=round(100 - error, 1), metric="top-1, ImageNet val, single crop", source=source)


# Rate and batch are the paper's 0.1 at 256, scaled down to the 4 x 32 of the published code.
w18 = ClassificationRecipe(
    name="classification/w18",
    optim=Optim(name="sgd", lr=0.05, nesterov=True, weight_decay=1e-4, schedule="steps", milestones=(30, 60, 90)),
    training=Training(epochs=100, batch_size=128),
    published=top1(23.2),
)


def wide(name: str, width: int, error: float, source: str = README, **changes: object) -> ClassificationRecipe:
    """The same at another width."""
    return w18.but(
        name=f"classification/{name}", model__backbone__width=width, published=top1(error, source), **changes
    )


w18_small_v1 = w18.but(
    name="classification/w18_small_v1",
    model__backbone=SMALL_V1.but(outputs=4, init="kaiming"),
    published=top1(27.7),
)
w18_small_v2 = w18.but(
    name="classification/w18_small_v2",
    model__backbone=SMALL_V2.but(outputs=4, init="kaiming"),
    published=top1(24.9),
)

# A classifier for two classes learnt from a few hundred pictures, to show that training works.
small = ClassificationRecipe(
    name="classification/small",
    model=ClassificationModel(
        backbone=SMALL_V1.but(outputs=4, init="kaiming"), classes=("ants", "bees"), input_size=(128, 128)
    ),
    augmentation=Augmentation(area=(0.25, 1.0), colour=0.3),
    optim=Optim(name="adamw", lr=1e-3, weight_decay=0.05, schedule="cosine", warmup=0.05),
    training=Training(epochs=100, batch_size=32, precision="bf16", ema_decay=0.99, validate_every=5, workers=2),
    testing=Testing(flip=True),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        w18_small_v1,
        w18_small_v2,
        w18,
        wide("w30", 30, 21.8),
        wide("w32", 32, 21.5),
        wide("w40", 40, 21.1),
        wide("w44", 44, 21.1),
        wide("w48", 48, 20.7),
        wide("w64", 64, 20.5),
        wide("w44_bottleneck", 44, 23.0, TABLE_15, model__backbone__block="bottleneck"),
        wide("w76_bottleneck", 76, 21.5, TABLE_15, model__backbone__block="bottleneck"),
        wide("w96_bottleneck", 96, 21.0, TABLE_15, model__backbone__block="bottleneck"),
        wide("w27_ci", 27, 26.0, TABLE_16, model__head="ci"),
        wide("w36_ci", 36, 24.3, TABLE_16, model__head="ci"),
        wide("w45_ci", 45, 23.6, TABLE_16, model__head="ci"),
        wide("w25_cii", 25, 24.1, TABLE_16, model__head="cii"),
        wide("w34_cii", 34, 22.8, TABLE_16, model__head="cii"),
        wide("w43_cii", 43, 22.2, TABLE_16, model__head="cii"),
        small,
    )
}
