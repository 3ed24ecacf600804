"""Scores to evidence that may be added up, and to labels; labels to what a network is taught is `samples.py`'s crop.

Scores are (B, K, h, w), sizes (height, width).
"""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from hrnet.machine import cores

BAND = 128  # rows of the picture whose scores are held at once


def evidence(scores: np.ndarray) -> np.ndarray:
    """What is summed over scales and windows: exp of the scores, not their softmax, so that sure answers weigh more.

    As published, and needed for the published multi-scale figures.
    """
    return np.exp(scores)


def mirrored_back(scores: np.ndarray, flip_order: np.ndarray) -> np.ndarray:
    """Scores of the mirrored picture as scores of the picture itself, left and right classes swapped."""
    return scores[:, flip_order, :, ::-1]


def enlarged(scores: np.ndarray, size: tuple[int, ...], aligned: bool) -> np.ndarray:
    """Scores (B, K, h, w) at `size`, bilinear; as they are where the size is that already."""
    if scores.shape[2:] == tuple(size):
        return scores
    return np.stack([[enlarged_plane(plane, size, aligned) for plane in one] for one in scores])


def enlarged_plane(plane: np.ndarray, size: tuple[int, ...], aligned: bool) -> np.ndarray:
    """A plane (h, w) of scores at `size`."""
    height, width = size
    if not aligned:
        return cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    first, second, share = neighbours(len(plane), height, aligned)
    return widened(plane[first] + (plane[second] - plane[first]) * share[:, None], width, aligned)


def labels_of(scores: np.ndarray, size: tuple[int, int], aligned: bool) -> np.ndarray:
    """The class with the highest score at every pixel of a picture of `size`: (B, H, W) uint8.

    Scores are enlarged bilinearly, class after class and a band of rows at a time, so that memory does not grow with
    the picture; bands are shared between cores. The first of equal scores wins, as published.
    """
    height, width = size
    labels = np.zeros((len(scores), height, width), np.uint8)
    first, second, share = neighbours(scores.shape[2], height, aligned)

    def fill(one: np.ndarray, target: np.ndarray, rows: slice) -> None:
        above, below, t = first[rows], second[rows], share[rows, None]
        highest: np.ndarray | None = None
        for k, plane in enumerate(one):
            upper = plane[above]
            row = widened(upper + (plane[below] - upper) * t, width, aligned)
            if highest is None:
                highest = row
                continue
            np.putmask(target[rows], row > highest, k)
            np.maximum(highest, row, out=highest)

    bands = [slice(start, start + BAND) for start in range(0, height, BAND)]
    with ThreadPoolExecutor(min(cores(), 4)) as pool:
        pairs = [(one, target, rows) for one, target in zip(scores, labels, strict=True) for rows in bands]
        for _ in pool.map(lambda pair: fill(*pair), pairs):
            pass
    return labels


def widened(rows: np.ndarray, width: int, aligned: bool) -> np.ndarray:
    """Rows (h, w) float32 as (h, width), bilinear along each row."""
    if not aligned:
        return cv2.resize(rows, (width, len(rows)), interpolation=cv2.INTER_LINEAR)
    first, second, share = neighbours(rows.shape[1], width, aligned)
    left = rows[:, first]
    return left + (rows[:, second] - left) * share


def neighbours(count: int, length: int, aligned: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `length` places the two of `count` cells that it lies between, and its share of the second."""
    places = np.arange(length)
    at = places * (count - 1) / max(length - 1, 1) if aligned else (places + 0.5) * count / length - 0.5
    at = at.clip(0, count - 1)
    first = np.floor(at).astype(int)
    return first, np.minimum(first + 1, count - 1), (at - first).astype(np.float32)
