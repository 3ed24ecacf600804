"""OpenVINO as an engine: on Intel's and ARM's processors it picks kernels that others leave unused."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.engines.onnx_engine import cores, first_line, fitting
from hrnet.errors import HRNetError

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}  # what stays outside int8 runs in bf16 where the CPU has it
FEWEST_PER_STREAM = 2  # smaller shares of a batch cost more than running side by side gains


class OpenVINOEngine:
    """Runs an ONNX file or an OpenVINO one (.xml) of ours on the CPU; needs no torch.

    A large batch is cut into as many parts as there are cores, each run by one core, which waits for no other; a small
    one is run by all cores together. Raises `HRNetError` for a file that OpenVINO cannot read, for a precision that
    the processor lacks, and where OpenVINO is not installed.
    """

    def __init__(self, path: Path, precision: str = "fp32", threads: int | None = None, decodes: bool = False) -> None:
        self.core = openvino_core()
        if precision == "bf16" and "BF16" not in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise HRNetError("this processor has no bf16 arithmetic: use the precision fp32")
        try:
            self.model = self.core.read_model(path)
        except RuntimeError as error:
            raise HRNetError(f"{path} cannot be read by OpenVINO ({first_line(error)}): export it again") from None
        self.threads = threads or cores()
        self.name, self.precision, self.decodes = "openvino", precision, decodes
        self.requests: dict[int, list[Any]] = {}  # number of streams -> a request for each

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        streams = self.threads if len(pictures) >= FEWEST_PER_STREAM * self.threads else 1
        requests = self.prepared(streams)
        given = fitting(pictures, self.model.input().get_element_type().to_string() == "u8")
        parts = np.array_split(given, streams)
        for request, part in zip(requests, parts, strict=True):
            request.start_async([part], share_inputs=True)
        for request in requests:
            request.wait()
        found = [[output.data for output in request.output_tensors] for request in requests]
        return tuple(
            np.concatenate([np.asarray(part, np.float32) for part in each]) for each in zip(*found, strict=True)
        )

    def prepared(self, streams: int) -> list[Any]:
        """Requests of the network compiled for a number of streams, compiled when first asked for."""
        if streams not in self.requests:
            self.requests[streams] = requests_of(self.compiled(streams), streams)
        return self.requests[streams]

    def compiled(self, streams: int) -> Any:
        """The network compiled for this processor."""
        precision = HINTS[self.precision]
        if precision == "bf16" and "BF16" not in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            precision = "f32"
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        }
        try:
            return self.core.compile_model(self.model, "CPU", settings)
        except RuntimeError as error:
            raise HRNetError(f"OpenVINO cannot compile the network ({first_line(error)}): use another engine") from None

    def blob(self, streams: int) -> bytes:
        """The compiled network, for `adopt` on the same machine and version."""
        return self.prepared(streams)[0].get_compiled_model().export_model().getvalue()

    def adopt(self, streams: int, blob: bytes) -> None:
        """Take a compiled network instead of compiling."""
        self.requests[streams] = requests_of(self.core.import_model(io.BytesIO(blob), "CPU"), streams)


def requests_of(compiled: Any, streams: int) -> list[Any]:
    """One request per stream."""
    return [compiled.create_infer_request() for _ in range(streams)]


def openvino_core() -> Any:
    """OpenVINO's entry, or one sentence about what to install."""
    try:
        import openvino
    except ImportError:
        raise HRNetError("the engine 'openvino' needs OpenVINO: pip install 'hrnet[openvino]'") from None
    return openvino.Core()
