"""95 % bootstrap intervals: how much a figure would vary if other people had been photographed.

People are drawn with replacement, as many as there are, and the figure is computed anew (Efron 1979, percentiles). The
draws are seeded, so a figure's interval is always the same.
"""

import numpy as np

from hrnet.scoring.curves import RECALLS
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

    A pose is drawn along with the person it matched at the lowest threshold, a false alarm with the person of its
    picture whom it resembles most, one in a picture without people by itself.
    """
    people = np.flatnonzero(matches.counted[0])
    if not len(people):
        return {}
    units, total = units_of(matches, people)
    right, wrong = matches.right[0][:, matches.order], matches.wrong[0][:, matches.order]
    groups: dict[bytes, tuple[np.ndarray, dict[int, np.ndarray]]] = {}  # thresholds at which the same poses count
    for t, kept in enumerate(right | wrong):
        groups.setdefault(kept.tobytes(), (units[kept], {}))[1][t] = np.flatnonzero(right[t, kept])
    rng = np.random.default_rng(0)
    values = []
    for _ in range(ROUNDS_OF_AP if len(matches.found) <= MANY_POSES else FEWER_ROUNDS):
        weights = np.bincount(rng.integers(total, size=total), minlength=total)
        wanted = int(weights[: len(people)].sum())
        areas = np.zeros(len(right))
        for drawn, curves in groups.values():
            each = weights[drawn]
            seen = np.cumsum(each)
            for t, hits in curves.items():
                areas[t] = area_under(each[hits], seen[hits], wanted)
        values.append((np.mean(areas), areas[0], areas[5]))
    return {name: limits(column) for name, column in zip(("AP", "AP50", "AP75"), np.array(values).T, strict=True)}


def area_under(right: np.ndarray, seen: np.ndarray, wanted: int) -> float:
    """AP at one threshold from the weights `right` (R,) of the poses that are right, the surest first, the weight
    `seen` (R,) of all poses up to each of them, and that of all people. The same as `curves.interpolated`."""
    if not len(right) or not wanted:
        return 0.0
    found = np.cumsum(right)
    precision = np.maximum.accumulate((found / np.maximum(seen, 1))[::-1])[::-1]
    place = np.searchsorted(found / wanted, RECALLS, side="left")
    return float(precision[place[place < len(right)]].sum() / len(RECALLS))


def units_of(matches: Matches, people: np.ndarray) -> tuple[np.ndarray, int]:
    """With whom each pose is drawn (D,), the surest first, and how many there are to draw from: first the `people` to
    be found, then poses that are by themselves."""
    place = np.full(len(matches.truths) + 1, -1)  # the last one is nobody
    place[people] = np.arange(len(people))
    matched = place[matches.partner[0, 0]]
    alike = place[nearest(matches.truths, matches.found, matches.sigmas)[0]]
    units = np.where(matched >= 0, matched, alike)
    alone = np.flatnonzero(units < 0)
    units[alone] = len(people) + np.arange(len(alone))
    return units[matches.order], len(people) + len(alone)
