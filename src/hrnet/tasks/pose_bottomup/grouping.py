"""Heatmaps and tags to people (associative embedding, Newell et al., NIPS 2017; published `HeatmapParser`).

Arrays: heatmaps (J, h, w), tags (J, h, w, D) with D tag maps per joint (plain and mirrored picture: 2), P people. A
person is a row per joint of x, y in cells, value, and the D tags: (J, 3 + D), zeros where a joint is missing.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from hrnet.machine import cores
from hrnet.tasks.pose_bottomup.assignment import assign
from hrnet.tasks.pose_bottomup.refinement import strongest, strongest_of
from hrnet.tasks.pose_bottomup.settings import Testing

FEWEST_REFINED = 3  # joints from which all ways but "exact" look for the others: fewer do not tell where a person is
NOBODY = 1e10  # cost of a column that stands for no group
# Face, shoulders, hips, elbows, wrists, knees, ankles of COCO's 17 joints; as published, other sets follow it too.
ORDER = (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16)


def group(heatmaps: np.ndarray, tags: np.ndarray, testing: Testing) -> tuple[np.ndarray, np.ndarray]:
    """People (P, J, 3 + D) of a picture, x and y counted from the corner of the first cell, and their scores (P,).

    A shared tag map (1, h, w, D) stands for all joints. Tags may be coarser than heatmaps by a whole factor; they are
    then interpolated at peaks, and missing joints are looked for cell by cell of the tags. As published, the score is
    the mean value of all joints, those missing counted as 0, before missing ones are looked for.
    """
    tags = np.broadcast_to(tags, (len(heatmaps), *tags.shape[1:]))
    peaks = []
    for heatmap, tag in zip(heatmaps, tags, strict=True):
        cells, values = find_peaks(heatmap, testing.nms_kernel, testing.max_people, testing.detection_threshold)
        peaks.append(Peaks(cells, values, tags_at(tag, cells, heatmap.shape)))
    reach = testing.reach * min(heatmaps.shape[1:]) if testing.grouping == "near" else np.inf
    people = match(peaks, testing, reach)
    scores, joints = people[:, :, 2].mean(axis=1), (people[:, :, 2] > 0).sum(axis=1)
    kept = (scores >= testing.score_threshold) & (joints >= testing.fewest_joints)
    people, scores, joints = people[kept], scores[kept], joints[kept]
    if testing.adjust:
        adjust(people, heatmaps)
    if testing.refine:
        sure = joints >= (1 if testing.grouping == "exact" else FEWEST_REFINED)
        people[sure] = refined(people[sure], heatmaps, tags, reach)
    return people, scores


def tags_at(tags: np.ndarray, cells: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Tags (N, D) at cells (N, 2) of a map of `size` (h, w), from tags (h', w', D): bilinear between cells' centres."""
    if tags.shape[:2] == size:
        return tags[cells[:, 1], cells[:, 0]]
    limit = np.array(tags.shape[1::-1])
    at = np.clip((cells + 0.5) * (limit / size[::-1]) - 0.5, 0, limit - 1)
    low = at.astype(int)
    high, share = np.minimum(low + 1, limit - 1), (at - low).astype(np.float32)
    (x0, y0), (x1, y1), (sx, sy) = low.T, high.T, share.T[..., None]
    upper, lower = tags[y0, x0] * (1 - sx) + tags[y0, x1] * sx, tags[y1, x0] * (1 - sx) + tags[y1, x1] * sx
    return upper * (1 - sy) + lower * sy


@dataclass(frozen=True)
class Peaks:
    """The peaks of one joint, highest first: cells (N, 2) of x, y, values (N,) and tags (N, D)."""

    cells: np.ndarray
    values: np.ndarray
    tags: np.ndarray


def joint_order(joints: int) -> tuple[int, ...]:
    """In which order joints are grouped: as published for up to 17; an 18th, the centre, comes first."""
    first = tuple(range(17, joints))
    return (*first, *(joint for joint in ORDER if joint < joints))


