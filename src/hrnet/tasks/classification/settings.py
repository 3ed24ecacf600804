"""What a classification recipe consists of; the values stand in `recipes.py`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from hrnet.nets.spec import BackboneSpec
from hrnet.settings import Model, Recipe, Settings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from hrnet.datasets.image_folder import ClassifiedPicture, ImageFolderData
    from hrnet.engines.engine import Engine
    from hrnet.tasks.classification.inference import ClassificationInference
    from hrnet.tasks.classification.samples import ClassificationSamples


class ClassificationModel(Model):
    """Backbone and head. The exchange units enlarge by repeating cells, as when the published weights were trained."""

    backbone: BackboneSpec = BackboneSpec(width=18, outputs=4, init="kaiming")
    head: Literal["published", "ci", "cii"] = Field(
        default="published", description="how streams are joined: HRNet-C, or the heads Ci and Cii of TPAMI table 16"
    )
    classes: int | tuple[str, ...] = Field(default=1000, description="how many classes, or their names")
    input_size: tuple[int, int] = Field(default=(224, 224), description="width and height of the input")

    @field_validator("input_size")
    @classmethod
    def large_enough(cls, size: tuple[int, int]) -> tuple[int, int]:
        """The coarsest stream needs a cell."""
        if min(size) < 32:
            raise ValueError("both sides must be at least 32 pixels")
        return size

    @field_validator("classes")
    @classmethod
    def at_least_two(cls, classes: int | tuple[str, ...]) -> int | tuple[str, ...]:
        """Two classes or more, with names that differ."""
        count = classes if isinstance(classes, int) else len(set(classes))
        if count < 2 or (not isinstance(classes, int) and count != len(classes)):
            raise ValueError("expected at least two classes, with names that differ")
        return classes

    def build(self) -> "nn.Module":
        """The network with starting weights; its `forward` is given in `network.py`."""
        from hrnet.tasks.classification.network import build

        return build(self)

    @property
    def class_count(self) -> int:
        """How many classes there are."""
        return self.classes if isinstance(self.classes, int) else len(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; their numbers where no names are known."""
        return tuple(str(k) for k in range(self.classes)) if isinstance(self.classes, int) else self.classes


class Augmentation(Settings):
    """What happens to a sample in training; the defaults are the published ImageNet recipe's."""

    area: tuple[float, float] = Field(default=(0.08, 1.0), description="share of the picture that is cut out")
    proportion: tuple[float, float] = Field(default=(3 / 4, 4 / 3), description="width over height of the piece")
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of mirroring")
    colour: float = Field(
        default=0.0, ge=0, lt=1, description="brightness, contrast and each channel vary by up to this share"
    )


class LossSettings(Settings):
    """How scores and classes are compared."""

    smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of the target spread over all classes")


class Testing(Settings):
    """How pictures are predicted: the shorter side to input / crop, then the centre."""

    crop: float = Field(default=0.875, gt=0, le=1, description="the centre's share of the shorter side")
    flip: bool = Field(default=False, description="average with the mirrored input")
    top: int = Field(default=5, gt=0, description="classes that a result lists")
    batch_size: int = Field(default=32, gt=0, description="pictures per batch")


class ClassificationRecipe(Recipe):
    """Classification: one class for a picture."""

    results: ClassVar[str] = "classes"

    model: ClassificationModel = ClassificationModel()
    augmentation: Augmentation = Augmentation()
    loss: LossSettings = LossSettings()
    testing: Testing = Testing()

    def read(self, data: str | Path, split: str = "val", images: Sequence[Path] = ()) -> "ImageFolderData":
        from hrnet.datasets.image_folder import open_image_folder

        return open_image_folder(data, split, self.model.classes)

    def samples(self, sets: "Sequence[ImageFolderData]") -> "ClassificationSamples":
        from hrnet.tasks.classification.samples import ClassificationSamples

        return ClassificationSamples(self, sets)

    def criterion(self) -> "Callable[..., Tensor]":
        from hrnet.tasks.classification.loss import loss_of

        return loss_of(self)

    def inference(self, engine: "Engine") -> "ClassificationInference":
        from hrnet.tasks.classification.inference import ClassificationInference

        return ClassificationInference(self, engine)

    def evaluate(self, inference: "ClassificationInference", data: "ImageFolderData") -> dict[str, Any]:
        from hrnet.tasks.classification.scoring import evaluate

        return evaluate(inference, data)

    def shown(self, record: "ClassifiedPicture") -> "tuple[np.ndarray, None]":
        return record.read(), None

    def draw(self, image: "np.ndarray", results: Sequence[Any], min_score: float) -> "np.ndarray":
        from hrnet.results.classification import labelled

        return labelled(image, results[0])
