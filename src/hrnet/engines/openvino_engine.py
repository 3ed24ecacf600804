"""OpenVINO as an engine: on Intel's and ARM's processors it picks kernels that others leave unused."""

import io
import warnings
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from hrnet.engines.engine import first_line, fitting
from hrnet.errors import HRNetError
from hrnet.machine import cores

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}  # what stays outside int8 runs in bf16 where the CPU has it
FEWEST_PER_STREAM = 2  # smaller shares of a batch cost more than running side by side gains
MOST_STREAMS = 4  # each stream keeps memory of its own


class OpenVINOEngine:
    """Runs an ONNX file or an OpenVINO one (.xml) of ours on the CPU; needs no torch.

    A large batch is cut into parts, one per core up to four, which wait for no other; a small one is run by all cores
    together. `blob` is what `compiled_blob` once gave: with it the file is not read before a large batch comes, and
    `whole` raises `HRNetError` if it has changed by then. Raises `HRNetError` for a file that OpenVINO cannot read, for
    a precision that the processor lacks, and where OpenVINO is not installed.
    """

    def __init__(
        self,
        path: Path,
        precision: str = "fp32",
        threads: int | None = None,
        decodes: bool = False,
        blob: bytes | None = None,
        whole: Callable[[], object] = lambda: None,
    ) -> None:
        self.core, self.path, self.whole = openvino_core(), path, whole
        self.has_bf16 = "BF16" in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not self.has_bf16:
            raise HRNetError("OpenVINO has no bf16 for this processor: use the precision fp32")
        self.threads = threads or cores()
        self.streams = min(self.threads, MOST_STREAMS)
        self.name, self.precision, self.decodes = "openvino", precision, decodes
        self.lock = Lock()
        self.requests: dict[int, list[Any]] = {}  # number of streams -> a request for each
        if blob is None:
            _ = self.model  # read at once: the file may be gone by the first batch
        else:
            self.requests[1] = requests_of(self.core.import_model(io.BytesIO(blob), "CPU"), 1)

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        with self.lock:  # requests hold one batch at a time
            return self.run_alone(pictures)

    def run_alone(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        """`run`, for one caller at a time."""
        streams = self.streams if len(pictures) >= FEWEST_PER_STREAM * self.streams else 1
        requests = self.prepared(streams)
        streams = len(requests)
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
            try:
                self.requests[streams] = requests_of(self.compiled(streams), streams)
            except HRNetError as error:
                if not self.requests:
                    raise
                warnings.warn(f"large batches are not run side by side: {error}", stacklevel=3)
                self.streams, self.requests[streams] = 1, self.requests[1]
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
        self.whole()
        try:
            return self.core.read_model(self.path)
        except RuntimeError as error:
            raise HRNetError(f"{self.path} cannot be read by OpenVINO ({first_line(error)}): export it again") from None

    def compiled_blob(self) -> bytes:
        """The network as it is compiled for small batches, for another engine on the same machine and version."""
        return self.prepared(1)[0].get_compiled_model().export_model().getvalue()


def requests_of(compiled: Any, streams: int) -> list[Any]:
    """One request per stream."""
    return [compiled.create_infer_request() for _ in range(streams)]


@cache
def openvino_core() -> Any:
    """OpenVINO's entry, or one sentence about what to install.

    There is one for the whole process: where it goes, it takes the stack with it that it gave to the main thread for
    signals, and the next signal, such as the end of a loader's worker, ends the process.
    """
    try:
        import openvino
    except ImportError:
        raise HRNetError("the engine 'openvino' needs OpenVINO: pip install 'hrnet[openvino]'") from None
    return openvino.Core()
