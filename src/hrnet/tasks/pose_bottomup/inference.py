"""Pictures to the poses of everybody in them: sizes, flip test, several scales, aggregation, grouping. Prediction,
validation and evaluation all walk this one path."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.errors import HRNetError
from hrnet.geometry import Frame, extent_of
from hrnet.results.pose import Pose
from hrnet.scoring.oks import oks_nms
from hrnet.tasks.pose_bottomup.aggregation import Aggregate, Layout
from hrnet.tasks.pose_bottomup.grouping import group
from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe

LONGEST = 16  # times the shorter side: the network sees the whole picture at once
LARGE = 4_000_000  # numbers in a picture, as of 1024 x 1300 pixels in three colours
AREA = 0.53  # of the box, where no segment is known


class BottomUpInference:
    """A recipe and an engine, ready to predict."""

    takes_boxes = False

    def __init__(self, recipe: BottomUpRecipe, engine: Engine) -> None:
        self.recipe, self.engine = recipe, engine
        self.skeleton, self.layout = recipe.model.keypoints, Layout.of(recipe)
        self.input_size = recipe.testing.input_size or min(recipe.model.input_size)

    def predict(self, items: Iterable[tuple[np.ndarray, Any, Any]]) -> Iterator[list[Pose]]:
        """Poses of each picture, in order.

        `items` yields `(image (H, W, 3) RGB uint8, or a function that reads it, ...)`; the rest is not used.
        """
        for image, *_ in items:
            yield self.poses(image() if callable(image) else image)

    def poses(self, image: np.ndarray) -> list[Pose]:
        """Everybody in a picture (H, W, 3), the surest first."""
        heatmaps, tags, frame = self.maps(image)
        if not (np.isfinite(heatmaps).all() and np.isfinite(tags).all()):
            raise HRNetError(
                "the network answered with numbers that are not finite: use precision fp32, or other weights"
            )
        people, scores = group(heatmaps, tags, self.recipe.testing)
        cells = np.array(frame.size) / heatmaps.shape[2:0:-1]
        found = [
            self.pose(
                frame.to_picture(person[: len(self.skeleton), :2] * cells), person[: len(self.skeleton), 2], score
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

    def maps(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, Frame]:
        """Heatmaps (J, h, w) and tags (J or 1, h, w, D) of a picture, over all scales and passes, and the frame between
        the picture and the network's input, which the maps span."""
        testing = self.recipe.testing
        height, width = image.shape[:2]
        if max(height, width) > LONGEST * min(height, width):
            raise HRNetError(
                f"a picture of {width} x {height} is too narrow: people are looked for where one side is at most "
                f"{LONGEST} times the other, so cut it into parts"
            )
        base = self.frame(width, height, 1.0)
        aggregate = Aggregate(self.layout, base.size if testing.project and testing.grouping == "exact" else None)
        tagged = min(testing.scales, key=lambda scale: abs(scale - 1))  # as published where 1 is among them
        for scale in sorted(testing.scales, reverse=True):
            batch = self.frame(width, height, scale).warp(image)[None]
            if testing.flip:
                batch = np.concatenate([batch, batch[:, :, ::-1]])
            step = len(batch) if batch[0].size < LARGE else 1  # at once, or one look after the other to save memory
            runs = [self.engine.run(batch[n : n + step]) for n in range(0, len(batch), step)]
            passes = [[output[n] for output in outputs] for outputs in runs for n in range(step)]
            aggregate.add(passes, tags=scale == tagged)
        return aggregate.heatmaps, aggregate.tags, base

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
