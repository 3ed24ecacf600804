"""PyTorch as an engine."""

import warnings
from copy import deepcopy
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor, nn

from hrnet.engines.engine import fitting
from hrnet.engines.pixels import FromPixels
from hrnet.errors import HRNetError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MOST_GRAPHS = 8  # CUDA graphs kept, one per batch size


class TorchEngine:
    """Runs a torch module on the CPU, or on CUDA where there is one.

    As it is, the module runs in float32 as published. `precision` "bf16" or "fp16" converts a copy whole; `fused`
    folds batch norms into the convolutions before them; `graphs` records the launches of each batch size once and
    replays them (CUDA only); `compiled` is torch.compile, which needs a C++ compiler. `decodes` says that the module
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
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
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
        self.graphs: dict[tuple[int, ...], Recorded] | None = {} if graphs and self.device.type == "cuda" else None
        self.name, self.precision, self.lock = f"torch {self.device.type}", precision, Lock()

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        with self.lock, torch.inference_mode():  # a recorded graph holds one batch at a time
            batch = torch.from_numpy(np.ascontiguousarray(pictures))
            outputs = self.replay(batch) if self.graphs is not None else self.network(batch.to(self.device))
            return tuple(output.float().cpu().numpy() for output in outputs)

    def replay(self, batch: Tensor) -> tuple[Tensor, ...]:
        """Outputs of a batch by a recorded graph. Batches are filled up to the next power of two, to share graphs."""
        assert self.graphs is not None
        size = 1 << (len(batch) - 1).bit_length()
        key = (size, *batch.shape[1:], batch.dtype.itemsize)
        if key not in self.graphs:
            if len(self.graphs) == MOST_GRAPHS:
                self.graphs.pop(next(iter(self.graphs)))
            self.graphs[key] = Recorded(self.network, batch.new_zeros((size, *batch.shape[1:])).to(self.device))
        recorded = self.graphs[key]
        recorded.pictures[: len(batch)].copy_(batch)
        recorded.graph.replay()
        return tuple(output[: len(batch)] for output in recorded.outputs)


class Recorded:
    """A CUDA graph of a network for one shape: fill `pictures`, replay, read `outputs`."""

    def __init__(self, network: nn.Module, pictures: Tensor) -> None:
        self.pictures = pictures
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # cuDNN chooses its algorithms before the recording
            for _ in range(3):
                network(pictures)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs: tuple[Tensor, ...] = network(pictures)


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
