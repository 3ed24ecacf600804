"""Skeletons: the names of the keypoints, how they are joined, mirrored and weighed."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of one kind of being, in the order in which networks and files hold them.

    `limbs` and `flip_pairs` hold names. `sigmas` are the OKS constants in the published form (COCO: 0.026 for the
    nose); empty where a data set never published any. `upper_body` is what the half-body augmentation tells apart.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...] = ()
    flip_pairs: tuple[tuple[str, str], ...] = ()
    sigmas: tuple[float, ...] = ()
    upper_body: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, name: str) -> int:
        """Position of a keypoint by name; `ValueError` where the skeleton has none of that name."""
        return self.keypoints.index(name)

    @property
    def flip_order(self) -> np.ndarray:
        """(K,) positions that swap left and right: `mirrored = keypoints[flip_order]`."""
        order = np.arange(len(self))
        for left, right in self.flip_pairs:
            i, j = self.index(left), self.index(right)
            order[i], order[j] = j, i
        return order

    @property
    def upper(self) -> np.ndarray:
        """(K,) true for the upper body."""
        return np.array([name in self.upper_body for name in self.keypoints])

    @property
    def torso(self) -> tuple[int, int] | None:
        """Positions of right shoulder and left hip, whose distance PCK measures by; None where one is missing."""
        ends = ("right_shoulder", "left_hip")
        return (self.index(ends[0]), self.index(ends[1])) if set(ends) <= set(self.keypoints) else None

    def positions_in(self, other: "Skeleton") -> np.ndarray:
        """(K,) where each keypoint of this skeleton stands in `other`, by name; -1 where it has none."""
        return np.array([other.index(name) if name in other.keypoints else -1 for name in self.keypoints])


def sided(*names: str) -> tuple[tuple[str, str], ...]:
    """Left and right names of body parts: `sided("hip")` is `(("left_hip", "right_hip"),)`."""
    return tuple((f"left_{name}", f"right_{name}") for name in names)


def chain(*names: str) -> tuple[tuple[str, str], ...]:
    """Limbs along a chain of body parts, on both sides: `chain("hip", "knee")` joins each hip with its knee."""
    joints = pairwise(names)
    return tuple((f"{side}_{a}", f"{side}_{b}") for a, b in joints for side in ("left", "right"))


ARMS_AND_LEGS = chain("shoulder", "elbow", "wrist") + chain("hip", "knee", "ankle")

COCO = Skeleton(
    name="coco",
    keypoints=(
        "nose",
        *(side for pair in sided("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in pair),
    ),
    limbs=(
        *chain("eye", "ear"),
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        *chain("shoulder", "hip"),
        *ARMS_AND_LEGS,
    ),
    flip_pairs=sided("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
        *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
    upper_body=("nose", *(side for pair in sided("eye", "ear", "shoulder", "elbow", "wrist") for side in pair)),
)

MPII = Skeleton(
    name="mpii",
    keypoints=(
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "upper_neck", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    ),
    limbs=(
        ("head_top", "upper_neck"),
        ("upper_neck", "thorax"),
        ("thorax", "pelvis"),
        ("thorax", "left_shoulder"),
        ("thorax", "right_shoulder"),
        ("pelvis", "left_hip"),
        ("pelvis", "right_hip"),
        *ARMS_AND_LEGS,
    ),
    flip_pairs=sided("ankle", "knee", "hip", "wrist", "elbow", "shoulder"),
    upper_body=(
        *("thorax", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    ),
)

LSPET = Skeleton(
    name="lspet",
    keypoints=(
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
        *("neck", "head_top"),
    ),
    limbs=(
        ("head_top", "neck"),
        ("neck", "left_shoulder"),
        ("neck", "right_shoulder"),
        *chain("shoulder", "hip"),
        *ARMS_AND_LEGS,
    ),
    flip_pairs=sided("ankle", "knee", "hip", "wrist", "elbow", "shoulder"),
    upper_body=(
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
        *("neck", "head_top"),
    ),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO, MPII, LSPET)}
