"""Pictures and boxes to poses: frames, flip test, batches through an engine, codec."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.inference import BatchedInference, Item, pixels_of, seen_both_ways, told_when_read
from hrnet.engines.pipeline import Arrays, flow
from hrnet.errors import HRNetError
from hrnet.geometry import Frame, center_and_extent, extent_of, windows
from hrnet.results.pose import Pose
from hrnet.tasks.pose_topdown.codec import Codec, flip_back
from hrnet.tasks.pose_topdown.settings import PoseRecipe

FEWEST_JOINTS = 5  # fewer sure joints do not tell where a person is
KEPT = 8_000_000  # bytes of a picture that waits for its second look; larger ones are read again


@dataclass(frozen=True)
class Framed:
    """A picture on its way: its people's boxes, their scores, and the frames of their crops."""

    boxes: np.ndarray
    box_scores: np.ndarray
    frames: list[Frame]


class TopDownInference(BatchedInference[Framed, Pose]):
    """A recipe and an engine, ready to predict: one pose per box; without boxes a picture holds one person."""

    takes_boxes = True

    def __init__(self, recipe: PoseRecipe, engine: Engine) -> None:
        self.recipe, self.engine, self.codec = recipe, engine, Codec(recipe)
        self.skeleton, self.batch_size = recipe.model.keypoints, recipe.testing.batch_size

    def frame(self, box: np.ndarray) -> Frame:
        """The window on a person's box x1, y1, x2, y2."""
        size, framing = self.recipe.model.input_size, self.recipe.framing
        center, extent = center_and_extent(box, size, framing.padding)
        return Frame.around(center, extent, size, convention=framing.convention)

    def attempt(self, items: Iterable[Item]) -> Iterator[list[Pose] | HRNetError]:
        return super().attempt(self.sought(items) if self.recipe.testing.search else items)

    def prepare(self, item: Item) -> tuple[Framed, Sequence[np.ndarray]]:
        """The crops of a picture's people, each (h, w, 3) of the input's size."""
        given, boxes, box_scores = item
        image = pixels_of(given)
        if boxes is None:
            boxes = whole(image)
        frames = [self.frame(box) for box in boxes]
        scores = np.ones(len(boxes)) if box_scores is None else box_scores
        return Framed(boxes, scores, frames), [frame.warp(image) for frame in frames]

    def finish(self, state: Framed, answers: list[Arrays]) -> list[Pose]:
        """The poses of a picture's people."""
        return [
            Pose(
                keypoints=frame.to_picture(in_input).astype(np.float32),
                scores=joint_scores.astype(np.float32),
                score=float(box_score * self.person_score(joint_scores)),
                box=np.asarray(box, np.float32),
                skeleton=self.skeleton,
            )
            for box, box_score, frame, (in_input, joint_scores) in zip(
                state.boxes, state.box_scores, state.frames, answers, strict=True
            )
        ]

    def sought(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, those without boxes with the box of the person whom a first look finds."""
        for reached in flow(items, self.look, self.run, self.batch_size):
            yield told_when_read(reached) if isinstance(reached, HRNetError) else self.found(*reached)

    def look(self, item: Item) -> tuple[tuple[Item, tuple[int, int], list[Frame]], Sequence[np.ndarray]]:
        """The crops of a first look at a picture without boxes: windows of the input's shape that cover it."""
        given, boxes, box_scores = item
        if boxes is not None:
            return (item, (0, 0), []), []
        image = pixels_of(given)
        height, width = image.shape[:2]
        size, convention = self.recipe.model.input_size, self.recipe.framing.convention
        frames = [
            Frame.around(center, extent, size, convention=convention) for center, extent in windows(width, height, size)
        ]
        kept = image if image.nbytes <= KEPT else given
        return ((kept, None, box_scores), (width, height), frames), [frame.warp(image) for frame in frames]

    def found(self, state: tuple[Item, tuple[int, int], list[Frame]], answers: list[Arrays]) -> Item:
        """The item with the box that a first look finds: the extent of the joints of its surest window."""
        (image, boxes, box_scores), (width, height), frames = state
        if not frames:
            return image, boxes, box_scores
        frame, (points, scores) = max(zip(frames, answers, strict=True), key=lambda pair: float(pair[1][1].sum()))
        extent = self.extent(frame.to_picture(points), scores)
        if extent is None:
            return image, None, box_scores
        x1, y1, x2, y2 = extent
        margin = 0.05 * max(x2 - x1, y2 - y1)
        box = np.array([max(x1 - margin, 0), max(y1 - margin, 0), min(x2 + margin, width), min(y2 + margin, height)])
        return image, box[None] if (box[2:] - box[:2] > 1).all() else None, box_scores

    def extent(self, points: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
        """The extent x1, y1, x2, y2 of a person's sure joints; None where they are too few to tell where it is."""
        sure = scores > self.recipe.testing.score_threshold
        return extent_of(points[sure]) if sure.sum() >= FEWEST_JOINTS else None

    def run(self, crops: np.ndarray) -> Arrays:
        """Keypoints (B, K, 2) in pixels of the input and scores (B, K) of crops (B, H, W, 3) uint8. Maps are not kept:
        a picture of many people would hold many."""
        if self.engine.decodes:
            return self.engine.run(crops)
        return self.codec.decode(self.maps(crops))

    def maps(self, crops: np.ndarray) -> np.ndarray:
        """Activated maps (B, K, h, w) of crops, with the flip test the mean with those of the mirrored crops."""
        if not self.recipe.testing.flip:
            return self.codec.activate(self.engine.run(crops)[-1])
        (*_, seen), (*_, mirrored) = seen_both_ways(self.engine, crops)
        shift = self.recipe.testing.shift_heatmap and self.recipe.framing.convention == "published"
        back = flip_back(self.codec.activate(mirrored), self.skeleton.flip_order, shift)
        return (self.codec.activate(seen) + back) * 0.5

    def person_score(self, scores: np.ndarray) -> float:
        """Mean score of the joints above the threshold, 0 where none is (published rescoring, COCO `evaluate`)."""
        sure = scores[scores > self.recipe.testing.score_threshold]
        return float(sure.mean()) if len(sure) else 0.0


def whole(image: np.ndarray) -> np.ndarray:
    """The box (1, 4) of a whole picture."""
    return np.array([[0, 0, image.shape[1], image.shape[0]]], float)
