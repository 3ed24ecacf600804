"""Pictures and boxes to poses: frames, flip test, batches through an engine, codec. Prediction, validation and
evaluation all walk this one path."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.pipeline import flow
from hrnet.errors import HRNetError
from hrnet.geometry import Frame, center_and_extent, extent_of, windows
from hrnet.results.pose import Pose
from hrnet.tasks.pose_topdown.codec import Codec, flip_back
from hrnet.tasks.pose_topdown.settings import PoseRecipe

FEWEST_JOINTS = 5  # fewer sure joints do not tell where a person is
KEPT = 8_000_000  # bytes of a picture that waits for its second look; larger ones are read again


Picture = np.ndarray | Callable[[], np.ndarray]  # (H, W, 3) RGB uint8, or what reads it when its turn comes
Item = tuple[Picture, np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class Framed:
    """A picture on its way: its people's boxes, their scores, and the frames of their crops; or what was wrong."""

    boxes: np.ndarray
    box_scores: np.ndarray
    frames: list[Frame]
    error: HRNetError | None = None


class TopDownInference:
    """A recipe and an engine, ready to predict."""

    def __init__(self, recipe: PoseRecipe, engine: Engine) -> None:
        self.recipe, self.engine, self.codec = recipe, engine, Codec(recipe)
        self.skeleton = recipe.model.keypoints

    def frame(self, box: np.ndarray) -> Frame:
        """The window on a person's box x1, y1, x2, y2."""
        size, framing = self.recipe.model.input_size, self.recipe.framing
        center, extent = center_and_extent(box, size, framing.padding)
        return Frame.around(center, extent, size, convention=framing.convention)

    def predict(self, items: Iterable[Item]) -> Iterator[list[Pose]]:
        """Poses of each picture, in order; one pose per box.

        `items` yields `(image (H, W, 3) RGB uint8, boxes (P, 4) x1 y1 x2 y2, box scores (P,))`; the image may be a
        function that reads it. Without boxes (None) a picture holds one person. Pictures are read and cropped in
        threads, ahead of the engine, and crops of several pictures share batches; what is held at once is bounded.
        """
        for found in self.attempt(items):
            if isinstance(found, HRNetError):
                raise found
            yield found

    def attempt(self, items: Iterable[Item]) -> Iterator[list[Pose] | HRNetError]:
        """As `predict`, but a picture that cannot be read answers with its error and the others go on."""
        size = self.recipe.testing.batch_size
        sought = flow(items, self.look, self.keypoints, size) if self.recipe.testing.search else None
        boxed = items if sought is None else (self.found(state, outputs) for state, outputs in sought)
        for framed, outputs in flow(boxed, self.cropped, self.keypoints, size):
            yield framed.error or self.poses(framed, outputs)

    def cropped(self, item: Item) -> tuple[Framed, Sequence[np.ndarray]]:
        """The crops of a picture's people, each (h, w, 3) of the input's size."""
        given, boxes, box_scores = item
        try:
            image = given() if callable(given) else given
        except HRNetError as error:
            return Framed(np.zeros((0, 4)), np.zeros(0), [], error), []
        if boxes is None:
            boxes = whole(image)
        frames = [self.frame(box) for box in boxes]
        scores = np.ones(len(boxes)) if box_scores is None else box_scores
        return Framed(boxes, scores, frames), [frame.warp(image) for frame in frames]

    def poses(self, framed: Framed, outputs: tuple[np.ndarray, ...]) -> list[Pose]:
        """The poses of a picture from the keypoints and scores of its crops."""
        rows = zip(framed.boxes, framed.box_scores, framed.frames, *outputs, strict=True) if outputs else ()
        return [
            Pose(
                keypoints=frame.to_picture(in_input).astype(np.float32),
                scores=joint_scores.astype(np.float32),
                score=float(box_score * self.person_score(joint_scores)),
                box=np.asarray(box, np.float32),
                skeleton=self.skeleton,
            )
            for box, box_score, frame, in_input, joint_scores in rows
        ]

    def look(self, item: Item) -> tuple[tuple[Item, tuple[int, int], list[Frame]], Sequence[np.ndarray]]:
        """The crops of a first look at a picture without boxes: windows of the input's shape that cover it."""
        given, boxes, box_scores = item
        if boxes is not None:
            return (item, (0, 0), []), []
        try:
            image = given() if callable(given) else given
        except HRNetError:
            return (item, (0, 0), []), []  # told when it is read again, where its poses would be
        height, width = image.shape[:2]
        size, convention = self.recipe.model.input_size, self.recipe.framing.convention
        frames = [
            Frame.around(center, extent, size, convention=convention) for center, extent in windows(width, height, size)
        ]
        kept = image if image.nbytes <= KEPT else given
        return ((kept, None, box_scores), (width, height), frames), [frame.warp(image) for frame in frames]

    def found(self, state: tuple[Item, tuple[int, int], list[Frame]], outputs: tuple[np.ndarray, ...]) -> Item:
        """The item with the box that a first look finds: the extent of the joints of its surest window."""
        (image, boxes, box_scores), (width, height), frames = state
        if not frames:
            return image, boxes, box_scores
        points, scores = outputs
        best = int(scores.sum(axis=1).argmax())
        extent = self.extent(frames[best].to_picture(points[best]), scores[best])
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

    def keypoints(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (B, K, 2) in pixels of the input and scores (B, K) of crops (B, H, W, 3) uint8."""
        if self.engine.decodes:
            points, scores = self.engine.run(crops)
            return points, scores
        return self.codec.decode(self.maps(crops))

    def maps(self, batch: np.ndarray) -> np.ndarray:
        """Activated maps (B, K, h, w) of crops (B, H, W, 3) uint8, averaged with the mirrored input's where asked."""
        testing = self.recipe.testing
        if not testing.flip:
            return self.codec.activate(self.engine.run(batch)[-1])
        both = self.engine.run(np.concatenate([batch, batch[:, :, ::-1]]))[-1]
        seen = self.codec.activate(both[: len(batch)])
        shift = testing.shift_heatmap and self.recipe.framing.convention == "published"
        mirrored = flip_back(self.codec.activate(both[len(batch) :]), self.skeleton.flip_order, shift)
        return (seen + mirrored) * 0.5

    def person_score(self, scores: np.ndarray) -> float:
        """Mean score of the joints above the threshold, 0 where none is (published rescoring, COCO `evaluate`)."""
        sure = scores[scores > self.recipe.testing.score_threshold]
        return float(sure.mean()) if len(sure) else 0.0


def whole(image: np.ndarray) -> np.ndarray:
    """The box (1, 4) of a whole picture."""
    return np.array([[0, 0, image.shape[1], image.shape[0]]], float)
