"""Pictures and boxes to poses: frames, flip test, batches through an engine, codec. Prediction, validation and
evaluation all walk this one path."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.geometry import Frame, center_and_extent, extent_of, windows
from hrnet.results.pose import Pose
from hrnet.tasks.pose_topdown.codec import Codec, flip_back
from hrnet.tasks.pose_topdown.settings import PoseRecipe

FEWEST_JOINTS = 5  # fewer sure joints do not tell where a person is


@dataclass
class Waiting:
    """A picture whose crops are on their way: poses come in until there are as many as boxes."""

    boxes: np.ndarray
    box_scores: np.ndarray
    poses: list[Pose] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return len(self.poses) == len(self.boxes)


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

    def predict(self, items: Iterable[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]) -> Iterator[list[Pose]]:
        """Poses of each picture, in order; one pose per box.

        `items` yields `(image (H, W, 3) RGB uint8, boxes (P, 4) x1 y1 x2 y2, box scores (P,))`. Without boxes (None)
        a picture holds one person. Crops of several pictures share batches; no more than a batch of crops is held.
        """
        waiting: list[Waiting] = []
        crops: list[tuple[Waiting, int, Frame, np.ndarray]] = []
        for image, given, box_scores in items:
            boxes = self.only_person(image) if given is None else given
            picture = Waiting(boxes, np.ones(len(boxes)) if box_scores is None else box_scores)
            waiting.append(picture)
            for p, box in enumerate(boxes):
                frame = self.frame(box)
                crops.append((picture, p, frame, frame.warp(image)))
                if len(crops) == self.recipe.testing.batch_size:
                    self.finish(crops)
                    crops = []
            while waiting and waiting[0].done:
                yield waiting.pop(0).poses
        self.finish(crops)
        yield from (picture.poses for picture in waiting)

    def only_person(self, image: np.ndarray) -> np.ndarray:
        """The box (1, 4) of a picture's only person: the whole picture, or, with `testing.search`, what a first look
        finds. It goes through windows of the input's shape that cover the picture, and takes the extent of the joints
        of the surest one."""
        height, width = image.shape[:2]
        whole = np.array([[0, 0, width, height]], float)
        if not self.recipe.testing.search:
            return whole
        size, convention = self.recipe.model.input_size, self.recipe.framing.convention
        frames = [
            Frame.around(center, extent, size, convention=convention) for center, extent in windows(width, height, size)
        ]
        points, scores = self.keypoints(np.stack([frame.warp(image) for frame in frames]))
        best = int(scores.sum(axis=1).argmax())
        sure = scores[best] > self.recipe.testing.score_threshold
        if sure.sum() < FEWEST_JOINTS:
            return whole
        x1, y1, x2, y2 = extent_of(frames[best].to_picture(points[best][sure]))
        margin = 0.05 * max(x2 - x1, y2 - y1)
        found = np.array([max(x1 - margin, 0), max(y1 - margin, 0), min(x2 + margin, width), min(y2 + margin, height)])
        return found[None] if (found[2:] - found[:2] > 1).all() else whole

    def finish(self, crops: list[tuple[Waiting, int, Frame, np.ndarray]]) -> None:
        """Run a batch of crops and hand each pose to its picture."""
        if not crops:
            return
        points, scores = self.keypoints(np.stack([crop[3] for crop in crops]))
        for (picture, p, frame, _), in_input, joint_scores in zip(crops, points, scores, strict=True):
            picture.poses.append(
                Pose(
                    keypoints=frame.to_picture(in_input).astype(np.float32),
                    scores=joint_scores.astype(np.float32),
                    score=float(picture.box_scores[p] * self.person_score(joint_scores)),
                    box=np.asarray(picture.boxes[p], np.float32),
                    skeleton=self.skeleton,
                )
            )

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
