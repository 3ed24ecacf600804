"""Which pose found belongs to which annotated person: COCO's greedy matching by OKS, all thresholds at once.

Same results as pycocotools (`evaluateImg`, keypoints). It is written anew because the intervals, the error breakdown
and the worst people need the partner of every pose at every threshold, which no library tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet.results.pose import Pose
from hrnet.scoring.oks import similarity

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RANGES = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
MOST_POSES = 20  # best poses of a picture that take part
AT_ONCE = 256  # pictures that are matched together
PAIRS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Truths:
    """The annotated people of a data set, picture by picture, within one in the order of the file.

    `picture` (G,) counts pictures in the order of their ids; `keypoints` (G, K, 2) and `visibility` (G, K) are COCO's,
    `area` (G,) the segments', `box` (G, 4) x, y, width, height. `ignored` are crowds and people without a labelled
    keypoint: what matches them is neither right nor wrong. `source` (G,) is the place in the list of annotations.
    """

    picture: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    area: np.ndarray
    box: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.picture)


@dataclass(frozen=True)
class Found:
    """Poses found: `picture` (D,) as in `Truths`, `keypoints` (D, K, 2), `joint_scores` (D, K), `score` (D,); `area`
    (D,) is the extent of the keypoints, and `source` (D,) the place in the list that the poses came in."""

    picture: np.ndarray
    keypoints: np.ndarray
    joint_scores: np.ndarray
    score: np.ndarray
    area: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.picture)

    def surest(self, most: int | None = None) -> "Found":
        """The poses picture by picture, the surest first, at most `most` of each picture."""
        order = np.lexsort((-self.score, self.picture))
        rank = np.arange(len(order)) - np.searchsorted(self.picture[order], self.picture[order])
        order = order if most is None else order[rank < most]
        return Found(**{name: values[order] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Matches:
    """Who was found, for each area range (A) and OKS threshold (T).

    `partner` (A, T, D) is the place of the truth that a pose matched, -1 for none. `right` and `wrong` (A, T, D) are
    the poses that count for and against; a pose may be neither. `counted` (A, G) are the people to be found. `order`
    (D,) sorts the poses of all pictures, the surest first.
    """

    truths: Truths
    found: Found
    sigmas: np.ndarray
    partner: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    counted: np.ndarray
    order: np.ndarray


def positions(image_ids: Sequence[Any]) -> dict[Any, int]:
    """Pictures in the order of their ids, in which ties between scores are broken."""
    numbers = all(isinstance(each, int) for each in image_ids)
    return {each: place for place, each in enumerate(sorted(set(image_ids), key=None if numbers else str))}


def truths_of(annotations: Sequence[Mapping[str, Any]], places: Mapping[Any, int], count: int) -> Truths:
    """The people in COCO-style annotations; `places` are the pictures' positions, `count` the keypoints of one."""
    picture = np.array([places[each["image_id"]] for each in annotations], int)
    source = np.argsort(picture, kind="stable")
    rows = [annotations[s] for s in source]
    values = np.array([each.get("keypoints") or [0] * 3 * count for each in rows], float).reshape(-1, count, 3)
    crowd = np.array([bool(each.get("iscrowd", 0)) for each in rows], bool)
    return Truths(
        picture=picture[source],
        keypoints=values[..., :2],
        visibility=values[..., 2],
        area=np.array([each["area"] for each in rows], float),
        box=np.array([each["bbox"] for each in rows], float).reshape(-1, 4),
        crowd=crowd,
        ignored=crowd | np.array([each["num_keypoints"] == 0 for each in rows], bool),
        source=source,
    )


def found_of(poses: Sequence[tuple[int, Pose]], count: int) -> Found:
    """The poses of `(picture's position, pose)`, of `count` keypoints each; what is not finite counts as 0."""
    keypoints = np.array([pose.keypoints for _, pose in poses], float).reshape(-1, count, 2)
    keypoints = np.nan_to_num(keypoints, posinf=0, neginf=0)
    sides = np.ptp(keypoints, axis=1)
    return Found(
        picture=np.array([place for place, _ in poses], int),
        keypoints=keypoints,
        joint_scores=np.array([pose.scores for _, pose in poses], float).reshape(-1, count),
        score=np.nan_to_num(np.array([pose.score for _, pose in poses], float)),
        area=sides[:, 0] * sides[:, 1],
        source=np.arange(len(poses)),
    )


def match(
    truths: Truths,
    found: Found,
    sigmas: np.ndarray,
    thresholds: np.ndarray = THRESHOLDS,
    ranges: Sequence[tuple[float, float]] = tuple(RANGES.values()),
) -> Matches:
    """Match poses to people as pycocotools does: the surest pose first takes the person whom it fits best, if its OKS
    reaches the threshold; people who are ignored (crowds, unlabelled ones, other sizes) only where no other is left.

    The 20 surest poses of a picture take part, in the order of `Found.surest`.
    """
    found = found.surest(MOST_POSES)
    low, high = np.array(ranges).T[..., None]
    ignored = truths.ignored | (truths.area < low) | (truths.area > high)  # (A, G)
    partner = np.full((len(ranges), len(thresholds), len(found)), -1)
    for poses, people, oks in blocks(truths, found, sigmas):
        valid = poses >= 0
        told = ignored[:, people] | (people < 0)
        matched = greedy(oks, told, truths.crowd[people], thresholds)  # (A, T, P, R), a column of `people` or -1
        rows = np.arange(len(people))[:, None]
        partner[..., poses[valid]] = np.where(matched < 0, -1, people[rows, matched])[..., valid]
    outside = (found.area < low) | (found.area > high)
    rows = np.arange(len(ranges))[:, None, None]
    free = (partner < 0) & ~outside[:, None]
    hit = (partner >= 0) & ~ignored[rows, partner] if len(truths) else np.zeros_like(free)
    order = np.argsort(-found.score, kind="stable")
    return Matches(truths, found, sigmas, partner, hit, free, ~ignored, order)


