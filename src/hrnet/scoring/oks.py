"""Object keypoint similarity (OKS): how alike two poses are, and suppression of poses that show the same person.

The similarity of one keypoint is `exp(-d**2 / (2 * area * (2 * sigma)**2))`: 1 where both lie on one spot, 0.61 where
they are two sigmas of the object's size (the root of its area) apart. OKS is its mean over the keypoints that count.
"""

import numpy as np

from hrnet.results.pose import Pose

SPACING = np.spacing(1)  # keeps an area of zero from dividing, as in the published code
FARTHEST = -700.0  # exp of less is no normal number, which costs twenty times the time and changes no sum
SOFT_LIMIT = 20  # soft suppression keeps no more poses of a picture, as published: AP counts no more


def similarity(away: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Similarity (..., K) of keypoints that lie `away` (..., K, 2) of each other, at objects' `areas` (...)."""
    squared = away[..., 0] ** 2 + away[..., 1] ** 2
    return np.exp(np.maximum(-squared / (2 * sigmas) ** 2 / (np.asarray(areas)[..., None] + SPACING) / 2, FARTHEST))


def likeness(pose: Pose, expected: Pose) -> np.ndarray:
    """Similarity (K,) of the keypoints of two poses, at the size of the expected one's box."""
    x1, y1, x2, y2 = expected.box
    area = np.array(max(float((x2 - x1) * (y2 - y1)), 1.0))
    return similarity(pose.keypoints - expected.keypoints, area, np.array(expected.skeleton.sigmas))


def pairwise_oks(
    keypoints: np.ndarray, areas: np.ndarray, sigmas: np.ndarray, counted: np.ndarray | None = None
) -> np.ndarray:
    """OKS (N, N) between poses (N, K, 2) of areas (N,), at the mean of the two areas (published `oks_iou`).

    With `counted` (N, K), entry [i, j] is the mean over the keypoints that count in pose j alone, 0 where none does.
    """
    x, y = (keypoints / (2 * sigmas[:, None])).transpose(2, 1, 0)
    rate = -1 / (areas[:, None] + areas[None] + 2 * SPACING)
    total = np.zeros_like(rate)
    for k in range(len(sigmas)):  # keypoint by keypoint: memory N * N, not N * N * K
        across, along = np.subtract.outer(x[k], x[k]), np.subtract.outer(y[k], y[k])
        alike = np.exp(np.maximum((across * across + along * along) * rate, FARTHEST))
        total += alike if counted is None else alike * counted[:, k]
    return total / (len(sigmas) if counted is None else np.maximum(counted.sum(axis=1), 1))


def oks_nms(
    keypoints: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
    counted: np.ndarray | None = None,
) -> list[int]:
    """Positions of the poses that stay, best first: each drops those of lower score whose OKS with it is above
    `threshold` (published `oks_nms`). Shapes as in `pairwise_oks`; `scores` are (N,)."""
    alike = pairwise_oks(keypoints, areas, sigmas, counted) > threshold
    order = np.argsort(scores)[::-1]  # ties come in the published order
    dropped = np.zeros(len(scores), bool)
    kept = []
    for i in order:
        if not dropped[i]:
            kept.append(int(i))
            dropped |= alike[i]
    return kept


def soft_oks_nms(
    keypoints: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
    counted: np.ndarray | None = None,
) -> list[int]:
    """Positions of at most 20 poses, in the order in which they are taken: each multiplies the scores of the others by
    `exp(-OKS**2 / threshold)` (published `soft_oks_nms`). The poses keep the scores that they came with."""
    oks = pairwise_oks(keypoints, areas, sigmas, counted)
    order = np.argsort(scores)[::-1]
    left = np.asarray(scores, float)[order]
    kept: list[int] = []
    while len(order) and len(kept) < SOFT_LIMIT:
        best, order = order[0], order[1:]
        kept.append(int(best))
        left = left[1:] * np.exp(-(oks[best, order] ** 2) / threshold)
        again = np.argsort(left)[::-1]
        order, left = order[again], left[again]
    return kept
