"""Training: data sets, samples, network, loss and score put together, and the run folder they fill."""

import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hrnet.datasets.opening import open_data
from hrnet.datasets.records import PoseData
from hrnet.errors import HRNetError
from hrnet.images import output_folder, write_image, write_text
from hrnet.tasks.pose_topdown.settings import PoseRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn


def train(
    recipe: PoseRecipe,
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

    from hrnet.tasks.pose_topdown.samples import PoseSamples
    from hrnet.training.curves import plot_curves
    from hrnet.training.fit import Run, fit
    from hrnet.weights.files import load_weights, read_meta, save_weights

    out = output_folder(out)
    sets = [open_data(each, "train", images) for each in data]
    samples = PoseSamples(recipe, sets)
    if not len(samples):
        raise HRNetError(f"{', '.join(str(each) for each in data)}: no person with labelled keypoints to learn from")
    held_out = [open_data(each, "val", images) for each in validation or [d for d in data if has_split(d)]]
    torch.manual_seed(recipe.training.seed)
    network = recipe.model.build()
    if start is not None:
        say(str(load_weights(network, start)))
    write_text(out / "recipe.yaml", recipe.to_yaml())
    learnt_from = Counter(f"{d.name} ({len(d.records)} pictures)" for d in sets)
    sources = [name if times == 1 else f"{name} x {times}" for name, times in learnt_from.items()]
    say(f"{len(samples)} people an epoch from {', '.join(sources)}")

    began = time.time()

    def save(averaged: "nn.Module", name: str) -> None:
        card = {
            "data": sources,
            "people": len(samples),
            "seconds": round(time.time() - began),
            "hardware": hardware(),
            "from": read_meta(start).get("card", start.name) if start else None,
        }
        save_weights(out / f"{name}.safetensors", averaged, recipe.to_yaml(), card)

    metric = {"AP": "AP", "PCK": "PCK@0.2"}[held_out[0].metric] if held_out else None
    score = scorer(recipe, held_out) if held_out else None
    last = resume / "last.ckpt" if resume else None
    if last is not None and not last.exists():
        raise HRNetError(f"{last} does not exist: a run can be resumed once its first epoch has ended")
    fit(network, samples, loss_of(recipe), recipe, Run(out, save, score, metric, say, last))
    plot_curves(out / "logs" / "metrics.csv", out / "curves.png")
    best = out / ("best.safetensors" if metric else "last.safetensors")
    if held_out:
        write_image(out / "validation.jpg", validation_pictures(best, held_out))
    return best


def validation_pictures(weights: Path, held_out: Sequence[PoseData], count: int = 12) -> np.ndarray:
    """A sheet of people of the validation sets, drawn with the poses that the weights find."""
    from hrnet.predictor import Predictor
    from hrnet.results.drawing import contact_sheet

    predictor = Predictor(weights)
    pictures, labels = [], []
    for data in held_out:
        for record in data.records[: count // len(held_out)]:
            boxes = np.array([person.box for person in record.people if not person.crowd]).reshape(-1, 4)
            image = record.read()
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


def loss_of(recipe: PoseRecipe) -> "Callable[[Tensor, Tensor, Tensor], Tensor]":
    """The loss that goes with the recipe's codec."""
    from hrnet.tasks.pose_topdown.loss import cross_entropy, mean_squares

    if recipe.codec.kind == "distribution":
        return cross_entropy
    return lambda maps, targets, weights: mean_squares(maps, targets, weights, recipe.loss.hardest)


def scorer(recipe: PoseRecipe, held_out: Sequence[PoseData]) -> "Callable[[nn.Module], dict[str, float]]":
    """Validation as a function of the network: the headline figure of each data set, by the one prediction path."""
    from hrnet.engines.torch_engine import TorchEngine
    from hrnet.tasks.pose_topdown.inference import TopDownInference
    from hrnet.tasks.pose_topdown.scoring import evaluate

    def score(network: "nn.Module") -> dict[str, float]:
        figures: dict[str, float] = {}
        device = str(next(network.parameters()).device)
        inference = TopDownInference(recipe, TorchEngine(network, device, recipe.training.precision))
        for data in held_out:
            name, value = next(iter(evaluate(inference, data)["metrics"].items()))
            figures.setdefault(name, value)
        network.train()
        return figures

    return score
