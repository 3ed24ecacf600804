"""Pictures in training: kept decoded while they fit, and varied in colour and sharpness.

`uniform` is a function that draws the next random number from 0 to 1.
"""

from collections.abc import Callable

import cv2
import numpy as np

from hrnet.datasets.records import Record


class Pictures:
    """Decoded pictures, kept while they fit into `limit` bytes: small sets are decoded once, large ones each time."""

    def __init__(self, limit: int = 3 << 30) -> None:
        self.kept: dict[int, np.ndarray] = {}
        self.room = limit

    def read(self, record: Record) -> np.ndarray:
        """Pixels of a record, (H, W, 3)."""
        image = self.kept.get(id(record))
        if image is None:
            image = record.read()
            if image.nbytes <= self.room:
                self.room -= image.nbytes
                self.kept[id(record)] = image
        return image


def blurred(crop: np.ndarray, uniform: Callable[[], float]) -> np.ndarray:
    """Lose resolution: shrink to between a quarter and the whole, and enlarge again."""
    height, width = crop.shape[:2]
    share = 0.25 + 0.75 * uniform()
    small = cv2.resize(
        crop, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def recoloured(crop: np.ndarray, strength: float, uniform: Callable[[], float]) -> np.ndarray:
    """Vary brightness, contrast and each channel's gain by up to `strength`; one time in ten drop the colour."""
    if uniform() < 0.1:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    gains = 1 + strength * (2 * np.array([uniform() for _ in range(3)]) - 1)
    brightness = 1 + strength * (2 * uniform() - 1)
    contrast = 1 + strength * (2 * uniform() - 1)
    levels = np.arange(256)
    tables = [np.clip(((levels - 128) * contrast + 128) * brightness * gain, 0, 255) for gain in gains]
    return cv2.LUT(crop, np.stack(tables, axis=-1).round().astype(np.uint8)[None].reshape(1, 256, 3))
