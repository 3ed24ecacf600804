"""Which engine runs a network fastest on this machine without changing its answers: measured once, remembered."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.engines.cache import Memory, file_digest
from hrnet.engines.engine import Engine, first_line
from hrnet.engines.onnx_engine import OnnxEngine
from hrnet.engines.openvino_engine import OpenVINOEngine
from hrnet.errors import HRNetError, UsageError, nearest
from hrnet.machine import computes_bf16, cuda_driver, installed
from hrnet.results.agreement import Agreement, judged
from hrnet.settings import Free

if TYPE_CHECKING:
    from torch import nn

ENGINES = ("auto", "torch", "onnx", "openvino")
PRECISIONS = ("fp32", "bf16", "fp16", "int8")
BATCH, FEW = 8, 2  # pictures that engines are measured with; few where a task feeds whole pictures of many sizes
ROUNDS, SECONDS = 4, 4.0  # turns in which engines are measured, fewer once so much time is over
HOPELESS = 1.8  # times slower than the fastest in the first round: measured once is enough
OUT = 4.0  # times slower than fp32 with one picture: bf16 is left out before it is given a batch,
BRIEF = 0.25  # unless one picture takes less than so many seconds
OWN_ENGINE = {".onnx": "onnx", ".xml": "openvino", ".pt2": "torch"}  # what an exported file is made for
OUTPUT_BUDGETS = {"fp32": 0.005, "bf16": 0.05, "fp16": 0.02, "int8": 0.15}
Judge = Callable[[Engine, Engine], Agreement]


@dataclass(frozen=True)
class Way:
    """One way to run a network."""

    engine: str
    precision: str
    device: str = "cpu"

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}" + (f" on {self.device}" if self.device != "cpu" else "")


@dataclass
class Network:
    """A network with its weights, as engines are made from it; built when first needed.

    `key` tells it apart from every other (weights and model). `size` is the width and height that it is measured at,
    `free` what else its task leaves open. `int8` is an OpenVINO file in int8 whose proof held. `decoding` ends
    the network in its task's decoding where that can be done (`Recipe.decoding`): on CUDA devices it runs there too. An
    exported network has no `build`, but its `file` and what `read_exported` says about it.
    """

    key: str
    size: tuple[int, int]
    build: "Callable[[], nn.Module] | None"
    free: tuple[Free, ...] = ("batch",)
    int8: Path | None = None
    decoding: "Callable[[nn.Module], nn.Module | None]" = lambda module: None
    file: Path | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def decodes(self) -> bool:
        return bool(self.meta.get("decodes"))

    @cached_property
    def module(self) -> "nn.Module":
        assert self.build is not None
        return self.build()

    @cached_property
    def folder(self) -> TemporaryDirectory:
        return TemporaryDirectory(prefix="hrnet-")

    @cached_property
    def graph(self) -> Path:
        """The network as a file that engines read; one that is not there yet is written into a folder that goes with
        this object."""
        if self.file is not None:
            return self.file
        from hrnet.engines.graph import write_onnx

        path = Path(self.folder.name) / "network.onnx"
        write_onnx(self.module, self.size, path, self.free)
        return path


@dataclass(frozen=True)
class Wish:
    """What a user asks for: an engine or "auto", a precision or whichever is fastest, a torch device or none."""

    engine: str = "auto"
    precision: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UsageError(f"there is no engine {self.engine!r}: {nearest(self.engine, ENGINES)}")
        if self.precision is not None and self.precision not in PRECISIONS:
            raise UsageError(f"there is no precision {self.precision!r}: {nearest(self.precision, PRECISIONS)}")
        if self.device not in (None, "cpu") and self.engine in ("onnx", "openvino"):
            raise UsageError(
                f"the engine {self.engine!r} runs on the CPU: leave the device out, or take engine 'torch'"
            )


@dataclass(frozen=True)
class Choice:
    """An engine, ready, and one line about why it was taken."""

    engine: Engine
    why: str
    measured: dict[str, float] = field(default_factory=dict)


def choose(network: Network, wish: Wish, judge: Judge) -> Choice:
    """The engine that a user means; where several would do, the fastest whose answers stay within their budget.

    `judge` runs two engines over the same pictures and says how well they agree. The choice is remembered in the
    cache folder. An engine that is not installed, fails, or is beyond its budget is passed over with a warning, unless
    it is the only one asked for: then its error is raised.
    """
    if wish.engine == "auto" and wish.device is not None:
        wish = Wish("torch", wish.precision or "fp32", wish.device)
    ways = ways_for(wish, network)
    only = ways[0] if len(ways) == 1 else None
    if only is not None and only.engine == "torch":
        return Choice(engine_of(only, network), as_only(only, wish))
    int8 = network.int8 and file_digest(network.int8)
    memory = Memory(f"{network.key} {network.size} {network.free} {int8} {wish} {', '.join(map(str, ways))}")
    told = memory.recall()
    if told is not None:
        try:
            again = " (measured before)" if told["measured"] else ""
            return Choice(recalled(told, memory, network), told["why"] + again, told["measured"])
        except (HRNetError, RuntimeError, AssertionError, KeyError, ValueError, OSError) as error:
            warnings.warn(f"the remembered engine cannot be used and is made anew: {error}", stacklevel=2)
    if only is not None:
        return remembered(Choice(engine_of(only, network), as_only(only, wish)), only, network, memory)
    if network.build is not None:
        _ = network.module  # weights that cannot be loaded are no engine's fault
    return measured(ways, network, judge, memory)


def as_only(way: Way, wish: Wish) -> str:
    """Why a way is taken where nothing is to be chosen."""
    if wish.engine != "auto" or wish.precision:
        return f"{way}, as asked for"
    more = "" if installed("openvino") else "; pip install 'hrnet[openvino]' may bring a faster one"
    return f"{way}, the only engine for this network here{more}"


def remembered(choice: Choice, way: Way, network: Network, memory: Memory) -> Choice:
    """The choice, remembered with what lets the next run start without torch."""
    told = {"engine": way.engine, "precision": way.precision, "device": way.device, "why": choice.why}
    try:
        files = kept_files(choice.engine, network, way)
    except (HRNetError, RuntimeError, OSError) as error:
        warnings.warn(f"the engine {way} works, but cannot be kept for the next run: {error}", stacklevel=4)
        return choice
    memory.remember(told | {"measured": choice.measured}, files)
    return choice


def ways_for(wish: Wish, network: Network) -> list[Way]:
    """All ways that fit a wish, the most promising first; what is not installed is left out unless asked for."""
    ways = ways_of_file(network, wish) if network.file is not None else ways_of_module(network, wish)
    fits = [way for way in ways if wish.engine in ("auto", way.engine) and wish.precision in (None, way.precision)]
    if not fits:
        known = ", ".join(map(str, ways))
        hint = (
            "; 'hrnet export NAME.xml --precision int8' proves int8 for its weights" if wish.precision == "int8" else ""
        )
        raise UsageError(
            f"this network is not run by engine {wish.engine!r} in {wish.precision or 'any precision'}: {known}{hint}"
        )
    return fits


def ways_of_file(network: Network, wish: Wish) -> list[Way]:
    """All ways to run an exported network."""
    assert network.file is not None
    if network.file.suffix == ".pt2":
        return [Way("torch", "fp32")]
    if network.meta.get("precision") == "int8":
        return [Way("openvino", "int8")]
    ways = [Way("openvino", "bf16")] * worth_bf16(wish) + [Way("openvino", "fp32")]
    if network.file.suffix == ".onnx":
        if wish.engine == "auto" and not installed("openvino"):
            return [Way("onnx", "fp32")]
        ways += [Way("onnx", "fp32")] if wish.engine != "auto" else []
    return ways


def ways_of_module(network: Network, wish: Wish) -> list[Way]:
    """All ways to run a network that torch builds."""
    gpu = wish.engine in ("auto", "torch") and wish.device is None and cuda_driver() and cuda_in_torch()
    if gpu or wish.device not in (None, "cpu"):
        return [Way("torch", precision, wish.device or "cuda") for precision in ("fp16", "bf16", "fp32")]
    both = ("bf16", "fp32") if worth_bf16(wish) else ("fp32",)
    quick = ("int8",) if network.int8 is not None else ()
    names = {"openvino": (*quick, *both), "torch": both, "onnx": ("fp32",)}
    if wish.engine == "auto":
        packages = {"openvino": "openvino", "torch": "torch", "onnx": "onnxruntime"}
        names = {name: each for name, each in names.items() if installed(packages[name])}
        if "openvino" in names:
            names.pop("onnx", None)  # nowhere seen to be the faster of the two
    return [Way(name, precision) for name, each in names.items() for precision in each]


def worth_bf16(wish: Wish) -> bool:
    """Whether bf16 may be the fastest on this processor, as far as is known, or is asked for."""
    return wish.precision is not None or computes_bf16() is not False


def cuda_in_torch() -> bool:
    """Whether torch is there and can compute on a CUDA device."""
    if not installed("torch"):
        return False
    import torch

    if not torch.cuda.is_available():
        return False
    try:  # a card may be too old for this torch, or full
        pixel = torch.zeros(1, 1, 1, 1, device="cuda", dtype=torch.float16)
        torch.nn.functional.conv2d(pixel, pixel).cpu()
    except RuntimeError as error:
        warnings.warn(f"the CUDA device cannot be used, the CPU is taken: {first_line(error)}", stacklevel=2)
        return False
    return True


def engine_of(way: Way, network: Network) -> Engine:
    """An engine for a way. Raises `HRNetError` where it is not installed or cannot run the network."""
    if way.engine == "openvino":
        quick = network.int8 if way.precision == "int8" else None
        # The engine reads its file when it is first run, and `whole` keeps the network, whose folder holds the file.
        graph = quick or network.graph
        return OpenVINOEngine(graph, way.precision, decodes=network.decodes, whole=lambda: network.key)
    if way.engine == "onnx":
        return OnnxEngine(network.graph, decodes=network.decodes)
    return torch_engine(way, network)


def torch_engine(way: Way, network: Network) -> Engine:
    """PyTorch: as published in fp32, else with batch norms folded and, on CUDA, launches recorded."""
    from hrnet.engines.torch_engine import ExportedProgram, TorchEngine

    if network.file is not None:
        return ExportedProgram(network.file, network.decodes)
    short, module = way.precision != "fp32", network.module
    if short and way.device != "cpu":
        module = network.decoding(module) or module
    return TorchEngine(module, way.device, way.precision, fused=short, graphs=short)


def measured(ways: list[Way], network: Network, judge: Judge, memory: Memory) -> Choice:
    """Measure all ways side by side and keep the fastest whose answers agree with torch's in fp32."""
    width, height = network.size
    batch, what = (FEW, "picture") if "size" in network.free else (BATCH, "crop")
    pictures = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3)).astype(np.uint8)
    engines = ready(ways, network, pictures)
    if not engines:
        raise HRNetError(f"none of the engines {', '.join(map(str, ways))} runs this network here: see the warnings")
    times = milliseconds(engines, pictures)
    plain = reference(engines, network)
    for way in sorted(engines, key=times.__getitem__):
        verdict = judged_by(judge, engines[way], plain)
        if verdict.holds:
            break
        warnings.warn(f"the engine {way} is passed over: {'; '.join(verdict.faults)}", stacklevel=3)
    else:
        way, verdict = Way(plain.name.split()[0], plain.precision, next(iter(engines)).device), Agreement({})
        times[way], engines[way] = milliseconds({way: plain}, pictures)[way], plain
    slowest = max(times, key=times.__getitem__)
    faster = f", {times[slowest] / times[way]:.1f} x faster than {slowest}" if slowest is not way else ""
    apart = f"; agreement with fp32: {verdict}" if verdict.figures else ""
    why = f"{way}: {times[way]:.2f} ms per {what} of {width}x{height} in batches of {batch}{faster}{apart}"
    figures = {str(each): round(value, 3) for each, value in times.items()}
    return remembered(Choice(engines[way], why, figures), way, network, memory)


