"""People found without boxes, each looked at again by the top-down network."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.inference import BatchedInference, Inference, Item, pixels_of
from hrnet.engines.pipeline import Arrays
from hrnet.errors import HRNetError
from hrnet.geometry import Frame
from hrnet.results.pose import Pose
from hrnet.tasks.pose_bottomup.inference import BottomUpInference, distinct
from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe
from hrnet.tasks.pose_topdown.inference import TopDownInference

LEAST_SIDE = 10  # pixels, of a person whose joints lie in one place
TOGETHER = 4  # pictures that are held at once, so that their people fill the batches of a look


@dataclass(frozen=True)
class Candidates:
    """A picture (H, W, 3), and where people may be in it: extents x1, y1, x2, y2 of their joints."""

    image: np.ndarray
    extents: list[np.ndarray]


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

    def together(self, items: Sequence[Item]) -> list[list[Pose] | HRNetError]:
        """Everybody in each of some pictures, or what was wrong with it."""
        found = list(self.first.attempt(items))
        answers: list[list[Pose] | HRNetError] = [each if isinstance(each, HRNetError) else [] for each in found]
        candidates = {n: each[0] for n, each in enumerate(found) if not isinstance(each, HRNetError)}
        for turn in range(self.refining.looks):
            seen = self.look(list(candidates.values()), search=self.refining.search and turn == 0)
            for n, people in zip(list(candidates), seen, strict=True):
                answers[n], before = people, candidates.pop(n)
                if not isinstance(people, HRNetError):
                    candidates[n] = Candidates(before.image, [self.box(pose) for pose in people])
        least = self.refining.score_threshold
        return [
            each if isinstance(each, HRNetError) else [pose for pose in each if pose.score >= least] for each in answers
        ]

    def look(self, candidates: Sequence[Candidates], search: bool) -> list[list[Pose] | HRNetError]:
        """Whom the top-down network sees in each picture, where candidates are and, with `search`, in the whole
        picture: the surest first, nobody twice."""
        items: list[Item] = [(each.image, widened(each.extents, self.refining.margin), None) for each in candidates]
        items += [(each.image, None, None) for each in candidates if search]
        seen = list(self.second.attempt(items))
        boxed, whole = seen[: len(candidates)], seen[len(candidates) :] or [[] for _ in candidates]
        return [self.merged(*pair) for pair in zip(boxed, whole, strict=True)]

    def merged(self, boxed: list[Pose] | HRNetError, whole: list[Pose] | HRNetError) -> list[Pose] | HRNetError:
        """The people of both, the surest first, nobody twice; or what was wrong with one."""
        if isinstance(boxed, HRNetError):
            return boxed
        if isinstance(whole, HRNetError):
            return whole
        everybody = sorted(boxed + whole, key=lambda pose: -pose.score)
        return distinct(everybody, self.refining.nms_threshold, self.sure)

    def box(self, pose: Pose) -> np.ndarray:
        """Where the next look goes: the extent of a person's sure joints; with too few, where the last one went."""
        extent = self.second.extent(pose.keypoints, pose.scores)
        return pose.box if extent is None else extent


class Finding(BatchedInference[tuple[np.ndarray, list[Frame]], Candidates]):
    """A bottom-up network that looks at each picture, once read, at several sizes: all whom it finds are candidates."""

    batch_size = 1

    def __init__(self, sizes: Sequence[BottomUpInference]) -> None:
        self.sizes = sizes

    def prepare(self, item: Item) -> tuple[tuple[np.ndarray, list[Frame]], Sequence[np.ndarray]]:
        image = pixels_of(item[0])
        prepared = [each.prepare((image, None, None)) for each in self.sizes]
        return (image, [frame for frame, _ in prepared]), [crop for _, crops in prepared for crop in crops]

    def run(self, crops: np.ndarray) -> Arrays:
        return self.sizes[0].run(crops)

    def finish(self, state: tuple[np.ndarray, list[Frame]], answers: list[Arrays]) -> list[Candidates]:
        image, frames = state
        rest = iter(answers)
        found = [
            pose
            for each, frame in zip(self.sizes, frames, strict=True)
            for pose in each.finish(frame, list(islice(rest, len(each.scales))))
        ]
        return [Candidates(image, [pose.box for pose in found])]


def widened(extents: Sequence[np.ndarray], margin: float) -> np.ndarray:
    """Extents x1, y1, x2, y2 of people's joints as boxes (P, 4) of the people."""
    low, high = np.split(np.array(extents, np.float32).reshape(-1, 4), 2, axis=1)
    more = margin * np.maximum((high - low).max(axis=1, keepdims=True), LEAST_SIDE)
    return np.hstack([low - more, high + more]).astype(float)
