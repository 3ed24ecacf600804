"""From a picture to its labels: engines next to torch as it is, interleaved in one run.

    python benchmarks/segmentation_speed.py [RECIPE] [WIDTH HEIGHT]     # segmentation/w18_small_v1 1024 512

Every way takes the picture as bytes and gives labels of its size as bytes: normalising, enlarging the scores and the
arg-max over classes are part of the time. Starting weights, one picture at a time. Memory is what the process holds
at most while a way runs alone, in a process of its own, above what it held before the way was made.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import hrnet
from hrnet.engines.graph import write_onnx
from hrnet.engines.onnx_engine import OnnxEngine
from hrnet.engines.openvino_engine import OpenVINOEngine
from hrnet.engines.torch_engine import TorchEngine
from hrnet.trainer import hardware

ROUNDS = 5
WAYS = ("torch eager fp32", "torch fused fp32", "torch fused bf16", "onnx fp32", "openvino fp32", "openvino bf16")


def main() -> None:
    name, *size = sys.argv[1:] or ["segmentation/w18_small_v1"]
    width, height = map(int, size[:2] or (1024, 512))
    if len(size) > 2:
        print(peak_of(name, (width, height), " ".join(size[2:])))
        return
    torch.manual_seed(0)
    print(f"{name} at {width} x {height}, {hardware()}")
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        ways = {}
        for way in WAYS:
            try:
                ways[way] = made(way, name, (width, height), Path(folder))
            except hrnet.HRNetError as error:
                print(f"{way}: {error}")
        labels = {way: run(image) for way, run in ways.items()}  # and warm up
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, run in ways.items():
                run(image)  # torch's threads spin on for a while after their work: not on the next one's time
                time.sleep(0.25)
                run(image)
                began = time.perf_counter()
                run(image)
                times[way].append(time.perf_counter() - began)
    reference = float(np.median(times[WAYS[0]]))
    print(f"{'way':<18} {'seconds':>8} {'times':>6} {'same labels':>12} {'memory':>9}")
    for way, seconds in times.items():
        taken, same = float(np.median(seconds)), (labels[way] == labels[WAYS[0]]).mean()
        command = [sys.executable, __file__, name, str(width), str(height), *way.split()]
        memory = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        print(f"{way:<18} {taken:>8.4f} {reference / taken:>6.2f} {same:>12.4%} {memory:>6} MB")


def made(way: str, name: str, size: tuple[int, int], folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A way from a picture (H, W, 3) to labels (H, W)."""
    torch.manual_seed(0)
    recipe = hrnet.recipe(name).override({"testing.base": 0})
    network = recipe.model.build().eval()
    kind, *_, precision = way.split()
    if way == "torch eager fp32":
        return eager(network)
    if kind == "torch":
        engine = TorchEngine(network, "cpu", precision, fused=True)
    else:
        path = folder / "network.onnx"
        if not path.exists():
            write_onnx(network, size, path, recipe.free)
        engine = OnnxEngine(path) if kind == "onnx" else OpenVINOEngine(path, precision)
    inference = recipe.inference(engine)
    return lambda image: next(inference.predict([(image, None, None)]))[0].labels


def eager(network: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """As anybody would write it."""
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))

    def run(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batch = (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - mean) / std
            scores = F.interpolate(network(batch), size=image.shape[:2], mode="bilinear", align_corners=False)
            return scores.argmax(dim=1)[0].to(torch.uint8).numpy()

    return run


def peak_of(name: str, size: tuple[int, int], way: str) -> str:
    """Megabytes that a way adds at most, while it is made and runs three times."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    before = megabytes("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        run = made(way, name, size, Path(folder))
        for _ in range(3):
            run(image)
    return f"{megabytes('VmHWM') - before:.0f}"


def megabytes(field: str) -> float:
    """A field of this process's status, such as its highest resident memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
