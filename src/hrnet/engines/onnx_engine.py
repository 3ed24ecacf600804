"""ONNX Runtime as an engine."""

from pathlib import Path

import numpy as np

from hrnet.engines.engine import first_line, fitting
from hrnet.errors import HRNetError
from hrnet.machine import cores


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
