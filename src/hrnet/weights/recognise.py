"""What a weights file is: where it keeps its tensors, in whose names, and of which network."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hrnet.errors import HRNetError, UsageError, nearest
from hrnet.weights.layouts import CONTAINERS, LAYOUTS, LEFTOVERS, NETWORKS, PREFIXES, Layout, Network
from hrnet.weights.opening import Opened, open_weights
from hrnet.weights.pickled import Opaque, StoredTensor

BATCH_COUNTER = "num_batches_tracked"
INPLACE_ABN = (
    "it holds no batch counters and the names of published segmentation, so InPlaceABN may have written it: "
    "each batch-norm gain g is taken as |g| + 1e-5 (gains='plain' takes it as it is)"
)


@dataclass(frozen=True)
class Recognised:
    """A file understood: `tensors` by our names, and how each came to its name.

    `sources` gives each tensor's name in the file, `dropped` the entries that have no place, with the reason. `seen`
    are the beginnings of names that told layout and network. `shape` is what the tensors say of the network: width,
    modules, outputs. `inplace_abn` is whether the file may come from a batch norm whose gain is |g| + 1e-5.
    """

    opened: Opened
    container: str
    prefixes: tuple[str, ...]
    layout: Layout | None
    network: Network | None
    tensors: Mapping[str, StoredTensor]
    sources: Mapping[str, str]
    dropped: Mapping[str, str]
    seen: tuple[str, ...]
    shape: Mapping[str, Any]
    other_parts: tuple[str, ...]
    inplace_abn: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.opened.path

    def __str__(self) -> str:
        if self.layout is None or self.network is None:
            return f"{len(self.tensors)} tensors in no layout that is known"
        return f"{self.title}, named as in {self.layout.title}"

    @property
    def title(self) -> str:
        """The network in words, with its width and the number of its outputs."""
        assert self.network is not None
        width = f"-W{self.shape['width']}" if "width" in self.shape else ""
        count = f", {self.shape['head_outputs']} {self.network.unit}" if self.shape.get("head_outputs") else ""
        return f"{self.network.title.format(width)}{count}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know before using the file."""
        notes = list(self.layout.notes) if self.layout else []
        if self.inplace_abn:
            notes.append(INPLACE_ABN)
        halves = sum(stored.dtype in ("float16", "bfloat16") for stored in self.tensors.values())
        if halves:
            notes.append(f"{halves} tensors are in half precision")
        foreign = self.opened.foreign
        if foreign:
            more = " ..." if len(foreign) > 3 else ""
            notes.append(f"objects besides tensors were stepped over, nothing ran: {', '.join(foreign[:3])}{more}")
        if self.other_parts:
            notes.append(
                f"it also holds {', '.join(self.other_parts)}: part={self.other_parts[0]!r} reads that instead"
            )
        return tuple(notes)


def recognise(path: str | Path, part: str | None = None) -> Recognised:
    """Say what a weights file is, from its names and shapes; no tensor is read.

    `part` picks one of several state dicts in a training's checkpoint, such as `best_state_dict`. A file in no known
    layout comes back with `layout` and `network` None. Raises `HRNetError` for a file that cannot be read.
    """
    return next(readings(open_weights(Path(path)), part))


def readings(opened: Opened, part: str | None = None) -> Iterator[Recognised]:
    """Every way in which a file can be read, the likeliest first; layouts that share names are told by the module."""
    container, entries, others = state_dict(opened, part)
    names, prefixes, dropped = stripped(entries)
    tensors = {name: entries[source] for name, source in names.items()}
    if sum(stored.nbytes for stored in tensors.values()) > opened.size:
        raise HRNetError(f"{opened.path} claims more tensors than it holds: do not use it")
    ambiguous = []
    for layout in LAYOUTS:
        reading = read_as(layout, Recognised(
            opened, container, prefixes, None, None, tensors, names, dropped, (), {}, others))  # fmt: skip
        if reading is None:
            continue
        if layout.outputs and reading.shape.get("head_outputs") not in layout.outputs:
            ambiguous.append(reading)
        else:
            yield reading
    yield from ambiguous
    yield Recognised(opened, container, prefixes, None, None, tensors, names, dropped, (), {}, others)


def read_as(layout: Layout, found: Recognised) -> Recognised | None:
    """The file in one layout, or None where that layout's marks, or a network of it, are not in it."""
    told = all(first(found.tensors, mark) for mark in layout.marks)
    if not told or any(first(found.tensors, mark) for mark in layout.absent):
        return None
    renamed: dict[str, str] = {}
    dropped = dict(found.dropped)
    for name in found.tensors:
        ours = translate(name, layout.renames)
        if ours is None or ours in renamed:
            why = next(
                (why for start, why in layout.dropped if name.startswith(start)), "it has no place in this layout"
            )
            dropped[found.sources[name]] = why
        else:
            renamed[ours] = name
    network = network_of(renamed)
    if network is None or network.name not in layout.networks:
        return None
    tensors = {ours: found.tensors[name] for ours, name in renamed.items()}
    counted = any(name.endswith(BATCH_COUNTER) for name in tensors)
    return Recognised(
        found.opened, found.container, found.prefixes, layout, network, tensors,
        {ours: found.sources[name] for ours, name in renamed.items()}, dropped,
        (*layout.marks, *network.marks), network_shape(network, tensors),
        found.other_parts, network.task == "segmentation" and "model." in found.prefixes and not counted,
    )  # fmt: skip


