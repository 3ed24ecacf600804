"""Training: data sets, samples, network, loss and score put together, and the run folder they fill."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.datasets.opening import has_split
from hrnet.errors import HRNetError
from hrnet.finetuning import begin_from
from hrnet.images import output_folder, write_image, write_text
from hrnet.machine import computes_bf16, processor
from hrnet.settings import DataSet, Recipe

if TYPE_CHECKING:
    from torch import nn

    from hrnet.weights.files import Start


def train(
    recipe: Recipe,
    data: Sequence[str | Path],
    out: Path,
    *,
    start: "Path | Start | None" = None,
    resume: Path | None = None,
    validation: Sequence[str | Path] = (),
    images: Sequence[Path] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train a recipe on one or several data sets and return the file of the best weights.

    `data` are "synthetic", LSPET folders and COCO-style JSONs (the split "train" of each that has splits).
    `validation` are scored after every `training.validate_every` epochs, the first metric of the first decides which
    weights are best; without any, the "val" splits of `data` are taken. `start` are weights to begin with, as a file
    or, for a new head or the trunk alone, a `Start`; `resume` the run folder of an interrupted run, which then goes on
    exactly.
    """
    import torch

    from hrnet.training.curves import plot_curves
    from hrnet.training.fit import first_process, fit
    from hrnet.training.reporting import Run
    from hrnet.weights.files import Start

    first = first_process()
    say = say if first else lambda line: None
    sets, held_out = opened(recipe, data, validation, images)
    samples = recipe.samples(sets)
    if not len(samples):
        raise HRNetError(f"{', '.join(str(each) for each in data)}: nothing labelled to learn from")
    out = run_folder(out, resume)
    asked, recipe = recipe, for_this_machine(recipe, say)
    torch.manual_seed(recipe.training.seed)
    network = recipe.model.build()
    if isinstance(start, Path):
        start = Start(start)
    if start is not None:
        say(begin_from(recipe, network, start))
    learnt_from = Counter(f"{d.name} ({len(d.records)} pictures)" for d in sets)
    sources = [name if times == 1 else f"{name} x {times}" for name, times in learnt_from.items()]
    say(f"{len(samples)} samples an epoch from {', '.join(sources)}")
    if first:
        write_text(out / "recipe.yaml", asked.to_yaml())  # a resumed run may be on another machine

    metric = held_out[0].headline if held_out else None
    score = scorer(recipe, held_out) if held_out else None
    save = saver(recipe, out, {"data": sources, "samples": len(samples)}, start.path if start else None)
    last = resume / "last.ckpt" if resume else None
    fit(network, samples, recipe.criterion(), recipe, Run(out, save, score, metric, say, last))
    best = out / ("best.safetensors" if metric else "last.safetensors")
    if first:
        plot_curves(out / "metrics.csv", out / "curves.png")
        if held_out:
            write_image(out / "validation.jpg", validation_pictures(best, held_out))
    return best


def for_this_machine(recipe: Recipe, say: Callable[[str], None]) -> Recipe:
    """The recipe, in float32 where nothing here computes in bf16: imitated, it takes several times longer."""
    import torch

    device = torch.cuda.is_available() or torch.backends.mps.is_available()
    if recipe.training.precision != "bf16" or device or computes_bf16():
        return recipe
    say("training.precision=32 instead of bf16, for which this processor is not known to have instructions")
    return recipe.but(training__precision="32")


def run_folder(out: Path, resume: Path | None) -> Path:
    """The folder of a run, made where there is none; one that holds a training is only gone on with, if it can be."""
    if resume is not None and not (resume / "last.ckpt").exists():
        raise HRNetError(f"{resume / 'last.ckpt'} does not exist: a run can be resumed once its first epoch has ended")
    if resume is None and (out / "last.ckpt").exists():
        raise HRNetError(
            f"{out} holds a training already: go on with --resume {out}, or name another folder with --out"
        )
    return output_folder(out)


def opened(
    recipe: Recipe, data: Sequence[str | Path], validation: Sequence[str | Path], images: Sequence[Path]
) -> tuple[list[DataSet], list[DataSet]]:
    """The sets to learn from, what is named twice counted twice and held once, and those to score on."""
    read = {each: recipe.read(each, "train", images) for each in data}
    judged = validation or [each for each in read if has_split(each)]
    return [read[each] for each in data], [recipe.read(each, "val", images) for each in judged]


def saver(recipe: Recipe, out: Path, card: dict[str, Any], start: Path | None) -> "Callable[[nn.Module, str], None]":
    """Writes weights for users into the run folder, with a card that tells where they come from."""
    from hrnet.weights.files import read_meta, save_weights

    began = time.time()
    before = read_meta(start).get("card", start.name) if start else None

    def save(averaged: "nn.Module", name: str) -> None:
        spent = {"seconds": round(time.time() - began), "hardware": hardware(), "from": before}
        save_weights(out / f"{name}.safetensors", averaged, recipe.to_yaml(), card | spent)

    return save


def validation_pictures(weights: Path, held_out: Sequence[DataSet], count: int = 12) -> np.ndarray:
    """A sheet of pictures of the validation sets, drawn with what the weights find in them."""
    from hrnet.predictor import Predictor
    from hrnet.results.drawing import contact_sheet

    predictor = Predictor(weights, engine="torch", precision="fp32")
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
    return f"{processor()}, {torch.get_num_threads()} threads"


def scorer(recipe: Recipe, held_out: Sequence[DataSet]) -> "Callable[[nn.Module], dict[str, float]]":
    """Validation as a function of the network: the headline figure of each data set, by the one prediction path."""
    from hrnet.engines.torch_engine import TorchEngine

    def score(network: "nn.Module") -> dict[str, float]:
        figures: dict[str, float] = {}
        device = str(next(network.parameters()).device)
        precision = "bf16" if recipe.training.precision == "bf16" else "fp32"
        inference = recipe.inference(TorchEngine(network, device, precision))
        for data in held_out:
            metrics = recipe.evaluate(inference, data)["metrics"]
            if data.headline not in metrics:
                raise HRNetError(f"{data.name} has no labels to validate with: name another set with --val")
            figures.setdefault(data.headline, metrics[data.headline])
        return figures

    return score
