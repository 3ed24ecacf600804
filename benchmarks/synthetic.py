"""How quickly a first training learns: PCK@0.2 on 64 unseen drawn figures, before and after, for three seeds.

python benchmarks/synthetic.py
"""

import tempfile
import time
from pathlib import Path

import hrnet
from hrnet.trainer import hardware, scorer, train

CHANGES = {
    "model.input_size": "[96,128]",
    "augmentation.cut_off": 0,
    "augmentation.half_body": 0,
    "optim.lr": 3e-3,
    "training.batch_size": 32,
    "training.epochs": 5,
    "training.validate_every": 5,
}


def main() -> None:
    print(f"hrnet train synthetic {' '.join(f'{k}={v}'.replace(' ', '') for k, v in CHANGES.items())}  ({hardware()})")
    for seed in range(3):
        recipe = hrnet.recipe("small_256x192").override({**CHANGES, "training.seed": seed})
        score = scorer(recipe, [recipe.read("synthetic", "val")])
        before = score(recipe.model.build())["PCK@0.2"]
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            best = train(recipe, ["synthetic"], Path(folder))
            seconds = time.perf_counter() - began
            network = recipe.model.build()
            hrnet.load_weights(network, best)
        print(f"seed {seed}: PCK@0.2 {before:.3f} -> {score(network)['PCK@0.2']:.3f} in {seconds:.0f} s")


if __name__ == "__main__":
    main()
