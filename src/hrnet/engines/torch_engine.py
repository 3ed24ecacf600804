"""PyTorch as an engine."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor, nn

from hrnet.engines.engine import fitting
from hrnet.engines.pixels import FromPixels
from hrnet.errors import HRNetError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MOST_GRAPHS = 32  # CUDA graphs kept, one per shape of a batch
RECORDING = Lock()  # one engine at a time


class TorchEngine:
    """Runs a torch module on the CPU, or on CUDA where there is one.

    As it is, the module runs in float32 as published. `precision` "bf16" or "fp16" converts a copy whole; `fused`
    folds batch norms into the convolutions before them; `graphs` records launches and replays them (CUDA only,
    see `Graphs`); `compiled` is torch.compile, which needs a C++ compiler. `decodes` says that the module
    ends in decoding.
    """

    def __init__(
        self,
        network: nn.Module,
        device: str | None = None,
        precision: str = "fp32",
        *,
        fused: bool = False,
        graphs: bool = False,
        compiled: bool = False,
    ) -> None:
        self.device = numbered(torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
        network = network.eval()
        self.decodes = bool(getattr(network, "decodes", False))
        if fused:
            network = fuse(network)
        if precision != "fp32":
            network = (network if fused else deepcopy(network)).to(DTYPES[precision])
        network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: nn.Module = FromPixels(network).to(self.device)
        if compiled:
            self.network.compile()
        on_cuda = self.device.type == "cuda"
        self.name, self.precision, self.lock = f"torch {self.device.type}", precision, Lock()
        self.graphs = Graphs(self.network, self.device) if graphs and on_cuda else None
        # CUDA's current device and cuDNN's plans belong to a thread: every batch runs in the same one.
        self.thread = (
            ThreadPoolExecutor(1, initializer=torch.cuda.set_device, initargs=(self.device,)) if on_cuda else None
        )

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        if self.thread is not None:
            return self.thread.submit(self.run_on_cuda, pictures).result()
        with self.lock, torch.inference_mode():
            outputs = self.network(torch.from_numpy(np.ascontiguousarray(pictures)))
            return tuple(output.float().numpy() for output in outputs)

    def run_on_cuda(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        """`run`, in the engine's own thread."""
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(pictures))
            try:
                outputs = self.graphs(batch) if self.graphs is not None else self.network(batch.to(self.device))
                return tuple(output.float().cpu().numpy() for output in outputs)
            except torch.cuda.OutOfMemoryError:
                raise HRNetError(
                    f"the memory of {self.device} is full: take smaller batches (testing.batch_size) or pictures, or "
                    "the device cpu"
                ) from None


class Graphs:
    """CUDA graphs of a network, one per shape of a batch: the launches are recorded once and replayed.

    Batches are filled up to the next power of two, to share graphs. A shape is recorded when it comes the second time,
    for pictures of many sizes may come once each; the graph that was not used for longest makes room.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.network, self.device = network, device
        self.met: set[tuple[int, ...]] = set()
        self.recorded: dict[tuple[int, ...], Recorded] = {}

    def __call__(self, batch: Tensor) -> tuple[Tensor, ...]:
        size = 1 << (len(batch) - 1).bit_length()
        key = (size, *batch.shape[1:], batch.dtype.itemsize)
        if key not in self.met:
            self.met.add(key)
            return self.network(batch.to(self.device))
        recorded = self.recorded.pop(key, None)
        if recorded is None:
            if len(self.recorded) == MOST_GRAPHS:
                self.recorded.pop(next(iter(self.recorded)))
            recorded = self.record(batch.new_zeros((size, *batch.shape[1:])).to(self.device))
        self.recorded[key] = recorded  # the last used is the last to go
        recorded.pictures[: len(batch)].copy_(batch)
        recorded.graph.replay()
        return tuple(output[: len(batch)] for output in recorded.outputs)

    def record(self, pictures: Tensor) -> "Recorded":
        """The graph for one shape; all share their memory, for outputs are copied before the next one runs."""
        other = next(iter(self.recorded.values()), None)
        with RECORDING:
            return Recorded(self.network, pictures, self.stream, other and other.graph)

    @cached_property
    def stream(self) -> torch.cuda.Stream:
        """The stream on which all graphs are recorded, made in the thread that runs them."""
        return torch.cuda.Stream(self.device)


class Recorded:
    """A CUDA graph of a network for one shape: fill `pictures`, replay, read `outputs`."""

    def __init__(
        self, network: nn.Module, pictures: Tensor, stream: torch.cuda.Stream, other: torch.cuda.CUDAGraph | None
    ) -> None:
        self.pictures = pictures
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # cuDNN chooses its algorithms before the recording
            for _ in range(3):
                network(pictures)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile, for engines of their own.
        pool = other.pool() if other is not None else None
        with torch.cuda.graph(self.graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            self.outputs: tuple[Tensor, ...] = network(pictures)


def numbered(device: torch.device) -> torch.device:
    """A CUDA device with its number, which is this thread's current one where none is given."""
    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", torch.cuda.current_device())


def fuse(network: nn.Module) -> nn.Module:
    """A copy with batch norms folded into the convolutions before them, or a plain copy where torch cannot trace it.

    Of a module that ends in decoding, the network inside is folded.
    """
    if getattr(network, "decodes", False):
        copied = deepcopy(network)
        copied.network = fuse(copied.network)  # type: ignore[arg-type]
        return copied
    from torch.fx import symbolic_trace
    from torch.fx.experimental.optimization import fuse as folded
    from torch.fx.proxy import TraceError

    try:
        used = [node.target for node in symbolic_trace(network).graph.nodes if node.op == "call_module"]
        norms = [name for name in used if isinstance(network.get_submodule(str(name)), nn.BatchNorm2d)]
        if len(set(norms)) == len(norms):  # one that is used twice would be folded twice
            return folded(network)
        reason = "a batch norm is used twice"
    except (TraceError, TypeError) as error:  # control flow that depends on tensors
        reason = f"torch cannot trace it ({error})"
    warnings.warn(f"batch norms of {type(network).__name__} are not folded: {reason}", stacklevel=2)
    return deepcopy(network)


class ExportedProgram:
    """Runs a file that `torch.export.save` wrote, on the CPU in float32."""

    def __init__(self, path: Path, decodes: bool = False) -> None:
        try:
            program = torch.export.load(path)
            self.module = program.module()
        except (RuntimeError, ValueError, OSError, KeyError) as error:
            raise HRNetError(f"{path} cannot be read by torch ({str(error)[:120]}): export it again") from None
        (given,) = program.graph_signature.user_inputs
        (taken,) = (node.meta["val"].dtype for node in program.graph.nodes if node.name == given)
        self.as_bytes = taken == torch.uint8
        self.name, self.precision, self.decodes = "torch cpu", "fp32", decodes

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        with torch.inference_mode():
            outputs = self.module(torch.from_numpy(fitting(pictures, self.as_bytes)))
        return tuple(output.float().numpy() for output in outputs)
