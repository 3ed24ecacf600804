"""Scores to the most probable classes."""

import numpy as np

from hrnet.results.classification import Classification


def softmax(scores: np.ndarray) -> np.ndarray:
    """Scores (N, K) as probabilities."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def decode(probabilities: np.ndarray, names: tuple[str, ...], top: int) -> list[Classification]:
    """The `top` most probable classes for each row of (N, K), the first of equals first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        Classification(tuple(names[k] for k in best), tuple(int(k) for k in best), tuple(float(row[k]) for k in best))
        for row, best in zip(probabilities, order, strict=True)
    ]
