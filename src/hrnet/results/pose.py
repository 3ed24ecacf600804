"""Pose: one being's keypoints in a picture."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.errors import HRNetError, nearest

if TYPE_CHECKING:
    from hrnet.datasets.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Pose:
    """The keypoints found for one being, in pixels of the picture; the centre of its first pixel is (0, 0).

    `keypoints` (K, 2) float32 holds x, y in the order of `skeleton`, `scores` (K,) float32 how sure each one is, about
    0..1, and `score` the same for the pose as a whole. `box` (4,) is x1, y1, x2, y2 of the person it was looked for in.
    Raises `HRNetError` where the shapes do not fit the skeleton.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    score: float
    box: np.ndarray
    skeleton: "Skeleton"

    def __post_init__(self) -> None:
        count = len(self.skeleton.keypoints)
        for name, shape in (("keypoints", (count, 2)), ("scores", (count,)), ("box", (4,))):
            given = np.shape(getattr(self, name))
            if given != shape:
                raise HRNetError(
                    f"a pose's {name} came with shape {given}, expected {shape} as skeleton '{self.skeleton.name}' has "
                    f"{count} keypoints: give the skeleton that they belong to"
                )

    def __getitem__(self, name: str) -> tuple[float, float, float]:
        """x, y in picture pixels and score of a keypoint by name; `KeyError` says which name was probably meant."""
        if name not in self.skeleton.keypoints:
            raise KeyError(f"no keypoint '{name}': {nearest(name, self.skeleton.keypoints)}")
        k = self.skeleton.keypoints.index(name)
        return float(self.keypoints[k, 0]), float(self.keypoints[k, 1]), float(self.scores[k])

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """The box in COCO's convention: x, y of its upper left corner, width, height."""
        x1, y1, x2, y2 = (float(value) for value in self.box)
        return x1, y1, x2 - x1, y2 - y1

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, ready for JSON: pixels to 2 decimals, scores to 4, None where a value is not finite.

        `keypoints` maps each name to [x, y, score]; `bbox` is [x, y, width, height].
        """
        return {
            "score": rounded(self.score, 4),
            "bbox": [rounded(value, 2) for value in self.bbox],
            "keypoints": {
                name: [rounded(x, 2), rounded(y, 2), rounded(score, 4)]
                for name, (x, y), score in zip(self.skeleton.keypoints, self.keypoints, self.scores, strict=True)
            },
        }


def rounded(value: float, decimals: int) -> float | None:
    """Round to a plain float; None for NaN and infinities, for which JSON has no word."""
    return round(float(value), decimals) if math.isfinite(value) else None
