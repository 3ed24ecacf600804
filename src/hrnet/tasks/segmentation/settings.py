"""What a segmentation recipe consists of; the values stand in `recipes.py`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from hrnet.datasets.classes import CLASS_LISTS, MOST_CLASSES, ClassList, own_classes
from hrnet.errors import nearest
from hrnet.nets.spec import BackboneSpec
from hrnet.settings import Free, Model, Recipe, Scale, Settings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from hrnet.datasets.label_maps import LabelledPicture, LabelMapData
    from hrnet.engines.engine import Engine
    from hrnet.results.agreement import Agreement
    from hrnet.tasks.segmentation.inference import SegmentationInference
    from hrnet.tasks.segmentation.samples import SegmentationSamples

Side = Annotated[int, Field(ge=4)]  # pixels: at stride 4, one cell


class SegmentationModel(Model):
    """Backbone and head.

    The exchange units enlarge bilinearly to the exact size of the finer stream, so that any picture size is possible;
    classification enlarges by repeating cells, which needs sides that divide by 32, and its weights fit both.
    """

    backbone: BackboneSpec = BackboneSpec(width=48, upsample="bilinear", momentum=0.01)
    head: Literal["v1", "v1h", "v2", "ocr"] = Field(
        default="v2", description="what scores are made of: the finest stream, the same widened, all streams, OCR"
    )
    classes: str | tuple[str, ...] = Field(
        default="cityscapes", description=f"{', '.join(CLASS_LISTS)}, or the names of your own classes"
    )
    input_size: tuple[Side, Side] = Field(default=(2048, 1024), description="width and height at which cost is counted")

    @field_validator("classes")
    @classmethod
    def known_or_named(cls, classes: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """A known list's name, or names that differ."""
        if isinstance(classes, str):
            if classes not in CLASS_LISTS:
                raise ValueError(f"there is no class list {classes!r}: {nearest(classes, CLASS_LISTS)}")
        elif not 0 < len(set(classes)) == len(classes) <= MOST_CLASSES:
            raise ValueError(f"expected 1 to {MOST_CLASSES} names that differ")
        return classes

    def build(self) -> "nn.Module":
        """The network with starting weights; its `forward` is given in `network.py`."""
        from hrnet.tasks.segmentation.network import build

        return build(self)

    @property
    def class_list(self) -> ClassList:
        """The classes themselves."""
        return CLASS_LISTS[self.classes] if isinstance(self.classes, str) else own_classes(self.classes)

    @property
    def aligned(self) -> bool:
        """align_corners of every bilinear enlargement: exchange units, head and scores have one value."""
        return self.backbone.upsample == "bilinear_aligned"


class Augmentation(Settings):
    """What happens to a sample in training, in this order; the defaults are the published Cityscapes recipe's."""

    stretch: bool = Field(
        default=False, description="LIP: mirror first, then resize to `crop` whatever the proportions"
    )
    short_side: int = Field(default=0, ge=0, description="first resize the shorter side to this; 0 leaves it")
    long_side: int = Field(default=2048, gt=0, description="the longer side at scale 1")
    scale_steps: int = Field(
        default=16, ge=0, description="scale is 0.5 + k/10 with k from 0 to this, so 16 goes up to 2.1"
    )
    crop: tuple[Side, Side] = Field(default=(1024, 512), description="width and height of a piece")
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of mirroring")
    colour: float = Field(
        default=0.0, ge=0, lt=1, description="brightness, contrast and each channel vary by up to this share"
    )


class LossSettings(Settings):
    """How scores and labels are compared."""

    kind: Literal["cross_entropy", "ohem"] = Field(
        default="cross_entropy", description="over all pixels, or only over hard ones (of the final scores)"
    )
    class_weights: bool = Field(default=False, description="weigh pixels by the class list's published weights")
    ohem_threshold: float = Field(default=0.9, gt=0, le=1, description="pixels whose true class gets less are hard")
    ohem_keep: int = Field(default=131072, gt=0, description="at least this many pixels of a batch are hard")
    region_weight: float = Field(default=0.4, ge=0, description="ocr: weight of the soft object regions' loss")


