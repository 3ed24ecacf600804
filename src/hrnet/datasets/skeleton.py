"""Skeletons: the names of the keypoints, how they are joined, mirrored and weighed."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hrnet.errors import HRNetError, nearest


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of one kind of being, in the order in which networks and files hold them.

    `limbs` and `flip_pairs` hold names. `sigmas` are the OKS constants in the published form (COCO: 0.026 for the
    nose); empty where a data set never published any. `upper_body` is what the half-body augmentation tells apart.
    Raises `HRNetError` where these do not fit the keypoints.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...] = ()
    flip_pairs: tuple[tuple[str, str], ...] = ()
    sigmas: tuple[float, ...] = ()
    upper_body: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = f"skeleton {self.name!r}"
        if not self.keypoints:
            raise HRNetError(f"{what} has no keypoints: list their names under 'keypoints'")
        for name, times in Counter(self.keypoints).items():
            if times > 1:
                raise HRNetError(f"{what} names the keypoint {name!r} {times} times: every keypoint needs its own name")
        for field, links in (("limbs", self.limbs), ("flip_pairs", self.flip_pairs), ("upper_body", [self.upper_body])):
            for name in (name for link in links for name in link):
                if name not in self.keypoints:
                    raise HRNetError(f"{what}: {field} names {name!r}, no keypoint: {nearest(name, self.keypoints)}")
        for field, links in (("limbs", self.limbs), ("flip_pairs", self.flip_pairs)):
            if any(len(set(link)) != 2 for link in links):
                raise HRNetError(f"{what}: each entry of {field} must be two different keypoints")
        for name, times in Counter(name for pair in self.flip_pairs for name in pair).items():
            if times > 1:
                raise HRNetError(f"{what}: {name!r} stands in {times} flip_pairs: left and right come in pairs")
        if self.sigmas and (len(self.sigmas) != len(self.keypoints) or min(self.sigmas) <= 0):
            raise HRNetError(
                f"{what} has {len(self.sigmas)} sigmas for {len(self.keypoints)} keypoints: give one positive number "
                "each, or none"
            )

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

NECK_AND_TRUNK = (
    ("head_top", "neck"),
    ("neck", "left_shoulder"),
    ("neck", "right_shoulder"),
    ("left_hip", "right_hip"),
    *chain("shoulder", "hip"),
    *ARMS_AND_LEGS,
)
ARMS_AND_HEAD = ("head_top", "neck", *(side for pair in sided("shoulder", "elbow", "wrist") for side in pair))

CROWDPOSE = Skeleton(
    name="crowdpose",
    keypoints=(
        *(side for pair in sided("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in pair),
        *("head_top", "neck"),
    ),
    limbs=NECK_AND_TRUNK,
    flip_pairs=sided("shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
    # crowdposetools, cocoeval.py
    sigmas=(
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
        *(0.079, 0.079),
    ),
    upper_body=ARMS_AND_HEAD,
)

AIC = Skeleton(
    name="aic",
    keypoints=(
        *("right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("head_top", "neck"),
    ),
    limbs=NECK_AND_TRUNK,
    flip_pairs=sided("shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
    # AI Challenger 2017, keypoint_eval.py: its deltas are twice these
    sigmas=(
        *(0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144),
        *(0.03909642, 0.03686941, 0.01981803, 0.03843971, 0.03412318, 0.02415081),
        *(0.01291456, 0.01236173),
    ),
    upper_body=ARMS_AND_HEAD,
)

POSETRACK18 = Skeleton(
    name="posetrack18",
    keypoints=(
        *("nose", "head_bottom", "head_top", "left_ear", "right_ear"),
        *(side for pair in sided("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in pair),
    ),
    limbs=(
        ("head_top", "nose"),
        ("nose", "head_bottom"),
        ("head_bottom", "left_shoulder"),
        ("head_bottom", "right_shoulder"),
        ("left_hip", "right_hip"),
        *chain("shoulder", "hip"),
        *ARMS_AND_LEGS,
    ),
    flip_pairs=sided("ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
    sigmas=COCO.sigmas,  # taken over slot by slot, as the published evaluation of top-down networks does
    upper_body=(
        *("nose", "head_bottom", "head_top", "left_ear", "right_ear"),
        *(side for pair in sided("shoulder", "elbow", "wrist") for side in pair),
    ),
)

# COCO-WholeBody (Jin et al., ECCV 2020): COCO's body, 6 points on the feet, 68 on the face, 21 on each hand.
FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
FOOT = ("big_toe", "small_toe", "heel")
HAND = ("hand_root", *(f"{finger}{joint}" for finger in FINGERS for joint in (1, 2, 3, 4)))
FACE = tuple(f"face-{point}" for point in range(68))
# The face's points on one side and their mirror images on the other (the order of 300-W; the rest lie in the middle).
FACE_SIDES = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)),
)


def hand_limbs(side: str) -> tuple[tuple[str, str], ...]:
    """Each finger as a chain from the hand's root."""
    root = f"{side}_hand_root"
    return tuple(
        link for finger in FINGERS for link in pairwise((root, *(f"{side}_{finger}{joint}" for joint in (1, 2, 3, 4))))
    )


# The published evaluation's constants (COCO-WholeBody, myeval_wholebody.py): feet, face, one hand (both alike).
FOOT_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
FACE_SIGMAS = (
    *(0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041),
    *(0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012),
    *(0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034),
    *(0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008),
    *(0.008, 0.008, 0.01, 0.008),
)
HAND_SIGMAS = (
    *(0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021),
    *(0.032, 0.02, 0.019, 0.022, 0.031),
)

COCO_WHOLEBODY = Skeleton(
    name="coco_wholebody",
    keypoints=(
        *COCO.keypoints,
        *(f"{side}_{part}" for side in ("left", "right") for part in FOOT),
        *FACE,
        *(f"{side}_{part}" for side in ("left", "right") for part in HAND),
    ),
    limbs=(
        *COCO.limbs,
        *((f"{side}_ankle", f"{side}_{part}") for side in ("left", "right") for part in FOOT),
        *((f"{side}_wrist", f"{side}_hand_root") for side in ("left", "right")),
        *(limb for side in ("left", "right") for limb in hand_limbs(side)),
    ),
    flip_pairs=(
        *COCO.flip_pairs,
        *sided(*FOOT),
        *((FACE[a], FACE[b]) for a, b in FACE_SIDES),
        *sided(*HAND),
    ),
    sigmas=(*COCO.sigmas, *FOOT_SIGMAS, *FACE_SIGMAS, *HAND_SIGMAS, *HAND_SIGMAS),
    upper_body=(*COCO.upper_body, *FACE, *(side for pair in sided(*HAND) for side in pair)),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO, MPII, LSPET, CROWDPOSE, AIC, POSETRACK18, COCO_WHOLEBODY)}
