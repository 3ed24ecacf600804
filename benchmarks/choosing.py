"""How long choosing an engine takes, the first time and later.

    python benchmarks/choosing.py [RECIPE]

Starting weights, in a cache folder of their own. Their answers do not survive bf16, so the budgets
are lifted: with trained weights the fastest engine is as a rule the one that is taken.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import torch

import hrnet
from hrnet.engines.cache import Memory
from hrnet.tasks.pose_topdown import agreement
from hrnet.trainer import hardware
from hrnet.weights.files import save_weights


def main(name: str) -> None:
    recipe = hrnet.recipe(name).override({"model.backbone.init": "kaiming"})
    agreement.BUDGETS = {precision: {} for precision in agreement.BUDGETS}
    told: list[float] = []
    recall = Memory.recall

    def timed(memory: Memory) -> object:
        found = recall(memory)
        told.append(time.perf_counter())
        return found

    Memory.recall = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HRNET_CACHE"] = folder
        weights = Path(folder) / "random.safetensors"
        torch.manual_seed(0)
        save_weights(weights, recipe.model.build(), recipe.to_yaml(), {})
        print(f"{recipe.name}, {hardware()}")
        for label in ("first", "later"):
            began = time.perf_counter()
            predictor = hrnet.Predictor(weights)
            ready = time.perf_counter()
            looked = told[-1] - began
            print(f"{label}: memory read after {looked:.2f} s, engine ready after {ready - began:.2f} s")
            print(f"  {predictor.engine_note}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "w32_256x192")