class Testing(Settings):
    """How pictures are predicted and scored; the defaults are Cityscapes' single scale."""

    resize: Literal["none", "short_side", "stretch"] = Field(
        default="none", description="picture as it is, its shorter side to `side`, or to `window` whatever proportions"
    )
    side: int = Field(default=520, gt=0, description="shorter side for resize=short_side, padded to multiples of 8")
    windows: Literal["whole", "tiled", "sliding"] = Field(
        default="whole",
        description="one look at all; Cityscapes' rule: windows without overlap above scale 1; the other sets' rule: "
        "windows that overlap by a third",
    )
    window: tuple[Side, Side] = Field(default=(2048, 1024), description="width and height of a window")
    base: int = Field(default=2048, ge=0, description="the longer side at scale 1; 0 is the picture's own")
    scales: tuple[Scale, ...] = Field(default=(1.0,), min_length=1, description="scales whose answers are added up")
    flip: bool = Field(default=False, description="average with the mirrored input")
    batch_size: int = Field(default=1, gt=0, description="pictures of one size per batch")
    tile: int = Field(
        default=2048,
        ge=256,
        description="pictures of more pixels than this squared are read in tiles, or at most at `base`",
    )


class SegmentationRecipe(Recipe):
    """Semantic segmentation: a class for every pixel."""

    results: ClassVar[str] = "label_maps"
    free: ClassVar[tuple[Free, ...]] = ("batch", "size", "fractions")  # resampled pictures are not rounded

    model: SegmentationModel = SegmentationModel()
    augmentation: Augmentation = Augmentation()
    loss: LossSettings = LossSettings()
    testing: Testing = Testing()

    def read(self, data: str | Path, split: str = "val", images: Sequence[Path] = ()) -> "LabelMapData":
        from hrnet.datasets.label_folders import open_label_maps

        return open_label_maps(data, split, self.model.class_list)

    def samples(self, sets: "Sequence[LabelMapData]") -> "SegmentationSamples":
        from hrnet.tasks.segmentation.samples import SegmentationSamples

        return SegmentationSamples(self, sets)

    def criterion(self) -> "Callable[..., Tensor]":
        from hrnet.tasks.segmentation.loss import SegmentationLoss

        return SegmentationLoss(self)

    def inference(self, engine: "Engine") -> "SegmentationInference":
        from hrnet.tasks.segmentation.inference import SegmentationInference

        return SegmentationInference(self, engine)

    def agreement(self, found: Sequence[Any], reference: Sequence[Any], precision: str) -> "Agreement":
        from hrnet.tasks.segmentation.agreement import agreement

        return agreement(found, reference, precision)

    @property
    def fits_into_a_graph(self) -> bool:
        """One look at the whole picture does; several scales, windows or mirrored looks do not."""
        testing = self.testing
        several = testing.flip or len(testing.scales) > 1 or testing.windows == "sliding"
        return not several and testing.resize != "short_side"

    def decoding(self, network: "nn.Module") -> "nn.Module | None":
        if not self.fits_into_a_graph:
            return None
        from hrnet.tasks.segmentation.decoding import Decoding

        return Decoding(network, self)

    def evaluate(self, inference: "SegmentationInference", data: "LabelMapData") -> dict[str, Any]:
        from hrnet.tasks.segmentation.scoring import evaluate

        return evaluate(inference, data)

    def shown(self, record: "LabelledPicture") -> "tuple[np.ndarray, None]":
        return record.read(), None

    def draw(self, image: "np.ndarray", results: Sequence[Any], min_score: float) -> "np.ndarray":
        from hrnet.results.label_map import overlaid

        return overlaid(image, results[0])
