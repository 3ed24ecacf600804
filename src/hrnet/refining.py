"""People found without boxes, each passed to the top-down network."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hrnet.results.pose import Pose
from hrnet.settings import Inference

MARGIN = 0.1  # the extent of joints is less than a person; as a share of the longer side


class RefiningInference:
    """Two inferences in a row: the first finds people, the second looks at each of them in a box of its own."""

    takes_boxes = False

    def __init__(self, first: Inference, second: Inference) -> None:
        self.first, self.second = first, second

    def predict(self, items: Iterable[tuple[Any, ...]]) -> Iterator[list[Pose]]:
        """Poses of each picture, in order; their scores are the products of both networks' scores."""
        for image, *_ in items:
            pixels: Any = image() if callable(image) else image
            found = next(self.first.predict([(pixels, None, None)]))
            boxes = np.array([widened(pose.box) for pose in found]).reshape(-1, 4)
            yield next(self.second.predict([(pixels, boxes, np.array([pose.score for pose in found]))]))


def widened(box: np.ndarray) -> np.ndarray:
    """The extent x1, y1, x2, y2 of a person's joints as the box of the person."""
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1], 10)
    return np.array([box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin], float)
