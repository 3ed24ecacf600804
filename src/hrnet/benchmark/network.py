"""How fast a network runs here, beside the published way and beside what the machine can do at most.

Everything is measured in one run, in interleaved rounds after a warm-up, because machines are shared and change speed.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.benchmark.rounds import interleaved, memory_mib
from hrnet.engines.cache import conditions
from hrnet.engines.choosing import Network, Way, engine_of, ways_of_module
from hrnet.engines.choosing import Wish as EngineWish
from hrnet.errors import HRNetError
from hrnet.machine import computes_bf16, cores, installed
from hrnet.settings import Recipe

if TYPE_CHECKING:
    from torch import nn

EAGER = "eager fp32"
LEAST_SECONDS = 1.0  # that each cell of the table is measured for, rounds of all ways together


@dataclass(frozen=True)
class Row:
    """One way at one batch size: milliseconds per picture (median, and the spread of the middle half), and how many
    times faster than eager fp32 in the same rounds."""

    way: str
    batch: int
    median_ms: float
    quartiles_ms: tuple[float, float]
    ratio: float
    peak_share: float | None = None


@dataclass(frozen=True)
class Report:
    """Everything that a benchmark says."""

    recipe: str
    size: tuple[int, int]
    machine: dict[str, Any]
    load: float | None
    threads: int
    gflops_per_picture: float
    peak_gflops: dict[str, float]
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    peak_memory_mib: float = 0.0

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def benchmark(
    recipe: Recipe,
    batches: Sequence[int] = (1, 8),
    ways: Sequence[Way] | None = None,
    network: "nn.Module | None" = None,
    int8: bool = False,
) -> Report:
    """Measure a recipe's network, with random weights where none is given, in every way that is installed; `int8` asks
    for OpenVINO's int8 too.

    The eager network in float32, channels first, as every published pipeline runs it, is always among them.
    """
    import torch

    torch.manual_seed(0)
    module = (network or recipe.model.build()).eval()
    size = recipe.model.input_size
    source = Network("benchmark", size, lambda: module, recipe.free)
    if int8:
        source.int8 = in_int8(source)
    ways = ways_of_module(source, EngineWish()) if ways is None else ways
    device = next((way.device for way in ways if way.device != "cpu"), "cpu")
    engines: dict[str, Callable[[np.ndarray], Any]] = {EAGER: eager(module, device)}
    left_out = []
    for way in ways:
        try:
            engines[str(way)] = engine_of(way, source).run
        except (HRNetError, RuntimeError) as error:
            left_out.append(f"{way}: {error}")
    short = device != "cpu" or computes_bf16()
    peaks = {precision: matrix_peak(precision, device) for precision in (("fp32", "bf16") if short else ("fp32",))}
    work = 2 * multiply_adds(recipe) / 1e9
    rows = []
    for batch in batches:
        rows += measured(engines, pictures_of(size, batch), work, peaks)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    about = (recipe.name, size, conditions(), load, cores(), round(work, 2), peaks)
    return Report(*about, rows, left_out, memory_mib())


def in_int8(source: Network) -> Path:
    """A network in int8, calibrated on a few drawn people: its speed is the same whatever it answers."""
    from hrnet.datasets.synthetic import figures
    from hrnet.engines.exported import save_openvino
    from hrnet.engines.quantise import KEPT_OUT, quantised

    file = Path(source.folder.name) / "int8.xml"
    people = [record.read() for record in figures(16, size=source.size).records]
    save_openvino(quantised(source.graph, people, KEPT_OUT[0]), file, {})
    return file


def eager(network: "nn.Module", device: str = "cpu") -> Callable[[np.ndarray], Any]:
    """The published way: a copy in float32, channels first, its input normalised outside, its maps back in the host."""
    from copy import deepcopy

    import torch

    from hrnet.images import normalised

    copied = deepcopy(network).to(device, memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def run(pictures: np.ndarray) -> Any:
        with torch.inference_mode():
            found = copied(torch.from_numpy(np.stack([normalised(picture) for picture in pictures])).to(device))
            return found.cpu() if isinstance(found, torch.Tensor) else tuple(each.cpu() for each in found)

    return run


def measured(
    runs: dict[str, Callable[[np.ndarray], Any]], pictures: np.ndarray, work: float, peaks: dict[str, float]
) -> list[Row]:
    """A row per way for one batch."""
    times = interleaved({name: lambda run=run: run(pictures) for name, run in runs.items()}, LEAST_SECONDS * len(runs))
    rows, batch = [], len(pictures)
    plain = np.median(times[EAGER])
    for name, seconds in times.items():
        ms = 1000 * np.array(seconds) / batch
        low, median, high = np.percentile(ms, [25, 50, 75])
        peak = peaks.get("fp32" if name == EAGER else name.split()[1])
        share = round(work / (median / 1000) / peak, 3) if peak else None
        ratio = round(float(plain / np.median(seconds)), 2)
        rows.append(
            Row(name, batch, round(float(median), 2), (round(float(low), 2), round(float(high), 2)), ratio, share)
        )
    return rows


def pictures_of(size: tuple[int, int], count: int) -> np.ndarray:
    """Random pictures; no engine's speed depends on what they show."""
    return np.random.default_rng(0).integers(0, 256, (count, size[1], size[0], 3)).astype(np.uint8)


def matrix_peak(precision: str, device: str = "cpu", side: int = 4096) -> float:
    """GFLOP/s of a large product of square matrices in torch, the best of several: what the machine can do at most."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    a = torch.randn(side, side).to(device, dtype)
    products = {"product": lambda: (a @ a)[0, 0].item()}  # a number of it: waits for the device
    best = min(interleaved(products, 1.0, 3, in_turn=1)["product"])
    return round(2 * side**3 / best / 1e9, 1)


def multiply_adds(recipe: Recipe) -> int:
    """Multiply-adds of one picture."""
    import torch

    from hrnet.nets.cost import cost

    with torch.device("meta"):
        return cost(recipe.model.build(), recipe.model.input_size)[1]


def plot(report: Report, file: Path) -> None:
    """Bars of milliseconds per picture by way and batch size."""
    if not installed("matplotlib"):
        raise HRNetError("a plot needs matplotlib: pip install 'hrnet[train]'")
    from matplotlib.figure import Figure

    from hrnet.images import replacing

    ways = list(dict.fromkeys(row.way for row in report.rows))
    batches = list(dict.fromkeys(row.batch for row in report.rows))
    figure = Figure(figsize=(7, 0.45 * len(ways) * len(batches) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    for k, batch in enumerate(batches):
        rows = {row.way: row for row in report.rows if row.batch == batch}
        places = [w + 0.8 * (k + 0.5) / len(batches) - 0.4 for w in range(len(ways))]
        bars = axes.barh(places, [rows[w].median_ms for w in ways], 0.75 / len(batches), label=f"batch {batch}")
        axes.bar_label(
            bars, [f"{rows[w].median_ms:.1f} ms, {rows[w].ratio:.1f} x" for w in ways], padding=3, fontsize=8
        )
    axes.set_yticks(range(len(ways)), ways)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set(xlabel="milliseconds per picture", title=f"{report.recipe}, {report.machine['processor'].split(';')[0]}")
    axes.legend(loc="lower right")
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=120)
