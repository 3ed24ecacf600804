"""From photographs to poses: beside the bare engine on the same crops, and beside the published pipeline.

python benchmarks/pipeline.py people.json [RECIPE]      (a COCO-style file; its boxes are used)

Photographs of three people and more, then of one person; batches of 8 and of 1. Weights are random: nothing here
depends on them.
"""

import sys
import tempfile
from pathlib import Path

import torch

import hrnet
from hrnet.benchmark.pipeline import measure_pipeline
from hrnet.trainer import hardware
from hrnet.weights.files import save_weights

PEOPLE = 24


def main(data: str, name: str) -> None:
    recipe = hrnet.recipe(name)
    records = recipe.read(Path(data), "val").records
    print(f"{recipe.name}, flip test {recipe.testing.flip}, {hardware()}")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.safetensors"
        torch.manual_seed(0)
        save_weights(weights, recipe.model.build(), recipe.to_yaml(), {})
        for label, few, many in (("three people and more", 3, 99), ("one person", 1, 1)):
            items = [(each.image, each.boxes, None) for each in records if few <= len(each.boxes) <= many]
            while sum(len(boxes) for _, boxes, _ in items) > PEOPLE:
                items.pop()
            for batch in (8, 1):
                predictor = hrnet.Predictor(weights, changes={"testing.batch_size": batch})
                done = measure_pipeline(predictor, items, rounds=3)
                print(
                    f"{label}, {done.people} in {done.pictures} files, batch {batch}, {done.engine}: "
                    f"{done.share_of_engine:.2f} of the bare engine, {done.times_published:.1f} x published; "
                    + ", ".join(f"{way} {ms:.1f}" for way, ms in done.ms_per_person.items())
                    + " ms per person"
                )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "w32_256x192")
