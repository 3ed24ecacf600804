"""People found without boxes, each looked at again by the top-down network."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.results.pose import Pose
from hrnet.tasks.pose_bottomup.inference import distinct
from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe
from hrnet.tasks.pose_topdown.inference import TopDownInference

LEAST_SIDE = 10  # pixels, of a person whose joints lie in one place


class RefiningInference:
    """A bottom-up network that finds people, and a top-down one that looks at each of them in a box of its own and says
    how sure it is; `refining` of the bottom-up recipe has the details."""

    takes_boxes = False

    def __init__(self, recipe: BottomUpRecipe, engine: Engine, second: TopDownInference) -> None:
        self.refining, self.second = recipe.refining, second
        self.sure = second.recipe.testing.score_threshold  # of joints
        generous = recipe.but(
            testing__detection_threshold=self.refining.detection_threshold,
            testing__score_threshold=self.refining.candidate_threshold,
        )
        size = recipe.testing.input_size or min(recipe.model.input_size)
        sizes = [max(1, round(scale * size)) for scale in self.refining.scales]
        self.finders = [generous.but(testing__input_size=each).inference(engine) for each in sizes]

    def predict(self, items: Iterable[tuple[Any, ...]]) -> Iterator[list[Pose]]:
        """Poses of each picture, in order, the surest first; their scores are those of the last look."""
        for image, *_ in items:
            pixels: Any = image() if callable(image) else image
            yield self.poses(pixels)

    def poses(self, image: np.ndarray) -> list[Pose]:
        """Everybody in a picture (H, W, 3), the surest first."""
        boxes, people = [pose.box for finder in self.finders for pose in finder.poses(image)], []
        for look in range(self.refining.looks):
            widest = np.array([widened(box, self.refining.margin) for box in boxes]).reshape(-1, 4)
            seen = next(self.second.predict([(image, widest, None)]))
            if self.refining.search and not look:
                seen += next(self.second.predict([(image, None, None)]))
            people = distinct(sorted(seen, key=lambda pose: -pose.score), self.refining.nms_threshold, self.sure)
            boxes = [self.box(pose) for pose in people]
        return [pose for pose in people if pose.score >= self.refining.score_threshold]

    def box(self, pose: Pose) -> np.ndarray:
        """Where the next look goes: the extent of a person's sure joints; with too few, where the last one went."""
        extent = self.second.extent(pose.keypoints, pose.scores)
        return pose.box if extent is None else extent


def widened(box: np.ndarray, margin: float) -> np.ndarray:
    """The extent x1, y1, x2, y2 of a person's joints as the box of the person."""
    more = margin * max(box[2] - box[0], box[3] - box[1], LEAST_SIDE)
    return np.array([box[0] - more, box[1] - more, box[2] + more, box[3] + more], float)
