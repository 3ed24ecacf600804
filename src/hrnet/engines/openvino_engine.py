"""OpenVINO as an engine: on Intel's and ARM's processors it picks kernels that others leave unused."""

import io
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.engines.onnx_engine import cores, first_line, fitting
from hrnet.errors import HRNetError

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}  # what stays outside int8 runs in bf16 where the CPU has it
FEWEST_PER_STREAM = 2  # smaller shares of a batch cost more than running side by side gains
MOST_STREAMS = 4  # each stream keeps memory of its own


class OpenVINOEngine:
    """Runs an ONNX file or an OpenVINO one (.xml) of ours on the CPU; needs no torch.

    A large batch is cut into parts, one per core up to four, which wait for no other; a small one is run by all cores
    together. Raises `HRNetError` for a file that OpenVINO cannot read, for a precision that
    the processor lacks, and where OpenVINO is not installed.
    """

    def __init__(
        self,
        path: Path,
        precision: str = "fp32",
        threads: int | None = None,
        decodes: bool = False,
        blobs: Mapping[int, Callable[[], bytes]] | None = None,
    ) -> None:
        self.core, self.path, self.blobs = openvino_core(), path, dict(blobs or {})
        self.has_bf16 = "BF16" in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not self.has_bf16:
            raise HRNetError("this processor has no bf16 arithmetic: use the precision fp32")
        self.threads = threads or cores()
        self.streams = min(self.threads, MOST_STREAMS)
        self.name, self.precision, self.decodes = "openvino", precision, decodes
        self.requests: dict[int, list[Any]] = {}  # number of streams -> a request for each

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        streams = self.streams if len(pictures) >= FEWEST_PER_STREAM * self.streams else 1
        requests = self.prepared(streams)
        as_bytes = requests[0].model_inputs[0].get_element_type().to_string() == "u8"
        parts = np.array_split(fitting(pictures, as_bytes), streams)
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
            blob = self.blobs.pop(streams, None)
            compiled = self.compiled(streams) if blob is None else self.core.import_model(io.BytesIO(blob()), "CPU")
            self.requests[streams] = requests_of(compiled, streams)
        return self.requests[streams]

    def compiled(self, streams: int) -> Any:
        """The network compiled for this processor."""
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[self.precision] if self.has_bf16 else "f32",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        }
        try:
            return self.core.compile_model(self.model, "CPU", settings)
        except RuntimeError as error:
            raise HRNetError(f"OpenVINO cannot compile {self.path} ({first_line(error)}): use another engine") from None

    @cached_property
    def model(self) -> Any:
        """The graph as it stands in the file."""
        try:
            return self.core.read_model(self.path)
        except RuntimeError as error:
            raise HRNetError(f"{self.path} cannot be read by OpenVINO ({first_line(error)}): export it again") from None

    def blob(self, streams: int) -> bytes:
        """The compiled network, which another engine on the same machine and version takes as one of its `blobs`."""
        return self.prepared(streams)[0].get_compiled_model().export_model().getvalue()


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
