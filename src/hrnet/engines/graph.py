"""A network as an ONNX file, which ONNX Runtime and OpenVINO read: pictures in, the network's outputs out."""

import warnings
from pathlib import Path

import torch
from torch import nn

from hrnet.engines.pixels import FromPixels
from hrnet.images import replacing
from hrnet.settings import Free

OPSET = 18
INPUT = "pictures"


def write_onnx(network: nn.Module, size: tuple[int, int], path: Path, free: tuple[Free, ...] = ("batch",)) -> None:
    """Write a network for pictures (B, H, W, 3) RGB of `size` (width, height), normalised inside, whole or not at all.

    `free` names what the file leaves open: the batch, the size too where a task has no fixed one, and with "fractions"
    the values, which are float32 from 0 to 255 then, else uint8.
    """
    width, height = size
    wrapped = FromPixels(network.eval().float().cpu()).eval()
    pictures = torch.zeros((2, height, width, 3), dtype=torch.float32 if "fractions" in free else torch.uint8)
    with torch.inference_mode():
        outputs = wrapped(pictures)
    names = output_names(network, len(outputs))
    axes = {INPUT: {0: "batch"}, **{name: {0: "batch"} for name in names}}
    if "size" in free:
        axes[INPUT] |= {1: "height", 2: "width"}
        for name, output in zip(names, outputs, strict=True):
            axes[name] |= dict(zip(range(output.ndim)[-2:], (f"{name}_height", f"{name}_width"), strict=True))
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
