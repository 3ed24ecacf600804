"""95 % bootstrap intervals: how much a figure would vary if other people had been photographed.

People are drawn with replacement, as many as there are, and the figure is computed anew (Efron 1979, percentiles). The
draws are seeded, so a figure's interval is always the same.
"""

import numpy as np

from hrnet.scoring.curves import interpolated, mean
from hrnet.scoring.matching import Matches, nearest

ROUNDS = 2000
ROUNDS_OF_AP, FEWER_ROUNDS = 1000, 200
MANY_POSES = 10_000


def ratio(parts: np.ndarray, wholes: np.ndarray) -> float:
    """sum(parts) / sum(wholes), to four digits."""
    return round(float(parts.sum() / wholes.sum()), 4)


def ratio_interval(parts: np.ndarray, wholes: np.ndarray) -> list[float]:
    """Interval of sum(parts) / sum(wholes), both (N,) by person."""
    drawn = np.random.default_rng(0).integers(len(parts), size=(ROUNDS, len(parts)))
    values = parts[drawn].sum(axis=1) / np.maximum(wholes[drawn].sum(axis=1), 1)
    return limits(values)


def limits(values: np.ndarray) -> list[float]:
    """The middle 95 % of values, to four digits."""
    return [round(float(value), 4) for value in np.percentile(values, [2.5, 97.5])]


def ap_intervals(matches: Matches) -> dict[str, list[float]]:
    """Intervals of AP, AP50 and AP75.

    A pose is drawn along with the person it matched at the threshold, a false alarm with the person of its picture
    whom it resembles most, one in a picture without people by itself.
    """
    people = np.flatnonzero(matches.counted[0])
    if not len(people):
        return {}
    units, total = units_of(matches, people)
    right, wrong = matches.right[0][:, matches.order], matches.wrong[0][:, matches.order]
    rng = np.random.default_rng(0)
    values = []
    for _ in range(ROUNDS_OF_AP if len(matches.found) <= MANY_POSES else FEWER_ROUNDS):
        weights = np.bincount(rng.integers(total, size=total), minlength=total)
        drawn = weights[units]
        wanted = np.full(len(right), weights[: len(people)].sum())
        precision = interpolated(right * drawn, wrong * drawn, wanted).precision
        values.append((mean(precision), mean(precision[0]), mean(precision[5])))
    return {name: limits(column) for name, column in zip(("AP", "AP50", "AP75"), np.array(values).T, strict=True)}


def units_of(matches: Matches, people: np.ndarray) -> tuple[np.ndarray, int]:
    """With whom each pose is drawn at each threshold (T, D), the surest first, and how many there are to draw from:
    first the `people` to be found, then poses that are by themselves."""
    place = np.full(len(matches.truths) + 1, -1)  # the last one is nobody
    place[people] = np.arange(len(people))
    alike = place[nearest(matches.truths, matches.found, matches.sigmas)[0]]
    alone = np.flatnonzero(alike < 0)
    alike[alone] = len(people) + np.arange(len(alone))
    matched = place[matches.partner[0]]
    units = np.where(matched >= 0, matched, alike)
    return units[:, matches.order], len(people) + len(alone)
