"""Where a person's missing joints are: the cell at which heatmap less rounded tag distance is highest.

The published search looks at every cell for every person and joint, found or not. This one gives the same cells, and
looks only where the highest can be: first at the highest cells of the heatmap, which settles most, then at the cells
whose first tag is near enough to matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TOP = 2048  # cells that are looked at first
BINS = 4  # per unit of the first tag
PORTION = 20_000  # cells scored at a time
LARGEST = 16_000
MANY = 1 / 32  # a bin that holds more of all cells is not listed: the map's background


@dataclass
class Search:
    """The best cell so far of each of N wanted tags: its score and its place in the map, row by row."""

    tags: np.ndarray
    scores: np.ndarray
    cells: np.ndarray

    @classmethod
    def of(cls, tags: np.ndarray) -> "Search":
        """Nothing found yet for tags (N, D)."""
        return cls(tags, np.full(len(tags), -np.inf, np.float32), np.full(len(tags), np.iinfo(np.int64).max))

    def offer(self, who: np.ndarray, scores: np.ndarray, cells: np.ndarray) -> None:
        """Take what is better for `who` (M,): the best of `scores` (M, n) at `cells` (n,) or (M, n). Of equally good
        cells the first of the map counts."""
        best = scores.max(axis=1)
        first = np.where(scores == best[:, None], cells, np.iinfo(np.int64).max).min(axis=1)
        better = (best > self.scores[who]) | ((best == self.scores[who]) & (first < self.cells[who]))
        chosen = who[better]
        self.scores[chosen], self.cells[chosen] = best[better], first[better]


def strongest(heatmap: np.ndarray, tags: np.ndarray, wanted: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """The cells (N,), counted row by row, at which `heatmap` (h, w) less the rounded distance of `tags` (h, w, D) to
    each of `wanted` (N, D) is highest; the first of equally high ones. `peaks` are some high cells to begin with."""
    values, planes = heatmap.reshape(-1), tags.reshape(-1, tags.shape[2]).T
    search, everybody = Search.of(wanted), np.arange(len(wanted))
    count = min(TOP, len(values))
    top = np.argpartition(values, len(values) - count)[len(values) - count :]
    if len(peaks):
        search.offer(everybody, scored(values[peaks], planes[:, peaks], wanted), peaks)
    Listing(values, planes, top).offer(search, everybody, float(values[top].max()))
    limit = values[top].min()
    left = np.flatnonzero(search.scores <= limit)
    if len(left) and count < len(values):
        Listing(values, planes).offer(search, left, float(limit))
    return search.cells


def strongest_of(heatmap: np.ndarray, tags: np.ndarray, wanted: np.ndarray, cells: np.ndarray) -> int:
    """Of some `cells` (n,), counted row by row, the one at which `heatmap` (h, w) less the rounded distance of `tags`
    (h, w, D) to `wanted` (D,) is highest."""
    planes = tags.reshape(-1, tags.shape[2])[cells].T
    return int(cells[scored(heatmap.reshape(-1)[cells], planes, wanted[None])[0].argmax()])


def scored(values: np.ndarray, tags: Sequence[np.ndarray] | np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Heatmap values (n,) or (N, n) less the rounded distances of tags, D times that, to wanted ones (N, D), in float32
    as published."""
    squares = np.zeros((), np.float32)
    for plane, want in zip(tags, wanted.T, strict=True):
        away = plane - want[:, None]
        away *= away
        squares = away if squares.ndim == 0 else np.add(squares, away, out=squares)
    distances = np.sqrt(squares, out=squares)
    return np.subtract(values, np.rint(distances, out=distances), out=distances)


class Listing:
    """The cells of a map, sorted by their first tag; the background, where tags are much alike, is not listed."""

    def __init__(self, values: np.ndarray, planes: np.ndarray, cells: np.ndarray | None = None) -> None:
        self.values, self.planes = values, planes
        codes = np.floor((planes[0] if cells is None else planes[0, cells]) * np.float32(BINS))
        if max(-codes.min(), codes.max()) > LARGEST:
            np.clip(codes, -LARGEST, LARGEST, out=codes)
        codes = codes.astype(np.int16)  # NumPy sorts 16 bits by radix
        self.lowest = int(codes.min())
        codes -= self.lowest
        counts = np.bincount(codes)
        self.many = counts > MANY * len(values)
        listed = np.flatnonzero(~self.many[codes])
        listed = listed[np.argsort(codes[listed], kind="stable")]
        self.cells = listed if cells is None else cells[listed]
        self.ends = np.concatenate([[0], np.cumsum(np.where(self.many, 0, counts))])

    def offer(self, search: Search, left: np.ndarray, limit: float) -> None:
        """Let the wanted tags `left` find what is better; no cell that they have not seen is higher than `limit`.

        A cell whose rounded distance is above `limit` less the best score cannot win, so only those of similar first
        tag are looked at.
        """
        reach = np.floor(np.maximum(limit - search.scores[left], 0)) + 0.5
        middle, most = search.tags[left, 0], len(self.many)
        low = np.clip(np.floor((middle - reach) * BINS) - self.lowest, 0, most).astype(int)
        high = np.clip(np.floor((middle + reach) * BINS) - self.lowest + 1, 0, most).astype(int)
        crowded = np.concatenate([[0], np.cumsum(self.many)])
        sizes = self.ends[high] - self.ends[low]
        whole = (crowded[high] > crowded[low]) | (sizes > len(self.values) // 8)
        for who in left[whole]:
            one = np.array([who])
            search.offer(one, scored(self.values, self.planes, search.tags[one]), np.arange(len(self.values)))
        some = np.flatnonzero(~whole & (sizes > 0))
        some = some[np.argsort(sizes[some])]
        values, planes = self.values[self.cells], self.planes[:, self.cells]
        for part in np.array_split(some, max(1, int(sizes[some].sum()) // PORTION)):
            if len(part):
                steps = np.arange(sizes[part].max())
                places = np.minimum(self.ends[low[part]][:, None] + steps, self.ends[high[part]][:, None] - 1)
                found = scored(values[places], [plane[places] for plane in planes], search.tags[left[part]])
                search.offer(left[part], found, self.cells[places])
