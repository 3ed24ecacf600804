"""ONNX Runtime as an engine."""

import os
from pathlib import Path

import numpy as np

from hrnet.errors import HRNetError


class OnnxEngine:
    """Runs an ONNX file of ours on the CPU in float32; needs no torch.

    Raises `HRNetError` for a file that ONNX Runtime cannot read, and where it is not installed.
    """

    def __init__(self, path: Path, threads: int | None = None, decodes: bool = False) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise HRNetError("the engine 'onnx' needs ONNX Runtime: pip install 'hrnet[onnx]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or cores()
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own types share no base but this
            raise HRNetError(f"{path} cannot be run by ONNX Runtime ({first_line(error)}): export it again") from None
        self.name, self.precision, self.decodes = "onnx", "fp32", decodes

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        (given,) = self.session.get_inputs()
        outputs = self.session.run(None, {given.name: fitting(pictures, given.type == "tensor(uint8)")})
        return tuple(np.asarray(output, np.float32) for output in outputs)


def fitting(pictures: np.ndarray, as_bytes: bool) -> np.ndarray:
    """Pictures in the type that a graph takes; values between bytes cannot go into a graph of bytes."""
    if as_bytes and pictures.dtype != np.uint8:
        raise HRNetError(f"this engine's graph takes pictures as uint8, not {pictures.dtype}: use the engine 'torch'")
    return np.ascontiguousarray(pictures if as_bytes else pictures.astype(np.float32, copy=False))


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_line(error: Exception) -> str:
    """The first line of an error's text, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
