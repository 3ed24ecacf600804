"""How long a training step takes: as published, and as recipes of ours may run it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hrnet.benchmark.rounds import interleaved, most_memory
from hrnet.datasets.image_folder import ClassifiedPicture, ImageFolderData
from hrnet.datasets.label_maps import LabelledPicture, LabelMapData
from hrnet.datasets.records import PoseData
from hrnet.datasets.synthetic import figures
from hrnet.images import write_image
from hrnet.machine import computes_bf16
from hrnet.results.label_map import LabelMap, write_label_png
from hrnet.settings import Recipe
from hrnet.tasks.classification.settings import ClassificationRecipe
from hrnet.tasks.segmentation.settings import SegmentationRecipe


@dataclass(frozen=True)
class Step:
    """A training step: seconds per iteration of a batch, as published and as recipes of ours may run it."""

    recipe: str
    batch: int
    seconds: dict[str, float]
    ratio: float
    peak_memory_mib: dict[str, float]


def training_step(recipe: Recipe, batch: int, steps: int = 3) -> Step:
    """Measure a training step on drawn pictures, their loading and augmentation included: float32 and channels first as
    published, against bf16 autocast (where the processor has it), channels last and a fused optimiser."""
    with TemporaryDirectory(prefix="hrnet-") as folder:
        return training_step_on(drawn_data(recipe, batch, Path(folder)), recipe, batch, steps)


def training_step_on(data: PoseData | ImageFolderData | LabelMapData, recipe: Recipe, batch: int, steps: int) -> Step:
    """The same on the pictures of a data set."""
    import torch

    from hrnet.training.fit import normalised

    device = "cuda" if torch.cuda.is_available() else "cpu"
    short = device == "cuda" or bool(computes_bf16())
    samples = recipe.samples([data])
    criterion = recipe.criterion()

    def stepper(quick: bool) -> Callable[[], Any]:
        torch.manual_seed(0)
        network = recipe.model.build().to(device).train()
        if quick:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=quick)

        def step() -> None:
            rows = [samples[0, k % len(samples)] for k in range(batch)]
            pictures, *targets = (torch.from_numpy(np.stack(each)).to(device) for each in zip(*rows, strict=True))
            with torch.autocast(device, torch.bfloat16, enabled=quick and short):
                images = normalised(pictures)
                loss = criterion(network(images if quick else images.contiguous()), *targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if device == "cuda":
                torch.cuda.synchronize()

        return step

    memory, calls = {}, {}
    ours = f"{'bf16' if short else 'fp32'}, channels last, fused optimiser"
    for name, quick in ((ours, True), ("fp32, channels first", False)):
        calls[name] = stepper(quick)
        with most_memory(device) as held:
            calls[name]()
        memory[name] = held["mib"]
    times = {name: float(np.median(each)) for name, each in interleaved(calls, 0, steps, in_turn=1).items()}
    quick, published = times.values()
    return Step(recipe.name, batch, {n: round(t, 3) for n, t in times.items()}, round(published / quick, 2), memory)


def drawn_data(recipe: Recipe, count: int, folder: Path) -> PoseData | ImageFolderData | LabelMapData:
    """Drawn pictures with the labels that a task learns from; what it reads from files lies in `folder`."""
    drawn = figures(count, size=recipe.model.input_size)
    if not isinstance(recipe, ClassificationRecipe | SegmentationRecipe):
        return drawn
    files = [folder / f"{record.name}.jpg" for record in drawn.records]
    for file, record in zip(files, drawn.records, strict=True):
        write_image(file, record.read())
    if isinstance(recipe, ClassificationRecipe):
        names = recipe.model.class_names
        return ImageFolderData("drawn", names, tuple(ClassifiedPicture(f, k % len(names)) for k, f in enumerate(files)))
    classes = recipe.model.class_list
    for file, record in zip(files, drawn.records, strict=True):
        labels = LabelMap(record.read()[..., 1] % len(classes), classes)
        write_label_png(file.with_suffix(".png"), labels, file_values=True)
    return LabelMapData("drawn", classes, [LabelledPicture(f, f.with_suffix(".png"), classes) for f in files])
