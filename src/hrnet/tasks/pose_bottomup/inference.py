"""Pictures to the poses of everybody in them: sizes, flip test, several scales, aggregation, grouping."""

from collections.abc import Sequence

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.inference import BatchedInference, Item, pixels_of, seen_both_ways
from hrnet.engines.pipeline import Arrays
from hrnet.errors import HRNetError
from hrnet.geometry import Frame, extent_of
from hrnet.results.pose import Pose
from hrnet.scoring.oks import oks_nms
from hrnet.tasks.pose_bottomup.aggregation import Aggregate, Layout
from hrnet.tasks.pose_bottomup.grouping import group
from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe

LONGEST = 16  # times the shorter side: the network sees the whole picture at once
LARGE = 4_000_000  # numbers in a picture, as of 1024 x 1300 pixels in three colours: mirrored apart, to save memory
AREA = 0.53  # of the box, where no segment is known


class BottomUpInference(BatchedInference[Frame, Pose]):
    """A recipe and an engine, ready to predict: everybody in a picture, the surest first.

    A picture goes through the network at each of the recipe's scales, a batch of its own with the mirrored picture:
    sizes differ, and maps are large.
    """

    batch_size = 1

    def __init__(self, recipe: BottomUpRecipe, engine: Engine) -> None:
        self.recipe, self.engine = recipe, engine
        self.skeleton, self.layout = recipe.model.keypoints, Layout.of(recipe)
        self.input_size = recipe.testing.input_size or min(recipe.model.input_size)
        self.scales = sorted(recipe.testing.scales, reverse=True)

    def prepare(self, item: Item) -> tuple[Frame, Sequence[np.ndarray]]:
        """The picture at each scale, the largest first, and the frame between it and the network's input."""
        image = pixels_of(item[0])
        height, width = image.shape[:2]
        if max(height, width) > LONGEST * min(height, width):
            raise HRNetError(
                f"a picture of {width} x {height} is too narrow: people are looked for where one side is at most "
                f"{LONGEST} times the other, so cut it into parts"
            )
        return self.frame(width, height, 1.0), [self.frame(width, height, scale).warp(image) for scale in self.scales]

    def run(self, crops: np.ndarray) -> Arrays:
        """What the network puts out for pictures (B, H, W, 3), then, with the flip test, for their mirror images."""
        if not self.recipe.testing.flip:
            return self.engine.run(crops)
        plain, mirrored = seen_both_ways(self.engine, crops, at_once=crops.size < LARGE)
        return *plain, *mirrored

    def finish(self, state: Frame, answers: list[Arrays]) -> list[Pose]:
        """The people whom the maps of a picture show."""
        heatmaps, tags = self.maps(state, answers)
        if not (np.isfinite(heatmaps).all() and np.isfinite(tags).all()):
            raise HRNetError(
                "the network answered with numbers that are not finite: use precision fp32, or other weights"
            )
        people, scores = group(heatmaps, tags, self.recipe.testing)
        cells = np.array(state.size) / heatmaps.shape[2:0:-1]
        found = [
            self.pose(
                state.to_picture(person[: len(self.skeleton), :2] * cells), person[: len(self.skeleton), 2], score
            )
            for person, score in zip(people, scores, strict=True)
        ]
        found.sort(key=lambda pose: -pose.score)
        return distinct(found, self.recipe.testing.nms_threshold)

    def pose(self, points: np.ndarray, values: np.ndarray, score: float) -> Pose:
        """A person in picture pixels; its box is the extent of the joints that the heatmaps show, for those that were
        looked for afterwards may lie anywhere."""
        shown = values > self.recipe.testing.detection_threshold
        return Pose(
            keypoints=points.astype(np.float32),
            scores=values.astype(np.float32),
            score=float(score),
            box=extent_of(points[shown if shown.any() else values > 0]).astype(np.float32),
            skeleton=self.skeleton,
        )

    def maps(self, frame: Frame, answers: list[Arrays]) -> tuple[np.ndarray, np.ndarray]:
        """Heatmaps (J, h, w) and tags (J or 1, h, w, D) of a picture, over all scales and passes."""
        testing = self.recipe.testing
        aggregate = Aggregate(self.layout, frame.size if testing.project and testing.grouping == "exact" else None)
        tagged = min(testing.scales, key=lambda scale: abs(scale - 1))  # as published where 1 is among them
        for scale, outputs in zip(self.scales, answers, strict=True):
            count = len(outputs) // (2 if testing.flip else 1)
            passes = [outputs[n : n + count] for n in range(0, len(outputs), count)]
            aggregate.add(passes, tags=scale == tagged)
        return aggregate.heatmaps, aggregate.tags

    def frame(self, width: int, height: int, scale: float) -> Frame:
        """The whole picture as the network sees it at one of the recipe's scales."""
        size = input_size(width, height, self.input_size, scale, min(self.recipe.testing.scales))
        short = size[0] / width if width < height else size[1] / height
        middle = np.array([width // 2 + width % 2, height // 2 + height % 2])  # as published, int(side / 2 + 0.5)
        return Frame.around(middle, size[0] / short, size)


def distinct(poses: list[Pose], threshold: float, sure: float = 0.0) -> list[Pose]:
    """The poses, the surest first, less those that show a person once more: OKS above `threshold` with a surer one,
    over the joints that they score above `sure`."""
    if not threshold or len(poses) < 2 or not poses[0].skeleton.sigmas:
        return poses
    keypoints = np.stack([pose.keypoints for pose in poses]).astype(float)
    there = np.stack([pose.scores > sure for pose in poses])  # a joint that nothing was found of lies anywhere
    there |= ~there.any(axis=1, keepdims=True)
    extents = np.array([extent_of(points[seen]) for points, seen in zip(keypoints, there, strict=True)])
    areas = AREA * np.prod(extents[:, 2:] - extents[:, :2], axis=1)
    scores, sigmas = np.array([pose.score for pose in poses]), np.array(poses[0].skeleton.sigmas)
    return [poses[i] for i in oks_nms(keypoints, scores, areas, sigmas, threshold, there)]


def input_size(width: int, height: int, short: int, scale: float = 1.0, least: float = 1.0) -> tuple[int, int]:
    """Width and height of the network's input for a picture (published `get_multi_scale_size`).

    The shorter side is `short` x `least` rounded up to a multiple of 64, the longer one follows, rounded up likewise;
    both then times `scale / least`, so that all scales see the same window.
    """
    side = 64 * int((least * short + 63) // 64)
    lesser = int(side * scale / least)
    if width < height:
        return lesser, int(64 * ((side / width * height + 63) // 64) * scale / least)
    return int(64 * ((side / height * width + 63) // 64) * scale / least), lesser