def ready(ways: list[Way], network: Network, pictures: np.ndarray) -> dict[Way, Engine]:
    """Warm engines of all ways that run here. bf16 that a processor has to work out in float32 is left out before it
    takes minutes for a batch."""
    seconds: dict[Way, float] = {}
    engines: dict[Way, Engine] = {}
    for way in ways:
        with passing_over(way):
            engine = engine_of(way, network)
            engine.run(pictures[:1])  # what the first call prepares is not counted
            seconds[way] = min(duration(engine, pictures[:1]) for _ in range(2))
            engines[way] = engine
    limit = OUT * min((spent for way, spent in seconds.items() if way.precision == "fp32"), default=float("inf"))
    warm: dict[Way, Engine] = {}
    for way in engines:
        if way.device == "cpu" and way.precision == "bf16" and seconds[way] > max(BRIEF, limit):
            continue
        with passing_over(way):
            for _ in range(1 if way.device == "cpu" else 2):  # CUDA graphs are recorded in the second run
                engines[way].run(pictures)
            warm[way] = engines[way]
    return warm


def duration(engine: Engine, pictures: np.ndarray) -> float:
    """Seconds that an engine takes for a batch."""
    began = time.perf_counter()
    engine.run(pictures)
    return time.perf_counter() - began


@contextmanager
def passing_over(way: Way) -> Iterator[None]:
    """An engine that fails within the block is no error, but a warning with its reason."""
    try:
        yield
    except (HRNetError, RuntimeError) as error:
        warnings.warn(f"the engine {way} is passed over: {error}", stacklevel=5)


