"""A network as an ONNX file, which ONNX Runtime and OpenVINO read: pictures in, the network's outputs out."""

import warnings
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from hrnet.engines.pixels import FromPixels
from hrnet.images import replacing

OPSET = 18
INPUT = "pictures"
Free = Literal["batch", "size"]


def write_onnx(network: nn.Module, size: tuple[int, int], path: Path, free: tuple[Free, ...] = ("batch",)) -> None:
    """Write a network for pictures (B, H, W, 3) uint8 RGB of `size` (width, height), normalised inside, whole or not
    at all. `free` names what the file leaves open: the batch, and the size too where a task has no fixed one."""
    width, height = size
    wrapped = FromPixels(network.eval().float().cpu()).eval()
    pictures = torch.zeros((2, height, width, 3), dtype=torch.uint8)
    with torch.inference_mode():
        outputs = wrapped(pictures)
    names = output_names(network, len(outputs))
    axes = {INPUT: {0: "batch"}, **{name: {0: "batch"} for name in names}}
    if "size" in free:
        axes[INPUT] |= {1: "height", 2: "width"}
        for name, output in zip(names, outputs, strict=True):
            axes[name] |= {2: f"{name}_height", 3: f"{name}_width"} if output.ndim == 4 else {}
    with replacing(path) as temporary, warnings.catch_warnings(action="ignore"), torch.inference_mode():
        # The tracing exporter: several times quicker than the newer one, whose files it equals in speed.
        torch.onnx.export(
            wrapped,
            (pictures,),
            str(temporary),
            dynamo=False,
            input_names=[INPUT],
            output_names=list(names),
            dynamic_axes=axes,
            opset_version=OPSET,
        )


def output_names(network: nn.Module, count: int) -> tuple[str, ...]:
    """Names of the outputs: the network's own `output_names` where it has any (decoding ones do), else by number."""
    own = getattr(network, "output_names", None)
    return tuple(own) if own else tuple(f"output_{k}" for k in range(count))
