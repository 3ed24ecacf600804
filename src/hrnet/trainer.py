"""Training: data sets, samples, network, loss and score put together, and the run folder they fill."""

import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hrnet.errors import HRNetError
from hrnet.images import output_folder, write_image, write_text
from hrnet.settings import DataSet, Recipe

if TYPE_CHECKING:
    from torch import nn


def train(
    recipe: Recipe,
    data: Sequence[str | Path],
    out: Path,
    *,
    start: Path | None = None,
    resume: Path | None = None,
    validation: Sequence[str | Path] = (),
    images: Sequence[Path] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train a recipe on one or several data sets and return the file of the best weights.

    `data` are "synthetic", LSPET folders and COCO-style JSONs (the split "train" of each that has splits).
    `validation` are scored after every `training.validate_every` epochs, the first metric of the first decides which
    weights are best; without any, the "val" splits of `data` are taken. `start` are weights to begin with; `resume`
    the run folder of an interrupted run, which then goes on exactly.
    """
    import torch

    from hrnet.training.curves import plot_curves
    from hrnet.training.fit import Run, fit
    from hrnet.weights.files import load_weights, read_meta, save_weights

    out = output_folder(out)
    if resume is None and (out / "last.ckpt").exists():
        raise HRNetError(
            f"{out} holds a training already: go on with --resume {out}, or name another folder with --out"
        )
    opened = {each: recipe.read(each, "train", images) for each in data}
    sets = [opened[each] for each in data]  # what is named twice counts twice and is held once
    samples = recipe.samples(sets)
    if not len(samples):
        raise HRNetError(f"{', '.join(str(each) for each in data)}: nothing labelled to learn from")
    held_out = [recipe.read(each, "val", images) for each in validation or [d for d in data if has_split(d)]]
    torch.manual_seed(recipe.training.seed)
    network = recipe.model.build()
    if start is not None:
        say(str(load_weights(network, start)))
    write_text(out / "recipe.yaml", recipe.to_yaml())
    learnt_from = Counter(f"{d.name} ({len(d.records)} pictures)" for d in sets)
    sources = [name if times == 1 else f"{name} x {times}" for name, times in learnt_from.items()]
    say(f"{len(samples)} samples an epoch from {', '.join(sources)}")

    began = time.time()

    def save(averaged: "nn.Module", name: str) -> None:
        card = {
            "data": sources,
            "samples": len(samples),
            "seconds": round(time.time() - began),
            "hardware": hardware(),
            "from": read_meta(start).get("card", start.name) if start else None,
        }
        save_weights(out / f"{name}.safetensors", averaged, recipe.to_yaml(), card)

    metric = held_out[0].headline if held_out else None
    score = scorer(recipe, held_out) if held_out else None
    last = resume / "last.ckpt" if resume else None
    if last is not None and not last.exists():
        raise HRNetError(f"{last} does not exist: a run can be resumed once its first epoch has ended")
    fit(network, samples, recipe.criterion(), recipe, Run(out, save, score, metric, say, last))
    plot_curves(out / "metrics.csv", out / "curves.png")
    best = out / ("best.safetensors" if metric else "last.safetensors")
    if held_out:
        write_image(out / "validation.jpg", validation_pictures(best, held_out))
    return best


def validation_pictures(weights: Path, held_out: Sequence[DataSet], count: int = 12) -> np.ndarray:
    """A sheet of pictures of the validation sets, drawn with what the weights find in them."""
    from hrnet.predictor import Predictor
    from hrnet.results.drawing import contact_sheet

    predictor = Predictor(weights)
    pictures, labels = [], []
    for data in held_out:
        for record in data.records[: count // len(held_out)]:
            image, boxes = predictor.recipe.shown(record)
            pictures.append(predictor.draw(image, predictor(image, boxes)))
            labels.append(record.name)
    return contact_sheet(pictures, columns=4, cell=(320, 320), labels=labels)


def hardware() -> str:
    """The machine in words: CUDA device, or processor and threads."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    named = (
        [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    return f"{named[0] if named else platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def has_split(data: str | Path) -> bool:
    """Whether a data set brings a validation split of its own: LSPET and the synthetic figures do."""
    return str(data) == "synthetic" or Path(data).is_dir()


def scorer(recipe: Recipe, held_out: Sequence[DataSet]) -> "Callable[[nn.Module], dict[str, float]]":
    """Validation as a function of the network: the headline figure of each data set, by the one prediction path."""
    from hrnet.engines.torch_engine import TorchEngine

    def score(network: "nn.Module") -> dict[str, float]:
        figures: dict[str, float] = {}
        device = str(next(network.parameters()).device)
        precision = "bf16" if recipe.training.precision == "bf16" else "fp32"
        inference = recipe.inference(TorchEngine(network, device, precision))
        for data in held_out:
            figures.setdefault(data.headline, recipe.evaluate(inference, data)["metrics"][data.headline])
        network.train()
        return figures

    return score
