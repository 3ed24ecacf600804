"""What a bottom-up pose recipe consists of; the values stand in `recipes.py`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hrnet.datasets.skeleton import SKELETONS, Skeleton
from hrnet.errors import nearest
from hrnet.nets.spec import BackboneSpec
from hrnet.settings import Free, Model, Recipe, Scale, Settings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from hrnet.datasets.records import PoseData, Record
    from hrnet.engines.engine import Engine
    from hrnet.engines.inference import Inference
    from hrnet.results.agreement import Agreement
    from hrnet.results.pose import Pose
    from hrnet.tasks.pose_bottomup.inference import BottomUpInference
    from hrnet.tasks.pose_bottomup.network import PoseHigherResolutionNet
    from hrnet.tasks.pose_bottomup.samples import BottomUpSamples


class BottomUpModel(Model):
    """Backbone and heads (HigherHRNet, CVPR 2020, figure 2). Map k has stride `4 / 2**k`; the defaults are those of
    HigherHRNet, and no deconvolution gives the bottom-up HRNet."""

    backbone: BackboneSpec = BackboneSpec()
    skeleton: str = Field(default="coco", description="keypoints that the heads put out, by their skeleton's name")
    input_size: tuple[int, int] = Field(
        default=(512, 512), description="width and height of a training crop; divisible by 32"
    )
    deconvolutions: int = Field(default=1, ge=0, le=3, description="modules that double the resolution")
    deconvolution_kernel: Literal[2, 3, 4] = Field(default=4, description="kernel of the transposed convolutions")
    concatenate: bool = Field(default=True, description="modules see the maps before them beside the features")
    residual_blocks: int = Field(default=4, ge=0, description="basic blocks after each transposed convolution")
    head_kernel: Literal[1, 3] = Field(default=1, description="kernel of the convolutions that put out maps")
    tags: Literal["per_joint", "shared"] = Field(default="per_joint", description="tag maps for each joint, or one")
    centre: bool = Field(default=False, description="one more joint, the mean of a person's labelled ones")
    tag_maps: tuple[int, ...] = Field(default=(0,), description="maps that carry tags beside heatmaps, coarsest first")

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Refuse what cannot be built."""
        if self.skeleton not in SKELETONS:
            raise ValueError(f"there is no skeleton {self.skeleton!r}: {nearest(self.skeleton, SKELETONS)}")
        if any(side <= 0 or side % 32 for side in self.input_size):
            raise ValueError("both sides must be positive multiples of 32")
        if not self.tag_maps or not set(self.tag_maps) <= set(range(self.outputs)):
            raise ValueError(f"tag_maps names maps from 0 to {self.outputs - 1}, at least one")
        return self

    @property
    def joints(self) -> int:
        """How many heatmaps each map has: the keypoints, and the centre if asked for."""
        return len(self.keypoints) + self.centre

    @property
    def outputs(self) -> int:
        """How many maps the network puts out."""
        return self.deconvolutions + 1

    @property
    def map_sizes(self) -> list[tuple[int, int]]:
        """Width and height of each map of a training crop, coarsest first."""
        width, height = self.input_size
        return [(width * 2**k // 4, height * 2**k // 4) for k in range(self.outputs)]

    def build(self) -> "PoseHigherResolutionNet":
        """The network with starting weights, as a torch module; its `forward` is given in `network.py`."""
        from hrnet.tasks.pose_bottomup.network import PoseHigherResolutionNet

        return PoseHigherResolutionNet(self)

    @property
    def keypoints(self) -> Skeleton:
        """The skeleton itself."""
        return SKELETONS[self.skeleton]


class Augmentation(Settings):
    """What happens to a picture in training; the defaults are the published COCO recipe's, which pastes nobody."""

    rotation: float = Field(default=30.0, ge=0, description="degrees, uniform to both sides")
    scale: tuple[float, float] = Field(
        default=(0.75, 1.5), description="the crop's side over the picture's, uniform; more is smaller people"
    )
    side: Literal["short", "long"] = Field(default="short", description="the picture's side that scale refers to")
    shift: float = Field(default=0.2, ge=0, description="the crop's centre moves by up to this share of its side")
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of mirroring")
    backgrounds: str = Field(default="", description="folder of pictures without people, on which people are pasted")
    mosaics: int = Field(default=0, ge=0, description="backgrounds with pasted people an epoch")
    people: tuple[int, int] = Field(default=(2, 6), description="least and most people pasted on a background")
    paste: float = Field(default=0.0, ge=0, le=1, description="probability of pasting people on annotated pictures too")
    size: tuple[float, float] = Field(
        default=(0.2, 0.8), description="longer side of a pasted person over the input's shorter side, log-uniform"
    )
    overlap: float = Field(
        default=0.5, ge=0, le=1, description="most that the boxes of two people share, of the smaller, when pasted"
    )
    inside: float = Field(default=0.5, ge=0, le=1, description="least share of a pasted person's box within the input")
    hull: float = Field(
        default=0.4, ge=0, le=1, description="probability of pasting the hull of the joints, not the box"
    )
    soft: float = Field(default=0.5, ge=0, le=1, description="probability of soft edges of what is pasted")
    colour: float = Field(
        default=0.0, ge=0, lt=1, description="brightness, contrast, channels vary by up to this share"
    )
    blur: float = Field(default=0.0, ge=0, le=1, description="probability of losing up to three quarters of resolution")


class CodecSettings(Settings):
    """How truth becomes maps."""

    sigma: float = Field(default=2.0, gt=0, description="standard deviation of the target in cells, on every map")
    scale_aware: bool = Field(
        default=False, description="sigma belongs to a person 256 input pixels long, and grows and shrinks with people"
    )
    max_people: int = Field(default=30, gt=0, description="people of a picture that tags are taught for")
    unlabelled: Literal["absent", "unknown"] = Field(
        default="absent",
        description="what a person's unlabelled joint means within its box: not there, or nothing at all",
    )


class LossSettings(Settings):
    """How maps and truth are compared: squares of heatmaps, and pull and push of tags."""

    heatmap_maps: tuple[int, ...] | None = Field(default=None, description="maps whose heatmaps are taught; none: all")
    foreground: float = Field(default=1.0, gt=0, description="weight of a peak's cells against 1 for empty ones")
    push: float = Field(default=1e-3, ge=0, description="weight of keeping people's tags apart")
    pull: float = Field(default=1e-3, ge=0, description="weight of keeping a person's tags together")
    kind: Literal["exp", "max"] = Field(default="exp", description="push by exp(-d**2), or by max(0, 1 - d)")


class Refining(Settings):
    """How a top-down network looks again at the people who were found (`--refine`): at more of them than would be put
    out, since it is the one that judges."""

    detection_threshold: float = Field(default=0.1, description="as testing.detection_threshold, for a second look")
    candidate_threshold: float = Field(default=0.0, ge=0, description="people scored below are not looked at again")
    scales: tuple[Scale, ...] = Field(
        default=(1.0,), min_length=1, description="factors of testing.input_size; people found at any are looked at"
    )
    search: bool = Field(default=False, description="look also at whom the top-down network finds in the whole picture")
    looks: int = Field(
        default=2, ge=1, description="how often; each after the first in the extent of joints just found"
    )
    margin: float = Field(
        default=0.1, ge=0, description="the extent of joints is less than a person; as a share of its longer side"
    )
    score_threshold: float = Field(default=0.0, ge=0, description="people whom it scores below are not put out")
    nms_threshold: float = Field(
        default=0.3, ge=0, le=1, description="OKS from which the surer of two people drops the other; 0 keeps all"
    )


class Testing(Settings):
    """How pictures are predicted."""

    input_size: int = Field(
        default=0, ge=0, description="shorter side of the picture as the network sees it; 0: the training crop's"
    )
    flip: bool = Field(default=True, description="average heatmaps with the mirrored picture's, and double the tags")
    scales: tuple[Scale, ...] = Field(default=(1.0,), min_length=1, description="factors of input_size, averaged")
    project: bool = Field(default=True, description="enlarge maps to the input's size before people are read off")
    heatmap_maps: tuple[int, ...] | None = Field(
        default=None, description="maps whose heatmaps are averaged; none: all"
    )
    ignore_centre: bool = Field(default=True, description="leave the centre out of grouping")
    grouping: Literal["exact", "fast", "gated", "near"] = Field(
        default="exact",
        description="exact: as published; fast: the same at the network's own resolution, whatever `project` says; "
        "gated: fast, and a tag distance counts only below tag_threshold; near: fast, and a person's joints lie "
        "within reach of each other",
    )
    reach: float = Field(
        default=0.2,
        gt=0,
        description="near: farthest from a joint to the next of its person, over the picture's shorter side",
    )
    nms_kernel: int = Field(default=5, gt=0, description="a peak is the highest cell of a square this wide")
    max_people: int = Field(default=30, gt=0, description="peaks per joint, and groups that peaks are matched with")
    detection_threshold: float = Field(default=0.1, description="a peak must be higher")
    tag_threshold: float = Field(default=1.0, description="a peak joins a group whose tag is nearer than this")
    use_value: bool = Field(default=True, description="round distances, so that higher peaks come first among equals")
    ignore_too_many: bool = Field(default=False, description="published IGNORE_TOO_MUCH: stop at max_people groups")
    adjust: bool = Field(default=True, description="move joints a quarter cell towards the higher neighbour")
    refine: bool = Field(default=True, description="look for each person's missing joints")
    score_threshold: float = Field(default=0.0, ge=0, description="people scored below are not put out")
    nms_threshold: float = Field(
        default=0.0, ge=0, le=1, description="OKS from which the surer of two people drops the other; 0 keeps all"
    )
    fewest_joints: int = Field(default=1, ge=1, description="people with fewer joints found by peaks are not put out")


class BottomUpRecipe(Recipe):
    """Bottom-up pose: all people of a picture at once, heatmaps and the tags that tell people apart."""

    free: ClassVar[tuple[Free, ...]] = ("batch", "size")  # every picture is shown at its own shape

    model: BottomUpModel = BottomUpModel()
    augmentation: Augmentation = Augmentation()
    codec: CodecSettings = CodecSettings()
    loss: LossSettings = LossSettings()
    testing: Testing = Testing()
    refining: Refining = Refining()
    without: tuple[str, ...] = Field(default=(), description="pictures never trained on, by file name less its ending")

    @model_validator(mode="after")
    def maps_exist(self) -> Self:
        """Refuse maps that the network does not put out."""
        every = range(self.model.outputs)
        taught = self.loss.heatmap_maps or tuple(every)
        for name, maps in (("loss", taught), ("testing", self.testing.heatmap_maps or taught)):
            if not set(maps) <= set(every):
                raise ValueError(f"{name}.heatmap_maps names maps from 0 to {self.model.outputs - 1}")
        if not set(taught) & set(self.testing.heatmap_maps or taught):
            raise ValueError("testing.heatmap_maps names no map that loss.heatmap_maps teaches")
        return self

    def read(self, data: str | Path, split: str = "val", images: Sequence[Path] = ()) -> "PoseData":
        """The records of a pose data set: see `hrnet.datasets.opening`."""
        from hrnet.datasets.opening import open_data

        return open_data(data, split, images)

    def samples(self, sets: "Sequence[PoseData]") -> "BottomUpSamples":
        """The pictures of data sets as training samples."""
        from hrnet.tasks.pose_bottomup.samples import BottomUpSamples

        return BottomUpSamples(self, sets)

    def criterion(self) -> "Callable[..., Tensor]":
        """The loss of all maps."""
        from hrnet.tasks.pose_bottomup.loss import BottomUpLoss

        return BottomUpLoss(self)

    def inference(self, engine: "Engine") -> "BottomUpInference":
        """The prediction path."""
        from hrnet.tasks.pose_bottomup.inference import BottomUpInference

        return BottomUpInference(self, engine)

    @property
    def probed(self) -> "BottomUpRecipe":
        """The recipe, showing the network no larger pictures than training does."""
        crop = min(self.model.input_size)
        return self.but(testing__input_size=min(self.testing.input_size or crop, crop))

    def agreement(self, found: Sequence[Any], reference: Sequence[Any], precision: str) -> "Agreement | None":
        """How well two runs agree on who is there: see `agreement.py`."""
        from hrnet.tasks.pose_bottomup.agreement import agreement

        return agreement(found, reference, precision)

    def evaluate(self, inference: "Inference[Pose]", data: "PoseData") -> dict[str, Any]:
        """Predict a data set without boxes and score it."""
        from hrnet.tasks.pose_bottomup.scoring import evaluate

        return evaluate(inference, data)

    def shown(self, record: "Record") -> "tuple[np.ndarray, None]":
        """The picture of a record; boxes are not needed."""
        return record.read(), None

    def draw(self, image: "np.ndarray", results: "Sequence[Pose]", min_score: float) -> "np.ndarray":
        """The picture (H, W, 3) RGB with poses drawn; joints scored below `min_score` are left out."""
        from hrnet.results.drawing import draw_poses

        return draw_poses(image, results, min_score=min_score)
