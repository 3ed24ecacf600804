"""How long a training step takes: as published, and as recipes of ours may run it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrnet.benchmark.rounds import interleaved, most_memory
from hrnet.settings import Recipe


@dataclass(frozen=True)
class Step:
    """A training step: seconds per iteration of a batch, as published and as recipes of ours may run it."""

    recipe: str
    batch: int
    seconds: dict[str, float]
    ratio: float
    peak_memory_mib: dict[str, float]


def training_step(recipe: Recipe, batch: int, steps: int = 3) -> Step:
    """Measure a training step on drawn figures, their loading and augmentation included: float32 and channels first as
    published, against bf16 autocast, channels last and a fused optimiser."""
    import torch

    from hrnet.datasets.synthetic import figures
    from hrnet.training.fit import normalised

    device = "cuda" if torch.cuda.is_available() else "cpu"
    samples = recipe.samples([figures(batch, size=recipe.model.input_size)])
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
            with torch.autocast(device, torch.bfloat16, enabled=quick):
                images = normalised(pictures)
                loss = criterion(network(images if quick else images.contiguous()), *targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if device == "cuda":
                torch.cuda.synchronize()

        return step

    memory, calls = {}, {}
    for name, quick in (("bf16, channels last, fused optimiser", True), ("fp32, channels first", False)):
        calls[name] = stepper(quick)
        with most_memory(device) as held:
            calls[name]()
        memory[name] = held["mib"]
    times = {name: float(np.median(each)) for name, each in interleaved(calls, 0, steps, in_turn=1).items()}
    quick, published = times.values()
    return Step(recipe.name, batch, {n: round(t, 3) for n, t in times.items()}, round(published / quick, 2), memory)
