"""People found without boxes, each looked at again by the top-down network."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.pipeline import Arrays, BatchedInference, Inference, Item, pixels_of
from hrnet.errors import HRNetError
from hrnet.geometry import Frame
from hrnet.results.pose import Pose
from hrnet.tasks.pose_bottomup.inference import BottomUpInference, distinct
from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe
from hrnet.tasks.pose_topdown.inference import TopDownInference

LEAST_SIDE = 10  # pixels, of a person whose joints lie in one place
TOGETHER = 8  # pictures that are held at once, so that their people fill the batches of a look


class RefiningInference(Inference[Pose]):
    """A bottom-up network that finds people, and a top-down one that looks at each of them in a box of its own and says
    how sure it is; `refining` of the bottom-up recipe has the details. The surest come first; scores are those of the
    last look."""

    def __init__(self, recipe: BottomUpRecipe, engine: Engine, second: TopDownInference) -> None:
        self.refining, self.second = recipe.refining, second
        self.sure = second.recipe.testing.score_threshold  # of joints
        generous = recipe.but(
            testing__detection_threshold=self.refining.detection_threshold,
            testing__score_threshold=self.refining.candidate_threshold,
        )
        size = recipe.testing.input_size or min(recipe.model.input_size)
        sizes = [max(1, round(scale * size)) for scale in self.refining.scales]
        self.first = Finding([generous.but(testing__input_size=each).inference(engine) for each in sizes])

    def attempt(self, items: Iterable[Item]) -> Iterator[list[Pose] | HRNetError]:
        source = iter(items)
        while group := list(islice(source, TOGETHER)):
            yield from self.together(group)

    def together(self, items: Sequence[Item]) -> Iterator[list[Pose] | HRNetError]:
        """Everybody in each of some pictures, or what was wrong with it."""
        found = list(self.first.attempt(items))
        seen = [pair for each in found if not isinstance(each, HRNetError) for pair in each]
        images, boxes = [image for image, _ in seen], [extents for _, extents in seen]
        people: list[list[Pose]] = []
        for look in range(self.refining.looks):
            people = self.look(images, boxes, search=self.refining.search and not look)
            boxes = [[self.box(pose) for pose in each] for each in people]
        answers = iter(people)
        for each in found:
            yield each if isinstance(each, HRNetError) else self.shown(next(answers))

    def look(self, images: list[np.ndarray], boxes: list[list[np.ndarray]], search: bool) -> list[list[Pose]]:
        """Whom the top-down network sees in each picture, in the extents of people's joints and, with `search`, in the
        whole picture: the surest first, nobody twice."""
        items: list[Item] = [
            (image, widened(each, self.refining.margin), None) for image, each in zip(images, boxes, strict=True)
        ]
        items += [(image, None, None) for image in images if search]
        seen = list(self.second.predict(items))
        return [
            distinct(
                sorted((pose for each in seen[n :: len(images)] for pose in each), key=lambda pose: -pose.score),
                self.refining.nms_threshold,
                self.sure,
            )
            for n in range(len(images))
        ]

    def shown(self, people: list[Pose]) -> list[Pose]:
        """Those of whom the top-down network is sure."""
        return [pose for pose in people if pose.score >= self.refining.score_threshold]

    def box(self, pose: Pose) -> np.ndarray:
        """Where the next look goes: the extent of a person's sure joints; with too few, where the last one went."""
        extent = self.second.extent(pose.keypoints, pose.scores)
        return pose.box if extent is None else extent


class Finding(BatchedInference[tuple[np.ndarray, list[Frame]], tuple[np.ndarray, list[np.ndarray]]]):
    """A bottom-up network that looks at each picture at several sizes, once read. The one result of a picture is the
    picture itself, and the extent x1, y1, x2, y2 of the joints of everybody found at any size."""

    batch_size = 1

    def __init__(self, sizes: Sequence[BottomUpInference]) -> None:
        self.sizes = sizes

    def prepare(self, item: Item) -> tuple[tuple[np.ndarray, list[Frame]], Sequence[np.ndarray]]:
        image = pixels_of(item[0])
        prepared = [each.prepare((image, None, None)) for each in self.sizes]
        return (image, [frame for frame, _ in prepared]), [crop for _, crops in prepared for crop in crops]

    def run(self, crops: np.ndarray) -> Arrays:
        return self.sizes[0].run(crops)

    def finish(
        self, state: tuple[np.ndarray, list[Frame]], answers: list[Arrays]
    ) -> list[tuple[np.ndarray, list[np.ndarray]]]:
        image, frames = state
        rest = iter(answers)
        found = [
            pose
            for each, frame in zip(self.sizes, frames, strict=True)
            for pose in each.finish(frame, list(islice(rest, len(each.scales))))
        ]
        return [(image, [pose.box for pose in found])]


def widened(extents: Sequence[np.ndarray], margin: float) -> np.ndarray:
    """Extents x1, y1, x2, y2 of people's joints as boxes (P, 4) of the people."""
    low, high = np.split(np.array(extents, float).reshape(-1, 4), 2, axis=1)
    more = margin * np.maximum((high - low).max(axis=1, keepdims=True), LEAST_SIDE)
    return np.hstack([low - more, high + more])
