"""What a top-down pose recipe consists of; the values stand in `recipes.py`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from hrnet.datasets.skeleton import Skeleton
from hrnet.datasets.skeleton_files import SkeletonChoice, skeleton_named
from hrnet.geometry import Convention
from hrnet.nets.spec import BackboneSpec
from hrnet.settings import Model, Recipe, Settings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from hrnet.datasets.records import PoseData, Record
    from hrnet.engines.engine import Engine
    from hrnet.results.agreement import Agreement
    from hrnet.tasks.pose_topdown.inference import TopDownInference
    from hrnet.tasks.pose_topdown.network import PoseHighResolutionNet
    from hrnet.tasks.pose_topdown.samples import PoseSamples


class PoseModel(Model):
    """Backbone and head."""

    backbone: BackboneSpec = BackboneSpec()
    skeleton: SkeletonChoice = Field(
        default="coco", description="keypoints that the head puts out: a known name, a YAML file, or one in full"
    )
    input_size: tuple[int, int] = Field(
        default=(192, 256), description="width and height of the input; divisible by 32"
    )
    stream: int = Field(default=0, ge=0, le=3, description="stream that carries the head: maps at stride 4 * 2**stream")

    @field_validator("input_size")
    @classmethod
    def divisible(cls, size: tuple[int, int]) -> tuple[int, int]:
        """Four streams need sides that can be halved five times."""
        if any(side <= 0 or side % 32 for side in size):
            raise ValueError("both sides must be positive multiples of 32")
        return size

    def build(self) -> "PoseHighResolutionNet":
        """The network with starting weights, as a torch module; its `forward` is given in `network.py`."""
        from hrnet.tasks.pose_topdown.network import PoseHighResolutionNet

        return PoseHighResolutionNet(self)

    @property
    def keypoints(self) -> Skeleton:
        """The skeleton itself."""
        return skeleton_named(self.skeleton)


class Framing(Settings):
    """How a person's box becomes the window that the network sees."""

    padding: float = Field(default=1.25, gt=0, description="the box's sides are multiplied by this")
    convention: Convention = Field(default="published", description="see hrnet.geometry.Frame.around")


class Augmentation(Settings):
    """What happens to a sample in training, in this order; the defaults are the published COCO recipe's."""

    cut_off: float = Field(default=0.0, ge=0, le=1, description="probability that the picture ends within the person")
    half_body: float = Field(default=0.3, ge=0, le=1, description="probability of framing upper or lower body alone")
    half_body_above: int = Field(
        default=8, ge=0, description="half body only for people with more labelled joints than this"
    )
    scale: float = Field(
        default=0.35, ge=0, lt=1, description="window size is multiplied by 1 + N(0, scale), clipped at 1 +- scale"
    )
    rotation: float = Field(default=45.0, ge=0, description="degrees: N(0, rotation), clipped at twice that")
    rotation_probability: float = Field(default=0.6, ge=0, le=1)
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of mirroring")
    shift: float = Field(
        default=0.0, ge=0, description="window centre moves by up to this share of its width and height"
    )
    colour: float = Field(
        default=0.0, ge=0, lt=1, description="brightness, contrast and each channel vary by up to this share"
    )
    blur: float = Field(
        default=0.0, ge=0, le=1, description="probability of losing up to three quarters of the resolution"
    )


class CodecSettings(Settings):
    """How truth becomes maps, and maps become keypoints."""

    kind: Literal["gaussian", "distribution"] = Field(
        default="gaussian", description="published Gaussian maps with arg-max decoding, or a distribution over cells"
    )
    sigma: float = Field(default=2.0, gt=0, description="standard deviation of the target in cells")
    quarter_shift: bool = Field(default=True, description="gaussian: move a quarter cell towards the higher neighbour")
    absent_weight: float = Field(
        default=0.0, ge=0, description="distribution: weight of teaching a flat map for joints known to lie outside"
    )


class LossSettings(Settings):
    """How maps and target maps are compared; the codec's kind decides between squares and cross-entropy."""

    hardest: int = Field(
        default=0, ge=0, description="gaussian: only the k hardest joints of each person count; 0 is all"
    )
    pseudo_weight: float = Field(default=1.0, ge=0, description="weight of joints labelled by a machine")


class Testing(Settings):
    """How pictures are predicted and scored."""

    flip: bool = Field(default=True, description="average with the mirrored input")
    shift_heatmap: bool = Field(
        default=True,
        description="published framing: move the mirrored maps by one cell (unbiased framing needs no shift)",
    )
    search: bool = Field(
        default=False, description="where no box is given, look for the person first; else the whole picture is the box"
    )
    score_threshold: float = Field(default=0.2, ge=0, description="joints above it make up a person's score")
    box_threshold: float = Field(default=0.0, ge=0, description="a detector's boxes scored below are passed over")
    nms: Literal["oks", "soft_oks", "none"] = Field(
        default="oks", description="evaluation: how poses that show the same person are suppressed"
    )
    nms_threshold: float = Field(default=0.9, gt=0, description="oks: similarity that is too much; soft_oks: its width")
    batch_size: int = Field(default=32, gt=0, description="crops per batch")


class PoseRecipe(Recipe):
    """Top-down pose: one person per crop, one map per keypoint."""

    model: PoseModel = PoseModel()
    framing: Framing = Framing()
    augmentation: Augmentation = Augmentation()
    codec: CodecSettings = CodecSettings()
    loss: LossSettings = LossSettings()
    testing: Testing = Testing()
    without: tuple[str, ...] = Field(default=(), description="pictures never trained on, by file name less its ending")

    def read(self, data: str | Path, split: str = "val", images: Sequence[Path] = ()) -> "PoseData":
        from hrnet.datasets.opening import open_data

        return open_data(data, split, images, self.model.keypoints)

    def samples(self, sets: "Sequence[PoseData]") -> "PoseSamples":
        from hrnet.tasks.pose_topdown.samples import PoseSamples

        return PoseSamples(self, sets)

    def criterion(self) -> "Callable[..., Tensor]":
        from hrnet.tasks.pose_topdown.loss import loss_of

        return loss_of(self)

    def inference(self, engine: "Engine") -> "TopDownInference":
        from hrnet.tasks.pose_topdown.inference import TopDownInference

        return TopDownInference(self, engine)

    def agreement(self, found: Sequence[Any], reference: Sequence[Any], precision: str) -> "Agreement | None":
        from hrnet.tasks.pose_topdown.agreement import agreement

        return agreement(self, found, reference, precision)

    def decoding(self, network: "nn.Module") -> "nn.Module":
        from hrnet.tasks.pose_topdown.decoding import Decoding

        return Decoding(network, self)

    def evaluate(self, inference: "TopDownInference", data: "PoseData") -> dict[str, Any]:
        from hrnet.tasks.pose_topdown.scoring import evaluate

        data.demand_shared(self.model.keypoints)
        return evaluate(inference, data)

    def shown(self, record: "Record") -> "tuple[np.ndarray, np.ndarray | None]":
        return record.read(), record.boxes

    def draw(self, image: "np.ndarray", results: Sequence[Any], min_score: float) -> "np.ndarray":
        from hrnet.results.drawing import draw_poses

        return draw_poses(image, results, min_score=min_score)