def judged_by(judge: Judge, engine: Engine, plain: Engine) -> Agreement:
    """What the judge says; an engine that fails under it is beyond any budget."""
    if engine is plain:
        return Agreement({})
    try:
        return judge(engine, plain)
    except (HRNetError, RuntimeError) as error:
        return Agreement({}, (str(error),))


def reference(engines: dict[Way, Engine], network: Network) -> Engine:
    """What answers are compared with: torch in fp32, or an exported network in fp32."""
    found = {way.engine: engine for way, engine in engines.items() if way.precision == "fp32"}
    if "torch" in found:
        return found["torch"]
    if network.file is not None:
        return next(iter(found.values())) if found else engine_of(Way(OWN_ENGINE[network.file.suffix], "fp32"), network)
    return torch_engine(Way("torch", "fp32", next(iter(engines)).device), network)


def milliseconds(engines: dict[Way, Engine], pictures: np.ndarray) -> dict[Way, float]:
    """Shortest milliseconds per picture of each engine, in turns, so that a busy moment of the machine decides little.

    Where a turn takes seconds there is one, for a moment is short then. A turn begins with a call that is not counted:
    the threads of the library before still spin for a while.
    """
    times: dict[Way, float] = dict.fromkeys(engines, float("inf"))
    end = time.perf_counter() + SECONDS
    for turn in range(ROUNDS):
        if turn and time.perf_counter() > end:
            break
        for way, engine in engines.items():
            if turn and times[way] > HOPELESS * min(times.values()):
                continue
            engine.run(pictures[:1])
            times[way] = min(times[way], 1000 * duration(engine, pictures) / len(pictures))
    return times


