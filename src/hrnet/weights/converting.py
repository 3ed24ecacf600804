"""Weights out again: under the published names, or those of mmpose, mmsegmentation, mmdetection and timm."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hrnet.errors import HRNetError, UsageError, nearest
from hrnet.images import replacing
from hrnet.weights.files import Gains, are_absolute, read_tensors
from hrnet.weights.layouts import LAYOUTS, Layout, Network
from hrnet.weights.recognise import BATCH_COUNTER, Recognised, translate

if TYPE_CHECKING:
    from torch import Tensor

# The layouts that are written; the others are read alone, because nothing reads them but what wrote them.
CODES = ("published", "mmpose0", "mmpose1", "mmseg", "mmdet", "timm")


@dataclass(frozen=True)
class Converted:
    """A file that was written: where, how many tensors in whose names, and which biases went into running means."""

    path: Path
    layout: Layout
    tensors: int
    folded: tuple[str, ...] = ()


def convert(found: Recognised, target: Path, to: str = "published", gains: Gains = "auto") -> Converted:
    """Write a recognised file's tensors in another layout; `.safetensors`, or anything else for `torch.save`'s form.

    Names change and tensors do not, with two exceptions: `gains` (see `load_weights`), and biases before a batch norm
    that the target has no place for, which are subtracted from the running mean. Raises `UsageError` for a layout that
    does not exist, or has no names for this network.
    """
    if found.network is None:
        raise HRNetError(f"{found.path} is in no layout that is known: only recognised files can be converted")
    layout = layout_for(found.network, to)
    tensors = completed(found, read_tensors(found, found.tensors, gains), gains)
    folded = fold(tensors, layout)
    named = {theirs(name, layout, found.network): tensor for name, tensor in tensors.items()}
    write(target, named, layout.container)
    return Converted(target, layout, len(named), folded)


def completed(found: Recognised, tensors: "dict[str, Tensor]", gains: Gains) -> "dict[str, Tensor]":
    """Our tensors with what the file's layout leaves out: biases, all zero, and counters where gains were changed.

    The counters say that the gains are now plain ones, so that nobody takes their absolute value again.
    """
    import torch

    for bias in found.layout.biases if found.layout else ():
        weight = tensors.get(f"{bias.removesuffix('bias')}weight")
        if weight is not None and bias not in tensors:
            tensors[bias] = torch.zeros(weight.shape[0], dtype=weight.dtype)
    if are_absolute(found, gains):
        means = [name for name in tensors if name.endswith("running_mean")]
        tensors |= {f"{name.removesuffix('running_mean')}{BATCH_COUNTER}": torch.tensor(0) for name in means}
    return tensors


def layout_for(network: Network, code: str) -> Layout:
    """The layout in which a code base names a network's tensors."""
    if code not in CODES:
        raise UsageError(f"there is no layout {code!r} to write: {nearest(code, CODES)}")
    having = {layout.code: layout for layout in reversed(LAYOUTS) if network.name in layout.networks}
    if code not in having:
        able = [each for each in CODES if each in having]
        raise UsageError(f"{code} has no names for {network.title.format('')}: choose one of {', '.join(able)}")
    return having[code]


def theirs(name: str, layout: Layout, network: Network) -> str:
    """Our name of a tensor in the names of a layout."""
    translated = translate(name, ((ours, source) for source, ours in layout.renames))
    if translated is None:
        raise HRNetError(f"{name} has no name in the layout of {layout.title}: the file was not written")
    return f"{network.prefix}{translated}" if layout.code == "published" else translated


def fold(tensors: "dict[str, Tensor]", layout: Layout) -> tuple[str, ...]:
    """Take biases that a layout has no place for out of `tensors`: the batch norm behind sees `x + b - mean`."""
    folded = [(bias, mean) for bias, mean in layout.unbiased if bias in tensors]
    for bias, mean in folded:
        tensors[mean] = tensors[mean] - tensors.pop(bias)
    return tuple(bias for bias, _ in folded)


def write(target: Path, tensors: "Mapping[str, Tensor]", container: str) -> None:
    """Write tensors, whole or not at all, in the form of the suffix."""
    import torch
    from safetensors.torch import save_file

    with replacing(target) as temporary:
        if target.suffix == ".safetensors":
            save_file(dict(tensors), temporary, {"format": "pt"})
        else:
            torch.save({container: dict(tensors), "meta": {}} if container else dict(tensors), temporary)
