"""Export with a proof: a network becomes a file for other programs, and real pictures show that its answers stay."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hrnet.catalogue import resolve
from hrnet.engines.cache import remember_int8
from hrnet.engines.choosing import outputs_agree
from hrnet.engines.engine import Engine
from hrnet.engines.exported import check_format, save_openvino, write_exported
from hrnet.errors import HRNetError, UsageError
from hrnet.images import output_folder, write_text
from hrnet.predictor import drawn_items, loaded, network_key, open_exported, pictures_for
from hrnet.results.agreement import Agreement, judged
from hrnet.settings import Recipe
from hrnet.weights.files import read_meta

if TYPE_CHECKING:
    from torch import nn

SCORE_CHANGE = {"fp32": 0.0005, "int8": 0.005}  # of PCK or AP, where the pictures have labels
CALIBRATION = 300  # crops
PICTURES = 200  # that a proof looks at, at most


@dataclass(frozen=True)
class Evidence:
    """What an export is proven with: items as `Inference.predict` takes them, where they come from, and, with labels,
    the data set that they are of."""

    items: Callable[[], Iterable[Any]]
    source: str
    data: Any = None


@dataclass(frozen=True)
class Proof:
    """How the answers of an exported file compare with those of the network in torch, in fp32."""

    file: str
    precision: str
    recipe: str
    pictures: str
    agreement: Agreement
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    kept_out: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def lines(self) -> list[str]:
        """The proof as a table."""
        rows = [f"{self.file} against torch fp32, {self.pictures}"]
        rows += [f"  {name:<14} {value:g}" for name, value in self.agreement.figures.items()]
        rows += [f"  {name:<14} {' -> '.join(f'{v:.4f}' for v in each.values())}" for name, each in self.scores.items()]
        return [*rows, *(f"  beyond the budget: {fault}" for fault in self.agreement.faults)]


def export(
    name_or_path: str | Path | None,
    weights: str | Path | None,
    out: Path,
    *,
    precision: str = "fp32",
    decode: bool = False,
    evidence: Evidence | None = None,
) -> Proof:
    """Write a network in the format of `out`'s suffix (.onnx, .xml, .pt2), with its proof in a JSON beside it.

    `decode` ends the graph in its task's decoding, flip test included. `precision` "int8" (OpenVINO alone) calibrates
    on the evidence's pictures and keeps out of int8 what costs too much; where the proof holds, engine "auto" may then
    take it. Without evidence the pictures are drawn figures. Raises `HRNetError` where the answers move by more than
    the budget, and then writes nothing.
    """
    check_format(out)
    if out.is_dir():
        raise HRNetError(f"{out} is a folder: name a file to write")
    output_folder(out.parent)
    if evidence is not None and not getattr(evidence.data, "labelled", True):
        raise HRNetError(f"{evidence.source} has no labels to be scored by: name its pictures with --pictures instead")
    if precision not in SCORE_CHANGE:
        raise UsageError(f"an export is in fp32 or int8, not {precision!r}: an engine shortens it further when it runs")
    if precision == "int8" and out.suffix != ".xml":
        raise UsageError(f"int8 is an OpenVINO export: expected a name that ends in .xml, not {out.name}")
    recipe, path = resolve(name_or_path, weights)
    network = loaded(recipe, path)
    evidence = evidence or Evidence(lambda: drawn_items(recipe), "drawn figures")
    graph = decoding(recipe, network) if decode else network
    meta = {
        "recipe": recipe.to_yaml(),
        "card": read_meta(path).get("card", {}),
        "decodes": decode,
        "precision": precision,
    }
    from hrnet.engines.torch_engine import TorchEngine

    plain = TorchEngine(network, "cpu")
    with TemporaryDirectory(prefix=".export-", dir=out.parent) as folder:
        draft = Path(folder) / out.name
        if precision == "int8":
            proof = write_int8(recipe, graph, plain, draft, meta, evidence)
        else:
            write_exported(graph, recipe.probe_size, draft, meta, recipe.free)
            proof = prove(recipe, draft, plain, graph, evidence, precision)
        if not proof.agreement.holds:
            raise HRNetError(f"{out} was not written, its answers moved: {'; '.join(proof.agreement.faults)}")
        for part in Path(folder).iterdir():
            os.replace(part, out.parent / part.name)
    write_text(out.with_name(out.name + ".proof.json"), proof.to_json())
    if precision == "int8" and not decode:
        remember_int8(network_key(recipe, path), out)
    return proof


def decoding(recipe: Recipe, network: "nn.Module") -> "nn.Module":
    """The network with its task's decoding at the end."""
    ended = recipe.decoding(network)
    if ended is None:
        raise UsageError(f"{recipe.name} has no decoding that a graph can hold: leave --decode out")
    return ended


def write_int8(
    recipe: Recipe, graph: "nn.Module", plain: Engine, draft: Path, meta: dict[str, Any], evidence: Evidence
) -> Proof:
    """Write a graph in int8, with ever more of it kept out until the answers hold; the last proof."""
    from hrnet.engines.graph import write_onnx
    from hrnet.engines.quantise import KEPT_OUT, Recording, quantised

    recording = Recording(plain, CALIBRATION)
    seen = recipe.inference(recording).predict(evidence.items())
    while len(recording.pictures) < CALIBRATION and next(seen, None) is not None:
        pass
    onnx = draft.with_suffix(".onnx")
    write_onnx(graph, recipe.probe_size, onnx, recipe.free)
    try:
        for kept_out in KEPT_OUT:
            model = quantised(onnx, recording.pictures, kept_out)
            save_openvino(model, draft, {**meta, "kept_out": list(kept_out)})
            proof = prove(recipe, draft, plain, graph, evidence, "int8", kept_out)
            if proof.agreement.holds:
                break
    finally:
        onnx.unlink()
    return proof


def prove(
    recipe: Recipe,
    file: Path,
    plain: Engine,
    graph: "nn.Module",
    evidence: Evidence,
    precision: str,
    kept_out: Sequence[str] = (),
) -> Proof:
    """Compare an exported file's answers with the network's own, and their scores where there are labels. Where the
    answers are too few to tell, the outputs of the file are compared with those of the graph that it was made from."""
    from hrnet.engines.torch_engine import TorchEngine

    engine = open_exported(file)
    ours, theirs = recipe.inference(engine), recipe.inference(plain)
    found, expected = (list(islice(each.predict(evidence.items()), PICTURES)) for each in (ours, theirs))
    verdict = recipe.agreement(found, expected, precision)
    verdict = verdict or outputs_agree(engine, TorchEngine(graph, "cpu"), pictures_for(recipe))
    figures, faults, scores = dict(verdict.figures), verdict.faults, {}
    if evidence.data is not None:
        name = evidence.data.headline
        scores[name] = {
            label: recipe.evaluate(each, evidence.data)["metrics"][name]
            for label, each in (("torch", theirs), ("file", ours))
        }
        change = abs(scores[name]["file"] - scores[name]["torch"])
        label = f"{name} change"
        scored = judged({label: round(change, 5)}, {label: SCORE_CHANGE[precision]})
        figures, faults = figures | scored.figures, (*faults, *scored.faults)
    verdict = Agreement(figures, tuple(faults))
    return Proof(file.name, precision, recipe.name, evidence.source, verdict, scores, tuple(kept_out))