def outputs_agree(engine: Engine, reference: Engine, batches: Sequence[np.ndarray]) -> Agreement:
    """How far an engine's outputs are from the reference's: mean difference over mean size, of the worst output."""
    pairs = (pair for each in batches for pair in zip(engine.run(each), reference.run(each), strict=True))
    off = max(float(np.abs(a - b).mean() / max(np.abs(b).mean(), 1e-12)) for a, b in pairs)
    return judged({"outputs differ by": round(off, 5)}, {"outputs differ by": OUTPUT_BUDGETS[engine.precision]})


def kept_files(engine: Engine, network: Network, way: Way) -> dict[str, bytes]:
    """What lets the next run start without torch: the graph, and what OpenVINO compiled from it."""
    if way.engine == "torch":
        return {}
    kept = network.file is None and way.precision != "int8"
    files = {"network.onnx": network.graph.read_bytes()} if kept else {}
    if isinstance(engine, OpenVINOEngine):
        files["compiled.blob"] = engine.compiled_blob()
    return files


def recalled(told: dict[str, Any], memory: Memory, network: Network) -> Engine:
    """The engine that was remembered, from what was kept; files are checked as they are read."""
    way = Way(told["engine"], told["precision"], told["device"])
    if way.engine == "torch":
        return torch_engine(way, network)
    kept = "network.onnx" in told["files"]
    path = memory.path("network.onnx") if kept else network.int8 or network.graph
    whole = partial(memory.content, told, "network.onnx") if kept else partial(must_be_as, stamp(path), path)
    if way.engine == "openvino":
        blob = memory.content(told, "compiled.blob")
        return OpenVINOEngine(path, way.precision, decodes=network.decodes, blob=blob, whole=whole)
    whole()
    return OnnxEngine(path, decodes=network.decodes)


def stamp(path: Path) -> list[tuple[int, int]]:
    """What changes where a file, or the .bin beside it, is replaced: time and size of each."""
    found = [file.stat() for file in (path, path.with_suffix(".bin")) if file.exists()]
    return [(each.st_mtime_ns, each.st_size) for each in found]


def must_be_as(before: list[tuple[int, int]], path: Path) -> None:
    """Refuse a file that was replaced since an engine was made of it: some answers would be of another network."""
    if stamp(path) != before:
        raise HRNetError(f"{path} was replaced meanwhile")
