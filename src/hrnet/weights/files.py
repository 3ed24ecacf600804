"""Weights on disk: our own safetensors with recipe and card inside, and foreign files opened without running them."""

import json
import pickle
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrnet.errors import HRNetError
from hrnet.images import write_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH_COUNTER = "num_batches_tracked"
EMBEDDED = Path(__file__).parent / "embedded"


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did: names of tensors loaded, and how the file was told apart."""

    path: Path
    layout: str
    loaded: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        unused = f", {len(self.unused)} unused: {', '.join(self.unused[:3])} ..." if self.unused else ""
        return f"{self.path}: {self.layout}, {len(self.loaded)} tensors loaded{unused}"


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


def read_tensors(path: Path) -> tuple[dict[str, "Tensor"], str]:
    """The tensors of a file by name, and the layout they were found in. Pickled code never runs."""
    import torch

    must_be_a_file(path)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path), "safetensors"
        except (SafetensorError, OSError) as error:
            raise damaged(path, error) from None
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch names the global that it refused; whatever else begins like a pickle was not written by torch.
        if "GLOBAL" in str(error) or path.read_bytes()[:1] == pickle.PROTO:
            raise HRNetError(
                f"{path} holds pickled objects other than tensors, which could run code and are not opened: "
                "ask its author for a plain state dict or safetensors"
            ) from None
        raise damaged(path, ValueError("torch cannot read it")) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise damaged(path, error) from None
    return unwrapped(content, path)


def must_be_a_file(path: Path) -> None:
    """Refuse a path that leads to no file."""
    if not path.is_file():
        fault = "is no file" if path.exists() else "does not exist"
        raise HRNetError(f"{path} {fault}: check the path of the weights")


def damaged(path: Path, error: Exception) -> HRNetError:
    """The refusal of a file that cannot be read as weights."""
    reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    return HRNetError(f"{path} is truncated or no weights file ({reason}): download or copy it again")


def unwrapped(content: Any, path: Path) -> tuple[dict[str, "Tensor"], str]:
    """The state dict inside a checkpoint: bare, or under `state_dict`; the prefix `module.` of parallel runs goes."""
    import torch

    layout = "state dict"
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content, layout = content["state_dict"], "checkpoint with a state dict"
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise HRNetError(f"{path} is not a state dict: expected tensors by name, or a checkpoint with 'state_dict'")
    return {name.removeprefix("module."): value for name, value in content.items()}, layout


def load_weights(module: "nn.Module", path: str | Path) -> LoadReport:
    """Load a weights file into a module, strictly: every tensor must be there and have the module's shape.

    Reads safetensors and `torch.load` files (bare state dicts, checkpoints with `state_dict`, prefix `module.`). Only
    batch counters may be missing. Raises `HRNetError` for a damaged file, one of another model, or one with code.
    """
    path = Path(path)
    tensors, layout = read_tensors(path)
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in tensors and not name.endswith(BATCH_COUNTER)]
    unused = [name for name in tensors if name not in wanted]
    shapes = [n for n in wanted if n in tensors and tensors[n].shape != wanted[n].shape]
    kind = type(module).__name__
    if missing:
        raise HRNetError(
            f"{path} holds another model: of {kind}'s {len(wanted)} tensors it lacks {len(missing)}, the first being "
            f"{missing[0]}; name the recipe that the weights belong to"
        )
    if shapes:
        name = shapes[0]
        raise HRNetError(
            f"{path} holds another model: {name} is {tuple(tensors[name].shape)}, expected {tuple(wanted[name].shape)} "
            f"({len(shapes)} tensors differ in shape); name the recipe that the weights belong to"
        )
    loaded = {name: tensors[name].to(wanted[name].dtype) for name in wanted if name in tensors}
    module.load_state_dict({**wanted, **loaded})
    return LoadReport(path, layout, tuple(loaded), tuple(unused), read_meta(path))