def state_dict(opened: Opened, part: str | None) -> tuple[str, dict[str, StoredTensor], tuple[str, ...]]:
    """The tensors of a file, the keys under which they lay, and the other places with tensors."""
    places = dict(state_dicts(opened.tree))
    if not places:
        raise HRNetError(f"{opened.path} holds no tensors by name: expected a state dict, or a checkpoint with one")
    if part is not None and part not in places:
        raise UsageError(f"{opened.path} has no part {part!r}: {nearest(part, filter(None, places))}")
    chosen = next(iter(places)) if part is None else part
    return chosen, places[chosen], tuple(name for name in places if name != chosen)


def state_dicts(tree: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, StoredTensor]]]:
    """Every state dict of a file's content, by the keys that lead to it: bare, or in known places, or in a module."""
    if isinstance(tree, Opaque):
        tree = dict(module_tensors(tree, set()))
    if not isinstance(tree, dict) or depth > 3:
        return
    tensors = {name: value for name, value in tree.items() if isinstance(value, StoredTensor) and isinstance(name, str)}
    if tensors:
        yield path, tensors
        return
    for key in CONTAINERS:
        if key in tree:
            yield from state_dicts(tree[key], f"{path}.{key}" if path else key, depth + 1)


def module_tensors(module: Opaque, visited: set[int], prefix: str = "") -> Iterator[tuple[str, StoredTensor]]:
    """The state dict of a pickled `nn.Module`, which is never brought to life."""
    if id(module) in visited or len(visited) > 100_000 or prefix.count(".") > 50 or not isinstance(module.state, dict):
        return
    visited.add(id(module))
    for group in ("_parameters", "_buffers", "_modules"):
        members = module.state.get(group)
        for name, member in members.items() if isinstance(members, dict) else ():
            if isinstance(member, StoredTensor):
                yield f"{prefix}{name}", member
            elif isinstance(member, Opaque) and group == "_modules":
                yield from module_tensors(member, visited, f"{prefix}{name}.")


def stripped(entries: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...], dict[str, str]]:
    """Names less the prefixes that all share -> names in the file; the prefixes; and what belongs to no network."""
    names, prefixes = {name: name for name in entries}, []
    dropped: dict[str, str] = {}
    while True:
        left = {name: why for name in names for start, why in LEFTOVERS.items() if name.startswith(start)}
        kept = [name for name in names if name not in left]
        prefix = next((p for p in PREFIXES if kept and all(name.startswith(p) for name in kept)), None)
        dropped |= {names[name]: why for name, why in left.items()}
        names = {name.removeprefix(prefix or ""): names[name] for name in kept}
        if prefix is None:
            return names, tuple(prefixes), dropped
        prefixes.append(prefix)


@cache
def pattern(prefix: str) -> re.Pattern[str]:
    """A prefix in which `{}` stands for a number."""
    return re.compile(re.escape(prefix).replace(r"\{\}", r"(\d+)"))


def translate(name: str, renames: Iterable[tuple[str, str]]) -> str | None:
    """A name with its prefix exchanged by the first pair that fits, or None."""
    for theirs, ours in renames:
        match = pattern(theirs).match(name)
        if match:
            return ours.format(*match.groups()) + name[match.end() :]
    return None


def begins(name: str, prefixes: Iterable[str]) -> bool:
    """Whether one of the prefixes begins a name."""
    return any(pattern(prefix).match(name) for prefix in prefixes)


def first(names: Iterable[str], mark: str) -> str | None:
    """The first name that a prefix begins."""
    return next((name for name in names if pattern(mark).match(name)), None)


def network_of(names: Iterable[str]) -> Network | None:
    """The network that our names belong to."""
    known = list(names)
    return next((n for n in NETWORKS if all(first(known, mark) for mark in n.marks)), None)


def network_shape(network: Network, tensors: Mapping[str, StoredTensor]) -> dict[str, Any]:
    """What names and shapes say of a network, in the terms of `BackboneSpec`; and the number of its outputs."""
    shape: dict[str, Any] = {}
    branch = tensors.get("stage2.0.branches.0.0.conv1.weight")
    stem = tensors.get("layer1.0.conv1.weight")
    if branch is not None and stem is not None and branch.shape and stem.shape:
        bottleneck = first(tensors, "stage2.0.branches.0.0.conv3.") is not None
        shape = {
            "width": branch.shape[0] * (4 if bottleneck else 1),
            "block": "bottleneck" if bottleneck else "basic",
            "stage1_blocks": count(tensors, "layer1.{}."),
            "stage1_planes": stem.shape[0],
            "modules": tuple(count(tensors, f"stage{stage}.{{}}.") for stage in (2, 3, 4)),
            "blocks": count(tensors, "stage2.0.branches.0.{}."),
        }
    outputs = tensors.get(network.outputs)
    if outputs is not None and outputs.shape:
        shape["head_outputs"] = outputs.shape[0]
    return shape


def count(names: Iterable[str], prefix: str) -> int:
    """How many numbers stand at the mark of a prefix."""
    return len({match[1] for match in map(pattern(prefix).match, names) if match})
