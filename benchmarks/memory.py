"""The most memory that `hrnet predict` holds bottom-up on one large picture: while engines are measured, and later.

    python benchmarks/memory.py [INPUT_SIZE]

HigherHRNet-W32 with starting weights, flip test on, a picture of 4000 x 3000 of noise. Every peak above 0 counts,
so that 30 people are grouped and their missing joints looked for.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import hrnet
from hrnet.images import write_image
from hrnet.trainer import hardware
from hrnet.weights.files import save_weights

MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True)
print(*done.stdout.splitlines()[:3], sep="\\n")
print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")
"""


def main(input_size: str = "1536") -> None:
    print(hardware())
    changes = {"testing.detection_threshold": 0, "testing.ignore_too_many": True}
    changes["model.backbone.init"] = "kaiming"  # maps of published starts end in denormals, which are slow
    recipe = hrnet.recipe("pose_bottomup/higher_w32_512").override(changes)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_weights(folder / "w32.safetensors", recipe.model.build(), recipe.to_yaml(), {}, half=False)
        noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)
        write_image(folder / "large.png", noise)
        call = f"hrnet predict large.png --weights w32.safetensors --input-size {input_size} --no-draw".split()
        for label in ("first", "later"):  # a process of its own for each, that has no other children
            print(label)
            command = [sys.executable, "-c", MEASURED, *call]
            subprocess.run(command, check=True, cwd=folder, env={**os.environ, "HRNET_CACHE": name})


if __name__ == "__main__":
    main(*sys.argv[1:2])
