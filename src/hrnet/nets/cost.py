"""Parameters and multiply-adds of a network, counted on the meta device: no memory, no arithmetic."""

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

GFLOP = 1024**3
STARTING = ("normal_", "uniform_", "fill_", "zero_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_")
KEEPING = ("relu", "relu_", "batch_norm", "add", "add_", "mul")  # give out the shape of their first argument


def convolved(
    x: torch.Tensor, weight: torch.Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, _: int
) -> Any:
    """The shape of `conv2d`."""
    given = zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    return x.new_empty((len(x), len(weight), *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in given)))


def resized(x: torch.Tensor, size: Any = None, scale_factor: Any = None, **_: Any) -> torch.Tensor:
    """The shape of `interpolate`."""
    return x.new_empty((*x.shape[:2], *(size or (int(side * scale_factor) for side in x.shape[2:]))))


def joined(maps: Sequence[torch.Tensor], dim: int) -> torch.Tensor:
    """The shape of `cat`."""
    shape = list(maps[0].shape)
    shape[dim] = sum(x.shape[dim] for x in maps)
    return maps[0].new_empty(shape)


SHAPES = {"conv2d": convolved, "interpolate": resized, "cat": joined}  # most of a network, and slow to ask torch for


class ShapesAlone(TorchFunctionMode):
    """Leaves out what changes no shape: on the meta device there are no values, and asking for them takes long."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name, given = getattr(func, "__name__", ""), kwargs or {}
        if name in STARTING:
            return args[0] if args else given["tensor"]
        if name in KEEPING and (name not in ("add", "mul") or getattr(args[1], "shape", None) == args[0].shape):
            return args[0]
        return SHAPES.get(name, func)(*args, **given)


@contextmanager
def on_meta() -> Iterator[None]:
    """Networks built inside have shapes and no values."""
    collecting = gc.isenabled()
    gc.disable()  # thousands of new modules, none of them garbage, would be gone through again and again
    try:
        with torch.device("meta"), ShapesAlone():
            yield
    finally:
        if collecting:
            gc.enable()


def cost(module: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """Trainable parameters, and multiply-adds for one picture of `size` (width, height).

    Counted as the published `get_model_summary` does: for each convolution the weights times the output's cells, for
    each linear layer the output times its inputs; biases, norms, sums and resizing are free. Published "GFLOPs" are
    these multiply-adds divided by 1024**3 (`GFLOP`). The module must lie on the meta device.
    """
    multiply_adds = 0

    def count(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal multiply_adds
        if isinstance(layer, nn.Linear):
            multiply_adds += output[0].numel() * layer.in_features
        else:
            multiply_adds += layer.weight.numel() * math.prod(output.shape[2:])  # type: ignore[union-attr,operator]

    counted = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in counted]
    module.eval()(torch.empty(1, 3, size[1], size[0], device="meta"))
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in module.parameters() if p.requires_grad), multiply_adds
