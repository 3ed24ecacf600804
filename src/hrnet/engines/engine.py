"""What an engine is: something that runs a network on pictures."""

from typing import Protocol

import numpy as np


class Engine(Protocol):
    """Runs a network, normalisation included.

    `run` takes pictures (B, H, W, 3), RGB from 0 to 255, as uint8 (or float32, for what was resampled), and returns
    everything that the network puts out, in the order in which its `forward` does, as float32 arrays whose first axis
    is B. `name` says what runs it, such as "openvino"; `precision` is "fp32", "bf16", "fp16" or "int8". `decodes`
    tells that the network ends in its task's decoding: results instead of maps come out.
    """

    name: str
    precision: str
    decodes: bool

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]: ...
