"""Precision over recall, from matched poses."""

from dataclasses import dataclass

import numpy as np

from hrnet.scoring.matching import Matches
from hrnet.scoring.oks import SPACING

RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Curves:
    """`precision` (A, T, 101) at the recalls 0, 0.01, ..., 1, and the last `recall` (A, T); -1 where nobody counts."""

    precision: np.ndarray
    recall: np.ndarray


def curves_of(matches: Matches, pictures: np.ndarray | None = None) -> Curves:
    """Precision over recall for each area range and threshold, of all pictures or of those at some positions."""
    order, counted = matches.order, matches.counted
    if pictures is not None:
        order = order[np.isin(matches.found.picture[order], pictures)]
        counted = counted & np.isin(matches.truths.picture, pictures)
    totals = np.repeat(counted.sum(axis=1)[:, None], matches.right.shape[1], axis=1)
    return interpolated(matches.right[..., order], matches.wrong[..., order], totals)


def interpolated(right: np.ndarray, wrong: np.ndarray, totals: np.ndarray) -> Curves:
    """Curves from what each pose, the surest first, counts for and against (..., D); `totals` (...) are to be found.

    Precision is made to fall with recall, and is read at the first pose that reaches each recall, 0 where none does
    (pycocotools `accumulate`). Counts may be weights.
    """
    hits, misses = np.cumsum(right, axis=-1, dtype=float), np.cumsum(wrong, axis=-1, dtype=float)
    precision = hits / (hits + misses + SPACING)
    precision = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    recall = hits / np.maximum(totals, SPACING)[..., None]
    read = np.zeros((*right.shape[:-1], len(RECALLS)))
    for at in np.ndindex(right.shape[:-1]):
        place = np.searchsorted(recall[at], RECALLS, side="left")
        reached = place < right.shape[-1]
        read[(*at, reached)] = precision[at][place[reached]]
    final = recall[..., -1] if right.shape[-1] else np.zeros(right.shape[:-1])
    empty = totals <= 0
    return Curves(np.where(empty[..., None], -1, read), np.where(empty, -1, final))


def mean(values: np.ndarray) -> float:
    """Mean of the values that exist; -1 where none does."""
    return float(values[values > -1].mean()) if (values > -1).any() else -1.0
