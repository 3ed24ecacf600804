"""What an engine is: something that runs a network on pictures; and what all engines need."""

from typing import Protocol

import numpy as np

from hrnet.errors import HRNetError


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


def fitting(pictures: np.ndarray, as_bytes: bool) -> np.ndarray:
    """Pictures in the type that a graph takes; values between bytes cannot go into a graph of bytes."""
    if as_bytes and pictures.dtype != np.uint8:
        raise HRNetError(f"this engine's graph takes pictures as uint8, not {pictures.dtype}: use the engine 'torch'")
    return np.ascontiguousarray(pictures if as_bytes else pictures.astype(np.float32, copy=False))


def first_line(error: Exception) -> str:
    """The first line of an error's text, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
