"""PCK and PCKh: the share of keypoints that lie closer to the truth than a share of the person's size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from hrnet.datasets.records import Person, PoseData
from hrnet.datasets.skeleton import Skeleton
from hrnet.errors import HRNetError
from hrnet.results.pose import Pose
from hrnet.scoring.bootstrap import ratio, ratio_interval

HEAD = 0.6  # of the diagonal of MPII's head box is one head size (SC_BIAS of the published evaluation)
NOT_IN_MEAN = ("pelvis", "thorax")  # of MPII's keypoints: PCKh counts them by themselves alone
PARTS = {"head": ("head_top",)} | {
    part: (f"left_{part}", f"right_{part}") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}


@dataclass(frozen=True)
class Errors:
    """Distances to the truth in person sizes, `relative` (N, K): NaN where nothing is labelled, infinite where nobody
    was found. `names` are the keypoints, which poses and truth share."""

    relative: np.ndarray
    names: tuple[str, ...]

    @property
    def counted(self) -> np.ndarray:
        """(N, K) labelled keypoints."""
        return ~np.isnan(self.relative)

    def within(self, share: float, reaching: bool = False) -> np.ndarray:
        """(N, K) joints closer than `share`; as close counts too where `reaching`."""
        return self.relative <= share if reaching else self.relative < share

    def of(self, names: Sequence[str]) -> "Errors":
        """The errors of some keypoints."""
        return Errors(self.relative[:, [self.names.index(name) for name in names]], tuple(names))


def scored(person: Person) -> bool:
    """Whether a person takes part: published code predicts those with a labelled keypoint that are no crowd."""
    return not person.crowd and bool(person.visibility.any())


def pck(
    data: PoseData, people: Sequence[Sequence[Person]], poses: Sequence[Sequence[Pose | None]], share: float = 0.2
) -> dict[str, Any]:
    """PCK: the share of joints closer to the truth than `share` of the torso (right shoulder to left hip, as labelled).

    `poses` hold the pose of each of the `people`, None for one who was not found. Pooled over all joints that network
    and truth share, and per joint. People whose torso is not labelled are left out. Sets whose skeleton has no torso
    are measured by the longer side of a person's box. Intervals are 95 % bootstrap intervals over people.
    """
    torso = data.skeleton.torso
    errors = errors_of(data, people, poses, size_in(data))
    if not errors.counted.any():
        raise HRNetError(
            f"{data.name} has no person with a labelled torso (right_shoulder and left_hip): PCK is undefined"
            if torso
            else f"{data.name} has no person with a labelled keypoint: PCK is undefined"
        )
    shares = (share,) if torso else (0.1, 0.05)
    metrics, intervals = {}, {}
    for each in shares:
        hits = errors.within(each)
        metrics[f"PCK@{each:g}"] = ratio(hits, errors.counted)
        intervals[f"PCK@{each:g}"] = ratio_interval(hits.sum(axis=1), errors.counted.sum(axis=1))
    return {
        "metrics": metrics,
        "interval": intervals,
        "per_joint": per_joint(errors, errors.within(shares[0])),
        "people": int(errors.counted.any(axis=1).sum()),
        "joints": int(errors.counted.sum()),
    }


def pckh(data: PoseData, people: Sequence[Sequence[Person]], poses: Sequence[Sequence[Pose | None]]) -> dict[str, Any]:
    """PCKh of MPII: the share of joints no farther from the truth than half a head, 0.6 of the head box's diagonal.

    `PCKh@0.1` is at a tenth of a head. `PCKh@0.1_published` is what papers that used the published code print by that
    name: it reads the table of thresholds one entry too far, at 0.11. The mean weighs joints by how often they are
    labelled and leaves pelvis and thorax out; `parts` are the columns of the papers' tables at 0.5, left and right
    averaged. Raises `HRNetError` where no head boxes are known.
    """
    errors = errors_of(data, people, poses, size_in(data))
    if not errors.counted.any():
        raise HRNetError(f"{data.name} has no person with a head box: PCKh needs gt_valid.mat beside the annotations")
    whole = errors.of([name for name in errors.names if name not in NOT_IN_MEAN])
    metrics, intervals = {}, {}
    for name, share in (("PCKh@0.5", 0.5), ("PCKh@0.1", 0.1), ("PCKh@0.1_published", 0.11)):
        hits = whole.within(share, reaching=True)
        metrics[name] = ratio(hits, whole.counted)
        intervals[name] = ratio_interval(hits.sum(axis=1), whole.counted.sum(axis=1))
    return {
        "metrics": metrics,
        "interval": intervals,
        "parts": {part: round(value, 4) for part, value in parts_of(errors).items()},
        "per_joint": per_joint(errors, errors.within(0.5, reaching=True)),
        "people": int(whole.counted.any(axis=1).sum()),
        "joints": int(whole.counted.sum()),
    }


def parts_of(errors: Errors) -> dict[str, float]:
    """PCKh@0.5 of the head and of each pair of joints, as papers print it: left and right averaged."""
    parts = {}
    for part, names in PARTS.items():
        each = errors.of([name for name in names if name in errors.names])
        wholes = each.counted.sum(axis=0)
        if wholes.all() and len(wholes):
            parts[part] = float((each.within(0.5, reaching=True).sum(axis=0) / wholes).mean())
    return parts


def per_joint(errors: Errors, hits: np.ndarray) -> dict[str, dict[str, Any]]:
    """The share of hits of each labelled joint, with its interval."""
    counted = errors.counted
    return {
        name: {"value": ratio(hits[:, k], counted[:, k]), "interval": ratio_interval(hits[:, k], counted[:, k])}
        for k, name in enumerate(errors.names)
        if counted[:, k].any()
    }


def errors_of(
    data: PoseData,
    people: Sequence[Sequence[Person]],
    poses: Sequence[Sequence[Pose | None]],
    size_of: Callable[[Person], float],
) -> Errors:
    """Distances of each person's pose to the truth in the person's size; people without a size are left out."""
    skeleton = next((pose.skeleton for group in poses for pose in group if pose is not None), data.skeleton)
    names, ours, theirs = shared_keypoints(skeleton, data.skeleton)
    rows = []
    for person, pose in ((p, q) for ps, qs in zip(people, poses, strict=True) for p, q in zip(ps, qs, strict=True)):
        size = size_of(person)
        if np.isnan(size):
            continue
        away = np.full(len(names), np.inf)
        if pose is not None:
            away = np.linalg.norm(pose.keypoints[ours] - person.keypoints[theirs], axis=1) / max(size, 1e-9)
        rows.append(np.where(person.visibility[theirs] > 0, away, np.nan))
    return Errors(np.array(rows, float).reshape(-1, len(names)), names)


def shared_keypoints(found: Skeleton, truth: Skeleton) -> tuple[tuple[str, ...], list[int], list[int]]:
    """Names that two skeletons share, and their positions in each."""
    names = tuple(name for name in found.keypoints if name in truth.keypoints)
    return names, [found.index(name) for name in names], [truth.index(name) for name in names]


def size_in(data: PoseData) -> Callable[[Person], float]:
    """What people of a set are measured by: their heads, their torsos, or the longer side of their boxes."""
    if data.headline == "PCKh@0.5":
        return head_of
    return partial(torso_of, data.skeleton.torso) if data.skeleton.torso else side


def torso_of(ends: tuple[int, int], person: Person) -> float:
    """The distance between a person's right shoulder and left hip, NaN where one of them is not labelled."""
    one, other = person.keypoints[list(ends)]
    return float(np.linalg.norm(one - other)) if person.visibility[list(ends)].all() else float("nan")


