"""Weights on disk: our own safetensors with recipe and card inside, and foreign files opened without running them."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hrnet.errors import HRNetError, UsageError
from hrnet.images import write_bytes
from hrnet.weights.layouts import TRUNK
from hrnet.weights.opening import damaged, must_be_a_file, open_weights
from hrnet.weights.recognise import BATCH_COUNTER, Recognised, begins, network_of, readings
from hrnet.weights.report import LoadReport

if TYPE_CHECKING:
    from torch import Tensor, nn

INPLACE_EPSILON = 1e-5
EMBEDDED = Path(__file__).parent / "embedded"


def save_weights(path: Path, network: "nn.Module", recipe_yaml: str, card: dict[str, Any], half: bool = True) -> None:
    """Write a network's weights, with recipe and card in the header; floating tensors in half precision where asked."""
    import torch
    from safetensors.torch import save

    tensors = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith(BATCH_COUNTER)
    }
    wide = [name for name, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if wide:
        raise HRNetError(
            f"{path}: {wide[0]} does not fit into half precision or is not finite; the weights were not written"
        )
    metadata = {"format": "pt", "recipe": recipe_yaml, "card": json.dumps(card, ensure_ascii=False)}
    write_bytes(path, save(tensors, metadata))


def read_meta(path: Path) -> dict[str, Any]:
    """Recipe (YAML text) and card of a file that `save_weights` wrote; empty for other files. Reads the header only."""
    must_be_a_file(path)
    if path.suffix != ".safetensors":
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            meta = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise damaged(path, error) from None
    try:
        return {"recipe": meta["recipe"], "card": json.loads(meta["card"])} if "recipe" in meta else {}
    except (KeyError, ValueError) as error:
        raise damaged(path, error) from None


def embedded_weights(recipe_name: str) -> Path | None:
    """The weights file that ships for a recipe, or None."""
    path = EMBEDDED / f"{recipe_name.replace('/', '-')}.safetensors"
    return path if path.exists() else None


Gains = Literal["auto", "plain", "absolute"]


@dataclass(frozen=True)
class Start:
    """Weights that a training begins with, and what of the network begins anew (see `load_weights`)."""

    path: Path
    new_head: bool = False
    trunk: bool = False

    def fill(self, network: "nn.Module") -> LoadReport:
        """Load them into a network."""
        return load_weights(network, self.path, new_head=self.new_head, trunk=self.trunk)


def load_weights(
    module: "nn.Module",
    path: str | Path,
    *,
    new_head: bool = False,
    trunk: bool = False,
    part: str | None = None,
    gains: Gains = "auto",
) -> LoadReport:
    """Load any checkpoint of the family into a module with the published names, and say what was done.

    Reads our own files, those of the published repositories, mmpose, mmsegmentation, mmdetection and timm, as they are;
    `docs/loading-weights.md` lists all. Every tensor of the module must be there and have its shape, except: biases
    that the file's layout has not, and batch counters, which become zero; with `new_head`, the head, which
    keeps its starting values; with `trunk`, all but the trunk. `part` picks one of several state dicts in a training's
    checkpoint, such as "best_state_dict". `gains` is how batch-norm gains count: "absolute" takes g as |g| + 1e-5,
    as InPlaceABN does, "plain" as it is; "auto" decides by the file. No code of the file runs.

    Raises `HRNetError` for a damaged file and for one of another model; the module is then unchanged.
    """
    report = compare_weights(module, path, new_head=new_head, trunk=trunk, part=part)
    refusal = report.refusal()
    if refusal:
        raise refusal
    fill(module, report, gains)
    return report


def compare_weights(
    module: "nn.Module", path: str | Path, *, new_head: bool = False, trunk: bool = False, part: str | None = None
) -> LoadReport:
    """What `load_weights` would do, as far as names and shapes tell; nothing is read or changed."""
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = max(
        readings(open_weights(Path(path)), part), key=lambda reading: agreeing(reading, shapes)
    )  # the first of equals
    fresh = fresh_names(module, shapes, new_head, trunk)
    zeros = [name for name in found.layout.biases if name in shapes] if found.layout else []
    asked = [name for name in shapes if name not in fresh and name not in zeros]
    there = [name for name in asked if name in found.tensors]
    return LoadReport(
        found,
        type(module).__name__,
        len(shapes),
        loaded=tuple(name for name in there if found.tensors[name].shape == shapes[name]),
        zeros=tuple(zeros),
        counters=tuple(n for n in asked if n not in found.tensors and n.endswith(BATCH_COUNTER)),
        fresh=tuple(fresh),
        missing=tuple(n for n in asked if n not in found.tensors and not n.endswith(BATCH_COUNTER)),
        other_shape={n: (found.tensors[n].shape, shapes[n]) for n in there if found.tensors[n].shape != shapes[n]},
        unexpected=tuple(name for name in found.tensors if name not in shapes),
        meta=read_meta(found.path),
    )


def agreeing(found: Recognised, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many tensors of a module a reading of a file fits."""
    return sum(name in found.tensors and found.tensors[name].shape == shape for name, shape in shapes.items())


def fresh_names(module: "nn.Module", names: Collection[str], new_head: bool, trunk: bool) -> list[str]:
    """The names that keep their starting values, as asked."""
    network, kind = network_of(names), type(module).__name__
    if new_head and (network is None or not network.head):
        raise UsageError(f"{kind} has no head that could be new: leave new_head (--new-head) out")
    if trunk and not any(begins(name, TRUNK) for name in names):
        raise UsageError(f"{kind} has no trunk by the published names: leave trunk (--trunk) out")
    heads = network.head if network and new_head else ()
    return [name for name in names if begins(name, heads) or (trunk and not begins(name, TRUNK))]


def fill(module: "nn.Module", report: LoadReport, gains: Gains) -> None:
    """Read the tensors of a comparison without faults, all before the first is changed."""
    import torch

    tensors = read_tensors(report.found, report.loaded, gains)
    state = module.state_dict()
    with torch.no_grad():
        for name in (*report.zeros, *report.counters):
            state[name].zero_()
        for name, tensor in tensors.items():
            state[name].copy_(tensor)


def read_tensors(found: Recognised, names: Iterable[str], gains: Gains) -> dict[str, "Tensor"]:
    """Tensors of a file by our names; gains as `load_weights` says."""
    absolute, tensors = are_absolute(found, gains), {}
    for name in names:
        tensor = found.tensors[name].load()
        is_gain = name.endswith(".weight") and f"{name.removesuffix('weight')}running_mean" in found.tensors
        tensors[name] = tensor.abs() + INPLACE_EPSILON if absolute and is_gain else tensor
    return tensors


def are_absolute(found: Recognised, gains: Gains) -> bool:
    """Whether a file's gains are taken as |g| + 1e-5."""
    return gains == "absolute" or (gains == "auto" and found.inplace_abn)
