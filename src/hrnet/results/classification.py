"""Classification: the classes that a picture most probably shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet.results.drawing import DARK, LIGHT, text_block


@dataclass(frozen=True)
class Classification:
    """The most probable classes of a picture, the first the most probable: names, positions and probabilities."""

    names: tuple[str, ...]
    labels: tuple[int, ...]
    scores: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; probabilities to 4 decimals."""
        rows = zip(self.labels, self.names, self.scores, strict=True)
        return {"classes": [{"id": k, "name": name, "score": round(score, 4)} for k, name, score in rows]}


def labelled(image: np.ndarray, found: Classification) -> np.ndarray:
    """The picture (H, W, 3) RGB with the most probable class written below it."""
    text = f"{found.names[0]} {found.scores[0]:.2f}"
    strip = text_block(text, max(9, min(22, image.shape[1] // 30)), LIGHT, DARK)
    below = np.full((strip.shape[0], image.shape[1], 3), DARK, np.uint8)
    width = min(strip.shape[1], image.shape[1])
    below[:, :width] = strip[:, :width]
    return np.vstack([image, below])
