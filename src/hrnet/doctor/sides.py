"""Left and right exchanged, judged by the other people of a set.

Every person is brought to one size and turned so that what does not change when sides are exchanged (unpaired
keypoints, middles of pairs) lies as in the others. Then the person's nearest others are looked for twice: as labelled,
and with all pairs, or one pair, exchanged. Where the exchanged labels are much nearer to what people look like
(keypoints and which of them are labelled), they are likely the right ones. The set must be large enough to know, and
where its people look the same either way, as acrobats from all sides do, few are found.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from hrnet.doctor.faults import finding
from hrnet.doctor.findings import Finding
from hrnet.doctor.labels import Labels

NEARER = 0.4  # natural logarithm of the ratio of squared distances from which an exchange is reported
NEIGHBOURS = 5
FEWEST_PEOPLE = 40
REFERENCE = 2000  # people that the others are compared with, drawn with a fixed seed
ABSENT = 1.0  # squared distance, in person sizes, for a keypoint that only one of two people has


def swapped_sides(labels: Labels) -> Iterator[Finding]:
    """People whose left and right look exchanged: of the whole body, or of one pair."""
    skeleton = labels.skeleton
    pairs = [(skeleton.index(a), skeleton.index(b)) for a, b in skeleton.flip_pairs]
    people, points, labelled = comparable(labels)
    if len(people) < FEWEST_PEOPLE or not pairs:
        return
    poses = aligned(points, labelled, skeleton.flip_order)
    everything = skeleton.flip_order
    orders = [everything, *(exchange(len(skeleton), pair) for pair in pairs)]
    names = ["everything", *(" and ".join(pair) for pair in skeleton.flip_pairs)]
    chosen = np.random.default_rng(0).permutation(len(people))[:REFERENCE]
    as_labelled = distances(poses, labelled, chosen, poses, labelled)
    scores = np.full((len(orders), len(people)), -np.inf)
    for row, order in enumerate(orders):
        changes = (labelled & labelled[:, order] & (order != np.arange(len(order)))).any(axis=1)
        away = distances(poses[:, order], labelled[:, order], chosen, poses, labelled)
        scores[row, changes] = np.log(as_labelled / np.maximum(away, 1e-12))[changes]
    for person in np.flatnonzero(scores.max(axis=0) > NEARER):
        best = int(scores[:, person].argmax())
        says = f"{names[best]}: exchanged they lie {np.exp(scores[best, person] / 2):.1f} times nearer to other people"
        yield finding(labels, "sides-swapped", people[person], says, float(scores[best, person]))


def comparable(labels: Labels) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
    """Annotations with enough keypoints to judge, their points (N, K, 2) and labelled (N, K)."""
    fewest = max(4, len(labels.skeleton) // 3)
    people, points = [], []
    for annotation in labels.annotations:
        found = labels.keypoints(annotation)
        if found is not None and not annotation.get("iscrowd") and (found[:, 2] > 0).sum() >= fewest:
            people.append(annotation)
            points.append(found)
    stacked = np.array(points, float).reshape(-1, len(labels.skeleton), 3)
    return people, stacked[..., :2], stacked[..., 2] > 0


def exchange(count: int, pair: tuple[int, int]) -> np.ndarray:
    """(K,) the order that exchanges one pair."""
    order = np.arange(count)
    order[[pair[0], pair[1]]] = pair[1], pair[0]
    return order


def aligned(points: np.ndarray, labelled: np.ndarray, flip_order: np.ndarray) -> np.ndarray:
    """Points (N, K, 2) of one size, centred and turned alike; 0 where they are not labelled.

    The turn is the one of complex numbers that brings what no exchange changes closest to its mean over the set.
    """
    z = np.where(labelled, points[..., 0] + 1j * points[..., 1], 0)
    count = labelled.sum(axis=1, keepdims=True)
    z = np.where(labelled, z - z.sum(axis=1, keepdims=True) / count, 0)
    size = np.sqrt((abs(z) ** 2).sum(axis=1, keepdims=True) / count)
    z = z / np.maximum(size, 1e-9)
    both = labelled & labelled[:, flip_order]
    middles = np.where(both, (z + z[:, flip_order]) / 2, 0)
    turn = np.ones((len(z), 1), complex)
    for _ in range(3):
        mean = (middles * turn).sum(axis=0) / np.maximum(both.sum(axis=0), 1)
        lead = (np.conj(middles) * mean).sum(axis=1, keepdims=True)
        turn = np.where(abs(lead) > 1e-9, lead / np.maximum(abs(lead), 1e-9), 1)
    z = z * turn
    return np.stack([z.real, z.imag], axis=-1)


def distances(
    poses: np.ndarray, labelled: np.ndarray, chosen: np.ndarray, others: np.ndarray, theirs: np.ndarray
) -> np.ndarray:
    """(N,) mean squared distance of each pose (N, K, 2) to its nearest among the chosen others, itself left out."""
    reference, there = others[chosen], theirs[chosen].astype(float)
    flat, squares = reference.reshape(len(chosen), -1), (reference**2).sum(axis=-1)
    place = np.full(len(poses), -1)
    place[chosen] = np.arange(len(chosen))
    nearest = np.empty(len(poses))
    for start in range(0, len(poses), 512):
        rows = slice(start, start + 512)
        mine, here = poses[rows], labelled[rows].astype(float)
        common = here @ there.T
        apart = (mine**2).sum(axis=-1) @ there.T + here @ squares.T - 2 * mine.reshape(len(mine), -1) @ flat.T
        absent = here.sum(axis=1, keepdims=True) + there.sum(axis=1) - 2 * common
        away = np.where(common >= 4, (np.maximum(apart, 0) + ABSENT * absent) / np.maximum(common, 1), 1e6)
        itself = np.flatnonzero(place[rows] >= 0)
        away[itself, place[rows][itself]] = 1e6
        nearest[rows] = np.partition(away, NEIGHBOURS, axis=1)[:, :NEIGHBOURS].mean(axis=1)
    return np.maximum(nearest, 1e-12)