def head_of(person: Person) -> float:
    """A person's head size by MPII's head box, NaN where none is known."""
    return float("nan") if person.head is None else HEAD * float(np.linalg.norm(person.head[2:] - person.head[:2]))


def side(person: Person) -> float:
    """The longer side of a person's box."""
    return float(max(person.box[2] - person.box[0], person.box[3] - person.box[1]))


def assign(truth: Skeleton, people: Sequence[Person], poses: Sequence[Pose]) -> list[Pose | None]:
    """The pose of each person, None for who gets none: the pairing with the smallest sum of distances, in sides of the
    people's boxes. For networks that find people by themselves; crowds and unlabelled people must be left out."""
    chosen: list[Pose | None] = [None] * len(people)
    if people and poses:
        _, ours, theirs = shared_keypoints(poses[0].skeleton, truth)
        cost = np.zeros((len(people), len(poses)))
        for p, person in enumerate(people):
            labelled = person.visibility[theirs] > 0
            for q, pose in enumerate(poses):
                away = np.linalg.norm(pose.keypoints[ours] - person.keypoints[theirs], axis=1)[labelled]
                cost[p, q] = away.mean() / max(side(person), 1e-9) if labelled.any() else 0.0
        for p, q in zip(*linear_sum_assignment(cost), strict=True):
            chosen[p] = poses[q]
    return chosen
