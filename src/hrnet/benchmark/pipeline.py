"""From files to results: the whole way, beside the bare engine on the same crops and beside the published pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.benchmark.rounds import interleaved, memory_mib
from hrnet.images import normalised, read_image
from hrnet.predictor import Predictor, loaded

STREAM, ENGINE, PUBLISHED = "files to results", "bare engine", "published, one person at a time"


@dataclass(frozen=True)
class Pipeline:
    """Milliseconds per person of each way (medians of interleaved rounds)."""

    recipe: str
    engine: str
    pictures: int
    people: int
    batch: int
    ms_per_person: dict[str, float]
    share_of_engine: float
    times_published: float
    peak_memory_mib: float


def measure_pipeline(predictor: Predictor, items: Sequence[tuple[Path, Any, Any]], rounds: int = 5) -> Pipeline:
    """Measure top-down pose over picture files with their boxes.

    The bare engine runs the same crops, mirrored ones included where the recipe has a flip test, in the same batches.
    The published pipeline decodes a picture, and for each person warps, normalises, runs eager float32 (twice with the
    flip test) and decodes, one after the other.
    """
    import torch

    inference: Any = predictor.inference
    size = inference.recipe.testing.batch_size
    crops = np.stack([crop for item in items for crop in inference.prepare((read_image(item[0]), *item[1:]))[1]])
    flip = inference.recipe.testing.flip and not inference.engine.decodes
    network = loaded(predictor.recipe, predictor.weights)

    class Eager:
        name, precision, decodes = "eager", "fp32", False

        def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
            with torch.inference_mode():
                return (network(torch.from_numpy(np.stack([normalised(each) for each in pictures]))).numpy(),)

    published: Any = predictor.recipe.inference(Eager())

    def bare() -> None:
        for k in range(0, len(crops), size):
            batch = crops[k : k + size]
            inference.engine.run(np.concatenate([batch, batch[:, :, ::-1]]) if flip else batch)

    def one_at_a_time() -> None:
        for path, boxes, scores in items:
            framed, seen = published.prepare((read_image(path), boxes, scores))
            published.finish(framed, [tuple(each[0] for each in published.run(crop[None])) for crop in seen])

    calls = {STREAM: lambda: list(predictor.stream(items)), ENGINE: bare, PUBLISHED: one_at_a_time}
    times = {name: float(np.median(each)) for name, each in interleaved(calls, 0, rounds, in_turn=1).items()}
    return Pipeline(
        predictor.recipe.name,
        f"{predictor.engine.name} {predictor.engine.precision}",
        len(items),
        len(crops),
        size,
        {name: round(1000 * seconds / len(crops), 2) for name, seconds in times.items()},
        round(times[ENGINE] / times[STREAM], 3),
        round(times[PUBLISHED] / times[STREAM], 2),
        memory_mib(),
    )