def nearest(truths: Truths, found: Found, sigmas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The person of its picture, of those not ignored, whom each pose resembles most: position (D,), -1 where there is
    nobody, and OKS (D,), then 0. `found` must be sorted as `Found.surest` does."""
    oks, person = np.zeros(len(found)), np.full(len(found), -1)
    for poses, people, alike in blocks(truths, found, sigmas):
        valid = poses >= 0
        real = np.where((truths.ignored[people] | (people < 0))[:, None], -1, alike)
        best = real.max(axis=2)
        choice = people[np.arange(len(people))[:, None], real.argmax(axis=2)]
        oks[poses[valid]] = np.maximum(best, 0)[valid]
        person[poses[valid]] = np.where(best < 0, -1, choice)[valid]
    return person, oks


def blocks(truths: Truths, found: Found, sigmas: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pictures that have both people and poses, some at a time: positions of their poses (P, R) and people (P, G),
    padded with -1, and OKS (P, R, G), -1 where padded."""
    of_poses, counts = np.unique(found.picture, return_counts=True)
    starts = np.searchsorted(truths.picture, of_poses)
    sizes = np.searchsorted(truths.picture, of_poses, side="right") - starts
    begins = np.cumsum(counts) - counts
    for chosen in split(np.argsort(sizes, kind="stable"), sizes):
        poses = padded(begins[chosen], counts[chosen])
        people = padded(starts[chosen], sizes[chosen])
        p, r, g = np.nonzero((poses >= 0)[:, :, None] & (people >= 0)[:, None])
        oks = np.full((len(chosen), poses.shape[1], people.shape[1]), -1.0)
        for part in range(0, len(p), PAIRS_AT_ONCE):
            at = p[part : part + PAIRS_AT_ONCE], r[part : part + PAIRS_AT_ONCE], g[part : part + PAIRS_AT_ONCE]
            oks[at] = oks_of(truths, people[at[0], at[2]], found.keypoints[poses[at[0], at[1]]], sigmas)
        yield poses, people, oks


def split(pictures: np.ndarray, sizes: np.ndarray) -> Iterator[np.ndarray]:
    """Pictures with people, in portions of about equal numbers of people each."""
    pictures = pictures[sizes[pictures] > 0]
    for begin in range(0, len(pictures), AT_ONCE):
        yield pictures[begin : begin + AT_ONCE]


def padded(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rows of consecutive positions, (P, most), -1 behind the last of each."""
    steps = np.arange(counts.max())
    return np.where(steps < counts[:, None], starts[:, None] + steps, -1)


def oks_of(truths: Truths, people: np.ndarray, keypoints: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """COCO's OKS (N,) of people, given by position (N,), and poses (N, K, 2): the mean over labelled keypoints.

    For someone without labelled keypoints distances are those to the outside of the doubled box.
    """
    labelled = truths.visibility[people] > 0
    away = keypoints - truths.keypoints[people]
    blank = ~labelled.any(axis=1)
    if blank.any():
        corner, sides = np.split(truths.box[people[blank]][:, None], 2, axis=-1)
        beyond = np.maximum(corner - sides - keypoints[blank], 0), np.maximum(keypoints[blank] - corner - 2 * sides, 0)
        away[blank] = beyond[0] + beyond[1]
        labelled[blank] = True
    alike = similarity(away, truths.area[people], sigmas)
    return (alike * labelled).sum(axis=1) / labelled.sum(axis=1)


def greedy(oks: np.ndarray, ignored: np.ndarray, crowd: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Partners (A, T, P, R) as columns of `oks` (P, R, G), -1 for none; `ignored` (A, P, G), `crowd` (P, G).

    A crowd may be matched by several poses. Of people who fit equally well the last one of the file is taken.
    """
    least = np.minimum(thresholds, 1 - 1e-10)[:, None, None]
    last = oks.shape[2] - 1
    taken = np.zeros((len(ignored), len(thresholds), len(oks), oks.shape[2]), bool)
    partner = np.full((len(ignored), len(thresholds), len(oks), oks.shape[1]), -1)
    for r in range(oks.shape[1]):
        fits = (~taken | crowd) & (oks[:, r] >= least)
        real = fits & ~ignored[:, None]
        eligible = np.where(real.any(axis=-1, keepdims=True), real, fits)
        choice = last - np.where(eligible, oks[:, r], -1)[..., ::-1].argmax(axis=-1)
        chosen = (np.arange(last + 1) == choice[..., None]) & eligible
        partner[..., r] = np.where(chosen.any(axis=-1), choice, -1)
        taken |= chosen
    return partner
