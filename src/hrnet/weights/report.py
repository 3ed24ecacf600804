"""What a file is and what became of its tensors, as data and as a short table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hrnet.errors import HRNetError
from hrnet.weights.layouts import PREFIXES, TRUNK
from hrnet.weights.recognise import Recognised, begins

Row = tuple[str, str]


@dataclass(frozen=True)
class LoadReport:
    """How a file's tensors met a module's. Names are the module's, but for those of `dropped`, which are the file's.

    `loaded` were or can be copied. `zeros` are biases that the file's layout has not, `counters` batch counters that it
    lacks; both are set to zero. `fresh` keep their starting values because that was asked (a new head, a trunk alone).
    `missing` and `other_shape` stand in the way of loading. `unexpected` are in the file and not in the module,
    `dropped` have no place in any module, each with the reason. `meta` is the recipe and card of a file of ours.
    """

    found: Recognised
    module: str
    wanted: int
    loaded: tuple[str, ...] = ()
    zeros: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    other_shape: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    unexpected: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file."""
        return self.found.path

    @property
    def dropped(self) -> Mapping[str, str]:
        """Entries without a place, with the reason."""
        return self.found.dropped

    def __str__(self) -> str:
        return "\n".join(aligned(self.rows()))

    def rows(self) -> list[Row]:
        """The report as label and text."""
        shapes = [f"{name} {a} in the file, {b} here" for name, (a, b) in self.other_shape.items()]
        return [
            *origin(self.found),
            ("mapped", f"{len(self.loaded)} of the {self.wanted} tensors of {self.module}"),
            ("missing", listed(self.missing) or "none"),
            ("other shape", listed(shapes) or "none"),
            ("unexpected", listed(self.unexpected) or "none"),
            *kept([
                ("set to zero", listed(self.zeros)),
                ("set to zero", f"{len(self.counters)} batch counters" if self.counters else ""),
                ("left new", listed(self.fresh)),
            ]),
            *remarks(self.found),
        ]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, such as JSON can hold."""
        return facts(self.found) | {
            "module": self.module,
            "loaded": list(self.loaded),
            "zeros": list(self.zeros),
            "counters": list(self.counters),
            "fresh": list(self.fresh),
            "missing": list(self.missing),
            "other_shape": {name: [list(a), list(b)] for name, (a, b) in self.other_shape.items()},
            "unexpected": list(self.unexpected),
        }

    def refusal(self) -> HRNetError | None:
        """Why the module cannot be filled, in one sentence, or None."""
        if not self.missing and not self.other_shape:
            return None
        fault = f"{self.path} ({self.found}) "
        if self.missing:
            fault += (
                f"lacks {len(self.missing)} of the {self.wanted} tensors of {self.module}, such as {self.missing[0]}"
            )
        else:
            name, (theirs, ours) = next(iter(self.other_shape.items()))
            fault += f"is another model: {name} is {theirs}, expected {ours}"
            fault += f" ({len(self.other_shape)} tensors differ in shape)"
        network, wrong = self.found.network, [*self.missing, *self.other_shape]
        remedy = "name the recipe that the weights belong to"
        if network and all(begins(name, network.head) for name in wrong):
            remedy += ", or ask for a new head (--new-head, new_head=True)"
        elif not any(begins(name, TRUNK) for name in wrong):
            remedy += ", or ask for the trunk alone (--trunk, trunk=True)"
        return HRNetError(f"{fault}: {remedy}")


def explained(found: Recognised) -> list[Row]:
    """What a file is, without a module to compare it with."""
    shape = ", ".join(f"{name} {value}" for name, value in found.shape.items() if name != "head_outputs")
    return [*origin(found), ("tensors", f"{len(found.tensors)}{f'; {shape}' if shape else ''}"), *remarks(found)]


def origin(found: Recognised) -> list[Row]:
    """Where the tensors lay, and what told the layout."""
    size = f"{found.opened.size / 1e6:.1f} MB"
    within = f"'{found.container}'" if found.container else "the file itself"
    less = ", ".join(f"{prefix} ({PREFIXES[prefix]})" for prefix in found.prefixes)
    return kept([
        ("file", f"{found.path}, {found.opened.form}, {size}"),
        ("tensors in", f"{within}{f'; every name less {less}' if less else ''}"),
        ("recognised", str(found)),
        ("seen by", ", ".join(f"{mark}*" if mark.endswith(".") else mark for mark in found.seen)),
        ("names", "" if found.network else listed(tuple(found.tensors), 8)),
    ])  # fmt: skip


def remarks(found: Recognised) -> list[Row]:
    """What was left out and why, and what one should know."""
    reasons: dict[str, list[str]] = {}
    for name, why in found.dropped.items():
        reasons.setdefault(why, []).append(name)
    return [
        *(("left out", f"{listed(names)}: {why}") for why, names in reasons.items()),
        *(("note", note) for note in found.notes),
    ]


def facts(found: Recognised) -> dict[str, Any]:
    """What a file is, as plain values."""
    return {
        "file": str(found.path),
        "form": found.opened.form,
        "container": found.container,
        "prefixes": list(found.prefixes),
        "layout": found.layout.code if found.layout else None,
        "network": found.network.name if found.network else None,
        "task": found.network.task if found.network else None,
        "seen": list(found.seen),
        "shape": {name: list(v) if isinstance(v, tuple) else v for name, v in found.shape.items()},
        "tensors": len(found.tensors),
        "dropped": dict(found.dropped),
        "notes": list(found.notes),
    }


def listed(names: Sequence[str], most: int = 3) -> str:
    """How many, and the first few."""
    if not names:
        return ""
    return f"{len(names)}: {', '.join(names[:most])}{' ...' if len(names) > most else ''}"


def kept(rows: list[Row]) -> list[Row]:
    """The rows that say something."""
    return [row for row in rows if row[1]]


def aligned(rows: Sequence[Row]) -> list[str]:
    """Rows as lines of text."""
    return [f"{label:<11}  {text}" for label, text in rows]
