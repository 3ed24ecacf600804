"""Where the time goes between a photograph and its poses: one person at a time as published, and in batches by auto.

    python benchmarks/stages.py people.json [RECIPE]      (a COCO-style file; its boxes are used)

Stages run one after another here, on one picture after another, so that each can be timed; `hrnet predict` reads and
crops while the network runs. Weights are random: no stage depends on them.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

import hrnet
from hrnet.benchmark.network import eager
from hrnet.engines.choosing import Network, Way, engine_of
from hrnet.engines.engine import Engine
from hrnet.images import read_image
from hrnet.settings import Recipe
from hrnet.trainer import hardware

PICTURES, ROUNDS = 12, 3
STAGES = ("read", "crop", "network", "mirror, average, decode")


class Timed:
    """An engine that adds up the time that it takes."""

    decodes = False

    def __init__(self, run: object, name: str, precision: str) -> None:
        self.run_network, self.name, self.precision, self.seconds = run, name, precision, 0.0

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        began = time.perf_counter()
        found = self.run_network(pictures)  # type: ignore[operator]
        self.seconds += time.perf_counter() - began
        return tuple(np.asarray(each) for each in (found if isinstance(found, tuple) else (found,)))


def stages(recipe: Recipe, engine: Engine, items: list, batch: int) -> Counter:
    """Milliseconds per person of each stage."""
    inference = recipe.inference(engine)
    taken: Counter = Counter()
    people = 0
    for path, boxes in items:
        began = time.perf_counter()
        image = read_image(path)
        read = time.perf_counter()
        state, crops = inference.prepare((image, boxes, None))
        cropped = time.perf_counter()
        before = engine.seconds  # type: ignore[attr-defined]
        batches = [inference.run(np.stack(crops[k : k + batch])) for k in range(0, len(crops), batch)]
        inference.finish(state, [answer for each in batches for answer in zip(*each, strict=True)])
        network, done = engine.seconds - before, time.perf_counter()  # type: ignore[attr-defined]
        spent = (read - began, cropped - read, network, done - cropped - network)
        taken.update(dict(zip(STAGES, spent, strict=True)))
        people += len(boxes)
    return Counter({name: 1000 * seconds / people for name, seconds in taken.items()})


def main(data: str, name: str) -> None:
    recipe = hrnet.recipe(name)
    records = [each for each in recipe.read(Path(data), "val").records if len(each.boxes) >= 3][:PICTURES]
    items = [(each.image, each.boxes) for each in records]
    torch.manual_seed(0)
    network = recipe.model.build().eval()
    ways = {"eager fp32, batches of 1": (Timed(eager(network), "eager", "fp32"), 1)}
    source = Network("benchmark", recipe.probe_size, lambda: network)
    for precision in ("fp32", "bf16"):
        try:
            engine = engine_of(Way("openvino", precision), source)
            ways[f"openvino {precision}, batches of 8"] = (Timed(engine.run, "openvino", precision), 8)
        except hrnet.HRNetError as error:
            print(error)
    rounds: dict[str, list[Counter]] = {}
    for _ in range(ROUNDS):
        for way, (engine, batch) in ways.items():
            rounds.setdefault(way, []).append(stages(recipe, engine, items, batch))
    print(f"{recipe.name}, {sum(len(boxes) for _, boxes in items)} people in {len(items)} pictures, {hardware()}")
    print(f"{'ms per person':<32}" + "".join(f"{stage:>26}" for stage in STAGES))
    for way, each in rounds.items():
        print(f"{way:<32}" + "".join(f"{np.median([found[stage] for found in each]):>26.2f}" for stage in STAGES))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "w32_256x192")