def find_peaks(heatmap: np.ndarray, kernel: int, most: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Cells (N, 2) and values (N,) of at most `most` peaks of a heatmap (h, w) above `threshold`, highest first.

    A peak is a cell that equals the highest of the `kernel` x `kernel` square around it, so plateaus keep all cells.
    """
    highest = cv2.dilate(heatmap, np.ones((kernel, kernel), np.uint8))
    # As published, float32 values are compared with the threshold in double precision: float32(0.1) > 0.1.
    y, x = np.nonzero((heatmap == highest) & (heatmap >= np.float32(threshold)))
    values = heatmap[y, x]
    chosen = np.argsort(-values, kind="stable")[:most]
    chosen = chosen[values[chosen].astype(np.float64) > threshold]
    return np.stack([x, y], axis=1)[chosen], values[chosen]


class Groups:
    """People in the making, in order of creation; a group is found by the first component of the tag that opened it."""

    def __init__(self, joints: int, dimensions: int) -> None:
        self.shape = (joints, 3 + dimensions)
        self.people: dict[np.float32, np.ndarray] = {}
        self.tags: dict[np.float32, list[np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.people)

    def open(self, joint: int, row: np.ndarray) -> None:
        """Begin a group with a peak (3 + D,). As published, an existing one with the very same key is taken over."""
        key = row[3]
        self.people.setdefault(key, np.zeros(self.shape, np.float32))[joint] = row
        self.tags[key] = [row[3:]]

    def join(self, key: np.float32, joint: int, row: np.ndarray) -> None:
        """Add a peak to a group."""
        self.people[key][joint] = row
        self.tags[key].append(row[3:])


def match(peaks: list[Peaks], testing: Testing, reach: float = np.inf) -> np.ndarray:
    """People (P, J, 3 + D) float32 from the peaks of each joint, in order of creation (published `match_by_tag`).

    A finite `reach`, in cells, is how far a peak may lie from the nearest joint of the person that it joins; a peak
    that a person within reach has no use for then opens no other.
    """
    joints, dimensions = len(peaks), peaks[0].tags.shape[1]
    groups = Groups(joints, dimensions)
    for turn, joint in enumerate(joint_order(joints)):
        here = peaks[joint]
        rows = np.column_stack([here.cells, here.values, here.tags]).astype(np.float32)
        if not len(rows):
            continue
        if turn == 0 or not len(groups):
            for row in rows:
                groups.open(joint, row)
            continue
        keys = list(groups.people)[: testing.max_people]
        if testing.ignore_too_many and len(keys) == testing.max_people:
            continue
        means = np.array([np.mean(groups.tags[key], axis=0) for key in keys])
        offsets = here.tags[:, None] - means[None]
        distances = np.linalg.norm(offsets.astype(np.float64), axis=2)
        fits = distances < testing.tag_threshold
        if np.isfinite(reach):
            fits &= apart(here.cells, np.array([groups.people[key] for key in keys])) < reach
        partner = dict(partners(distances, here.values, fits, testing))
        for peak, row in enumerate(rows):
            group = partner.get(peak)
            if group is not None and fits[peak, group]:
                groups.join(keys[group], joint, row)
            elif np.isinf(reach) or not fits[peak].any():
                groups.open(joint, row)
    return np.array(list(groups.people.values()), np.float32).reshape(-1, joints, 3 + dimensions)


def apart(cells: np.ndarray, people: np.ndarray) -> np.ndarray:
    """How far cells (N, 2) lie from the nearest joint of each of some people (P, J, 3 + D), (N, P)."""
    away = np.linalg.norm(cells[:, None, None] - people[None, :, :, :2], axis=3)
    return np.where(people[:, :, 2] > 0, away, np.inf).min(axis=2)


def partners(distances: np.ndarray, values: np.ndarray, fits: np.ndarray, testing: Testing) -> list[tuple[int, int]]:
    """Which peak goes with which group, from tag distances (peaks, groups) and which of them fit.

    "gated" and "near" count a distance only where peak and group fit, so that peaks without a group of theirs do not
    push others out of theirs. All but "gated" round distances, as published: of much the same, the higher peak wins.
    """
    peaks, groups = distances.shape
    if testing.grouping in ("gated", "near"):
        tagged = distances if testing.grouping == "gated" else np.round(distances)
        cost = np.where(fits, 100 * tagged - values[:, None], 1e4)
        from scipy.optimize import linear_sum_assignment  # takes a third of a second, and other tasks need it not

        return [(int(p), int(g)) for p, g in zip(*linear_sum_assignment(cost), strict=True)]
    cost = np.round(distances) * 100 - values[:, None] if testing.use_value else distances
    if peaks > groups:
        cost = np.hstack([cost, np.full((peaks, peaks - groups), NOBODY)])
    return [(peak, group) for peak, group in assign(cost) if group < groups]


def adjust(people: np.ndarray, heatmaps: np.ndarray) -> None:
    """Move each found joint a quarter cell towards its higher neighbour and then half a cell right and down, in place.

    As published, equal neighbours mean a quarter up or left; the half makes up for targets' truncated coordinates.
    """
    p, joint = np.nonzero(people[:, :, 2] > 0)
    cells = people[p, joint, :2].astype(int)
    people[p, joint, :2] += shift(heatmaps, joint, cells[:, 0], cells[:, 1])


def shift(heatmaps: np.ndarray, joint: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The quarter and the half of cells (N,), as (N, 2)."""
    height, width = heatmaps.shape[1:]
    right, left = heatmaps[joint, y, np.minimum(x + 1, width - 1)], heatmaps[joint, y, np.maximum(x - 1, 0)]
    below, above = heatmaps[joint, np.minimum(y + 1, height - 1), x], heatmaps[joint, np.maximum(y - 1, 0), x]
    return np.where(np.stack([right > left, below > above], axis=1), 0.25, -0.25) + 0.5


def refined(people: np.ndarray, heatmaps: np.ndarray, tags: np.ndarray, reach: float = np.inf) -> np.ndarray:
    """People (P, J, 3 + D) with missing joints where heatmap less rounded tag distance is highest, if the heatmap is
    positive there. A person's tag is the mean of the tag maps at its found joints (published `refine`).

    A finite `reach`, in cells, is how far from the nearest found joint they are looked for.
    """
    people, step = people.copy(), heatmaps.shape[1] // tags.shape[1]
    found = people[:, :, 2] > 0
    missing = ~found & found.any(axis=1, keepdims=True)
    means = np.zeros((len(people), tags.shape[3]), np.float32)
    for p in np.flatnonzero(found.any(axis=1)):
        x, y = people[p, found[p], :2].astype(int).T // step
        means[p] = tags[np.flatnonzero(found[p]), y, x].mean(axis=0)

    def fill(joint: int) -> None:
        wanted = np.flatnonzero(missing[:, joint])
        if not len(wanted):
            return
        heatmap, width = highest_of_blocks(heatmaps[joint], step), tags.shape[2]
        if np.isfinite(reach):
            blocks = np.array([strongest_of(heatmap, tags[joint], means[p], regions[p]) for p in wanted])
        else:
            columns, rows = people[found[:, joint], joint, :2].astype(int).T // step
            blocks = strongest(heatmap, tags[joint], means[wanted], rows * width + columns)
        y, x = highest_cells(heatmaps[joint], blocks // width, blocks % width, step)
        values = heatmaps[joint, y, x]
        filled = values > 0
        places = np.stack([x, y], axis=1) + shift(heatmaps, np.full(len(wanted), joint), x, y)
        people[wanted[filled], joint, :2], people[wanted[filled], joint, 2] = places[filled], values[filled]

    regions = [around(person, tags.shape[1:3], step, reach) for person in people] if np.isfinite(reach) else []
    with ThreadPoolExecutor(min(cores(), 4)) as pool:  # NumPy lets other threads run while it works on a map
        for _ in pool.map(fill, range(people.shape[1])):
            pass
    return people


def around(person: np.ndarray, size: tuple[int, ...], step: int, reach: float) -> np.ndarray:
    """The blocks of `step` x `step` cells, counted row by row in a map of `size` (h, w) blocks, that lie within `reach`
    cells of a found joint of a person (J, 3 + D)."""
    region = np.zeros(size, np.uint8)
    for x, y in person[person[:, 2] > 0, :2].astype(int) // step:
        cv2.circle(region, (int(x), int(y)), max(1, round(reach / step)), 1, thickness=-1)
    return np.flatnonzero(region)


def highest_of_blocks(heatmap: np.ndarray, step: int) -> np.ndarray:
    """The highest value of each block of `step` x `step` cells."""
    rows = reduce(np.maximum, (heatmap[i::step] for i in range(step)))
    return np.ascontiguousarray(reduce(np.maximum, (rows[:, i::step] for i in range(step))))


def highest_cells(heatmap: np.ndarray, rows: np.ndarray, columns: np.ndarray, step: int) -> tuple[np.ndarray, ...]:
    """Rows and columns of the highest cells of blocks."""
    y, x = np.divmod(np.arange(step * step), step)
    inside = heatmap[rows[:, None] * step + y, columns[:, None] * step + x].argmax(axis=1)
    return rows * step + y[inside], columns * step + x[inside]
