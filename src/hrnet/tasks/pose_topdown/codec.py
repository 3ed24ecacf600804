"""Keypoints to maps and back. Two kinds, each the inverse of itself:

- "gaussian", as published: a Gaussian of peak 1 around the nearest cell; back by arg-max and a quarter-cell shift.
- "distribution": where the joint lies, as a probability over cells; back by the mean around the highest cell.

Arrays: K keypoints, maps (N, K, h, w); points are (x, y) in pixels of the network's input, cells (x, y) in the map.
"""

import numpy as np

from hrnet.geometry import Convention
from hrnet.tasks.pose_topdown.settings import PoseRecipe


class Codec:
    """The two directions, as a recipe sets them."""

    def __init__(self, recipe: PoseRecipe) -> None:
        self.settings = recipe.codec
        self.size = recipe.model.input_size
        width, height = self.size
        self.map_size = width // 4 // 2**recipe.model.stream, height // 4 // 2**recipe.model.stream
        self.stride = stride(self.size, self.map_size, recipe.framing.convention)

    def encode(self, points: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (K, 2) and labelled (K,) to target maps (K, h, w) float32 and weights (K,) float32."""
        cells = np.asarray(points, float) / self.stride
        if self.settings.kind == "gaussian":
            return gaussian_maps(cells, labelled, self.map_size, self.settings.sigma)
        return distributions(cells, labelled, self.map_size, self.settings.sigma, self.settings.absent_weight)

    def activate(self, maps: np.ndarray) -> np.ndarray:
        """What may be averaged over several views: the maps themselves, or probabilities."""
        return maps if self.settings.kind == "gaussian" else softmax(maps)

    def decode(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Activated maps (N, K, h, w) to points (N, K, 2) and scores (N, K)."""
        if self.settings.kind == "gaussian":
            cells, scores = highest(maps)
            cells = quarter_shift(maps, cells) if self.settings.quarter_shift else cells
        else:
            cells, scores = local_mean(maps, radius=int(np.ceil(2 * self.settings.sigma)))
        return cells * self.stride, scores


def stride(size: tuple[int, int], map_size: tuple[int, int], convention: Convention) -> np.ndarray:
    """Input pixels per cell (x, y): W / w as published, or (W - 1) / (w - 1), which makes the corners meet (UDP)."""
    ends = np.array([size, map_size], float) - (convention == "unbiased")
    return ends[0] / ends[1]


def gaussian_maps(
    cells: np.ndarray, labelled: np.ndarray, map_size: tuple[int, int], sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Published `generate_target`: a patch of 6 sigma + 1 cells around the nearest cell, cut at the map's edge.

    A joint whose patch lies outside has weight 0. Kept from the published code: rounding is towards zero after
    adding a half, and a patch that ends exactly at the first row or column counts as inside although it is empty.
    """
    width, height = map_size
    nearest = np.trunc(cells + 0.5)
    reach = 3 * sigma
    start, stop = np.trunc(nearest - reach), np.trunc(nearest + reach + 1)
    inside = (start < [width, height]).all(axis=1) & (stop >= 0).all(axis=1)
    weights = (np.asarray(labelled) * inside).astype(np.float32)

    patch = np.arange(int(6 * sigma + 1), dtype=np.float32) - (6 * sigma + 1) // 2
    bell = np.exp(-(patch**2) / (2 * sigma**2))
    maps = np.zeros((len(cells), height, width), np.float32)
    for k in np.flatnonzero(weights > 0.5):
        (x0, y0), (x1, y1) = start[k].astype(int), stop[k].astype(int)
        left, right = max(x0, 0), min(x1, width)
        top, bottom = max(y0, 0), min(y1, height)
        column, row = bell[left - x0 : right - x0], bell[top - y0 : bottom - y0]
        maps[k, top : top + len(row), left : left + len(column)] = row[:, None] * column
    return maps, weights


def distributions(
    cells: np.ndarray, labelled: np.ndarray, map_size: tuple[int, int], sigma: float, absent_weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where each joint lies as probabilities that sum to 1 over the cells.

    A labelled joint outside the map is known to be absent: its target is flat, with weight `absent_weight`.
    """
    width, height = map_size
    inside = ((cells >= -0.5) & (cells <= np.array(map_size) - 0.5)).all(axis=1)
    columns = np.exp(-((np.arange(width) - cells[:, :1]) ** 2) / (2 * sigma**2))
    rows = np.exp(-((np.arange(height) - cells[:, 1:]) ** 2) / (2 * sigma**2))
    columns[~inside], rows[~inside] = 1, 1
    columns /= columns.sum(axis=1, keepdims=True)
    rows /= rows.sum(axis=1, keepdims=True)
    weights = np.asarray(labelled) * np.where(inside, 1.0, absent_weight)
    return (rows[:, :, None] * columns[:, None, :]).astype(np.float32), weights.astype(np.float32)


def softmax(maps: np.ndarray) -> np.ndarray:
    """Softmax over the cells of each map (N, K, h, w)."""
    powers = np.exp(maps - maps.max(axis=(2, 3), keepdims=True))
    return powers / powers.sum(axis=(2, 3), keepdims=True)


def highest(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first highest cell of each map, (N, K, 2) as float32, and its value (N, K).

    As published, a map without a positive value answers cell (0, 0).
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    index = flat.argmax(axis=2)
    scores = np.take_along_axis(flat, index[..., None], axis=2)[..., 0]
    cells = np.stack([index % maps.shape[3], index // maps.shape[3]], axis=-1).astype(np.float32)
    return cells * (scores > 0)[..., None], scores


def quarter_shift(maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Move each cell a quarter towards its higher neighbour, in x and in y (published `get_final_preds`).

    As published, cells in the first two and in the last row or column stay where they are.
    """
    height, width = maps.shape[2:]
    x, y = cells.astype(int).transpose(2, 0, 1)
    inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    n, k = np.indices(x.shape)
    x, y = np.where(inner, x, 1), np.where(inner, y, 1)
    slope = np.stack(
        [maps[n, k, y, x + 1] - maps[n, k, y, x - 1], maps[n, k, y + 1, x] - maps[n, k, y - 1, x]], axis=-1
    )
    return cells + 0.25 * np.sign(slope) * inner[..., None]


def local_mean(probabilities: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean cell (N, K, 2) within `radius` of the highest one, and the probability gathered there (N, K)."""
    count, keypoints, _, width = probabilities.shape
    padded = np.pad(probabilities, ((0, 0), (0, 0), (radius, radius), (radius, radius)))
    index = probabilities.reshape(count, keypoints, -1).argmax(axis=2)
    x, y = index % width, index // width
    steps = np.arange(2 * radius + 1)
    n, k = np.indices(x.shape)
    window = padded[
        n[..., None, None],
        k[..., None, None],
        (y[..., None] + steps)[..., :, None],
        (x[..., None] + steps)[..., None, :],
    ]
    scores = window.sum(axis=(2, 3))
    share = window / np.maximum(scores, 1e-12)[..., None, None]
    offset = np.stack([(share.sum(axis=2) * steps).sum(axis=2), (share.sum(axis=3) * steps).sum(axis=2)], axis=-1)
    return np.stack([x, y], axis=-1) + offset - radius, scores


def flip_back(maps: np.ndarray, flip_order: np.ndarray, shift: bool) -> np.ndarray:
    """Maps (N, K, h, w) of the mirrored input as maps of the input itself.

    `shift` moves them one cell right, as published: there, mirroring the input and mirroring the map differ by three
    quarters of a cell. Column 0 keeps its value.
    """
    back = maps[:, flip_order, :, ::-1].copy()
    if shift:
        back[..., 1:] = back[..., :-1].copy()
    return back
