"""How long it takes to say what a W48 file is, and to load it, and what memory that takes beside the network.

python benchmarks/recognition.py        # figures quoted in docs/loading-weights.md
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = "w48_256x192"


def write(folder: Path) -> list[Path]:
    """A W48 network in every form."""
    import torch
    from safetensors.torch import save_file

    import hrnet

    state = hrnet.recipe(RECIPE).model.build().state_dict()
    paths = [folder / "zip.pth", folder / "before_1.6.pth", folder / "w48.safetensors"]
    torch.save({"state_dict": state}, paths[0])
    torch.save({"state_dict": state}, paths[1], _use_new_zipfile_serialization=False)
    save_file(state, paths[2])
    return paths


def recognition(path: Path) -> str:
    """Seconds and growth of this process, nothing being loaded yet."""
    import hrnet.weights.recognise as room

    before, began = peak(), time.perf_counter()
    found = room.recognise(path)
    seconds = time.perf_counter() - began
    return f"recognised in {seconds:.2f} s, {peak() - before:5.1f} MB more at the peak ({found})"


def loading(path: Path) -> str:
    """The same for loading, the network being there."""
    import hrnet

    network = hrnet.recipe(RECIPE).model.build()
    before, began = peak(), time.perf_counter()
    hrnet.load_weights(network, path)
    return f"loaded     in {time.perf_counter() - began:.2f} s, {peak() - before:5.1f} MB more at the peak"


def peak() -> float:
    """The highest resident memory of this program so far, in MB; `getrusage` would count that of its parent too."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print({"recognition": recognition, "loading": loading}[sys.argv[1]](Path(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            for path in write(Path(folder)):
                for what in ("recognition", "loading"):
                    done = subprocess.run(
                        [sys.executable, __file__, what, path], capture_output=True, text=True, check=True
                    )
                    print(f"{path.name:<16} {path.stat().st_size / 1e6:.1f} MB: {done.stdout.strip()}")
