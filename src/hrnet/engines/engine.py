"""What an engine is: something that runs a network on a batch."""

from typing import Protocol

import numpy as np


class Engine(Protocol):
    """Runs a network. `run` takes a float32 batch (B, 3, H, W) and returns the network's maps, each (B, K, h, w)."""

    name: str
    precision: str

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]: ...
