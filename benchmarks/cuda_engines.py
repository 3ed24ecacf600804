"""What CUDA makes of the pose networks: every way in which the torch engine can run them, beside eager fp32.

python benchmarks/cuda_engines.py [--quick]

From crops in the host's memory to answers in the host's memory, transfers included; medians of interleaved rounds. Each
way's answers are compared with eager fp32 (TF32 switched off), and the embedded weights' keypoints too. Ends with
status 1 where an answer is off; a way that this machine cannot go is named and left out.
"""

import argparse
import copy
import sys
import time

import numpy as np
import torch

import hrnet
from hrnet.catalogue import resolve
from hrnet.datasets.synthetic import figures
from hrnet.engines.torch_engine import TorchEngine
from hrnet.images import normalised
from hrnet.tasks.pose_topdown.agreement import agreement
from hrnet.tasks.pose_topdown.decoding import Decoding
from hrnet.training.loading import normalised as normalised_batch
from hrnet.weights.files import load_weights

WAYS = {
    "channels last, fp32 (TF32)": {"precision": "fp32"},
    "fused, bf16": {"precision": "bf16", "fused": True},
    "fused, fp16": {"precision": "fp16", "fused": True},
    "fused, bf16, CUDA graphs": {"precision": "bf16", "fused": True, "graphs": True},
    "fused, fp16, CUDA graphs": {"precision": "fp16", "fused": True, "graphs": True},
    "fp16, torch.compile": {"precision": "fp16", "compiled": True},
}
# Mean error of the maps over their mean size. Random weights enlarge what rounding begins (TF32 has fp16's digits), and
# a wrong path is off by 100 %; the embedded weights' keypoints are held to the engines' own budgets.
LIMITS = {"fp32": 0.08, "bf16": 0.4, "fp16": 0.08}


class Eager:
    """The published way: float32, channels first, normalised on the host, maps back to the host."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = copy.deepcopy(network).eval().cuda()

    def run(self, crops: np.ndarray) -> tuple[np.ndarray, ...]:
        batch = torch.from_numpy(np.stack([normalised(crop) for crop in crops]))
        with torch.inference_mode():
            return (self.network(batch.cuda()).cpu().numpy(),)


def engines_of(network: torch.nn.Module, recipe, crops: np.ndarray) -> tuple[dict, list[str]]:
    """Every way that works here, warmed up, and a line for each that does not."""
    engines, lines = {"eager fp32 (TF32)": Eager(network)}, []
    plain = recipe.but(testing__flip=False)
    ways = {**{name: (network, options) for name, options in WAYS.items()}}
    ways["fused, fp16, CUDA graphs, decoded on the device"] = (
        Decoding(network, plain),
        {"precision": "fp16", "fused": True, "graphs": True},
    )
    for name, (module, options) in ways.items():
        try:
            engine = TorchEngine(module if options["precision"] != "fp32" else copy.deepcopy(module), "cuda", **options)
            engine.run(crops)
            engines[name] = engine
        except Exception as error:  # whatever it is, the others are still of interest
            lines.append(f"  {name}: not here ({type(error).__name__}: {str(error).splitlines()[0][:120]})")
    return engines, lines


def faults_of(name: str, engine, reference: np.ndarray, crops: np.ndarray) -> str:
    """How far an engine's maps are from the reference, as text; it begins with OFF where that is too far."""
    if getattr(engine, "decodes", False):
        return "keypoints: see below"
    (maps,) = engine.run(crops)
    off = float(np.abs(maps - reference).mean() / np.abs(reference).mean())
    limit = LIMITS[getattr(engine, "precision", "fp32")]
    return f"{'OFF: ' if not off < limit else ''}maps off by {100 * off:.2f} %"


def median_ms(engines: dict, crops: np.ndarray, seconds: float) -> dict[str, float]:
    """Milliseconds per crop, rounds interleaved until the time is over."""
    times = {name: [] for name in engines}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(engines))]) < 3:
        for name, engine in engines.items():
            torch.cuda.synchronize()
            began = time.perf_counter()
            engine.run(crops)
            times[name].append(time.perf_counter() - began)
    return {name: 1000 * float(np.median(each)) / len(crops) for name, each in times.items()}


def inference(name: str, batches: tuple[int, ...], seconds: float) -> bool:
    """Print one network's table; whether every answer was right."""
    recipe = hrnet.recipe(name)
    torch.manual_seed(0)
    width, height = recipe.model.input_size
    crops = np.stack([record.image for record in figures(max(batches), size=(width, height)).records])
    network = lively(recipe.model.build(), crops[:8])
    engines, lines = engines_of(network, recipe, crops[:2])
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    reference = engines["eager fp32 (TF32)"].run(crops[:8])[0]
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    verdicts = {way: faults_of(way, engine, reference, crops[:8]) for way, engine in engines.items()}
    print(f"\n{name} {width}x{height}, ms per crop (times faster than eager fp32)")
    print(f"  {'':<50}" + "".join(f"{f'batch {size}':>18}" for size in batches))
    table = {}
    for size in batches:
        for engine in engines.values():
            engine.run(crops[:size])
        table[size] = median_ms(engines, crops[:size], seconds)
    for way in engines:
        cells = "".join(
            f"{table[s][way]:>9.3f} ({table[s]['eager fp32 (TF32)'] / table[s][way]:>4.1f}x)" for s in batches
        )
        print(f"  {way:<50}{cells}  {verdicts[way]}")
    print("\n".join(lines))
    return not any("OFF" in verdict for verdict in verdicts.values())


def lively(network: torch.nn.Module, pictures: np.ndarray) -> torch.nn.Module:
    """Random weights whose batch norms know their inputs, as training leaves them, so that maps carry something."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the plain mean
    with torch.no_grad():
        network.train()(normalised_batch(torch.from_numpy(pictures)))
    return network.eval()


def poses() -> bool:
    """Whether the embedded weights find the same poses on every path."""
    recipe, path = resolve(None, None)
    network = recipe.model.build().eval()
    load_weights(network, path)
    items = [(record.image, record.boxes, None) for record in figures(64, size=(192, 256)).records]
    torch.backends.cudnn.allow_tf32 = False
    reference = list(recipe.inference(TorchEngine(copy.deepcopy(network), "cuda")).predict(items))
    print("\nembedded weights on 64 drawn people, with flip test, against fp32")
    right = True
    for inside in (False, True):
        for precision in ("bf16", "fp16"):
            module = Decoding(network, recipe) if inside else network
            engine = TorchEngine(module, "cuda", precision, fused=True, graphs=True)
            verdict = agreement(recipe, list(recipe.inference(engine).predict(items)), reference, precision)
            right &= verdict.holds
            place = "decoded on the device" if inside else "decoded on the host"
            print(f"  {precision}, {place}: {'' if verdict.holds else 'OFF: '}{verdict} {'; '.join(verdict.faults)}")
    return right


def training(name: str, batch: int, steps: int) -> None:
    """Print seconds per training step and peak memory: as published, and bf16 with channels last and fused Adam."""
    recipe = hrnet.recipe(name)
    samples = recipe.samples([figures(8, size=recipe.model.input_size)])
    rows = [samples[0, k % len(samples)] for k in range(batch)]
    pictures, *targets = (torch.from_numpy(np.stack(each)).cuda() for each in zip(*rows, strict=True))
    criterion, seconds = recipe.criterion(), {}
    for way in ("fp32, channels first", "bf16, channels last, fused Adam"):
        quick = way.startswith("bf16")
        network = recipe.model.build().cuda().train()
        if quick:
            network = network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=quick)
        torch.cuda.reset_peak_memory_stats()
        for step in range(steps + 3):
            if step == 3:
                torch.cuda.synchronize()
                began = time.perf_counter()
            with torch.autocast("cuda", torch.bfloat16, enabled=quick):
                images = normalised_batch(pictures)
                loss = criterion(network(images if quick else images.contiguous()), *targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        torch.cuda.synchronize()
        seconds[way] = (time.perf_counter() - began) / steps
        memory = torch.cuda.max_memory_allocated() / 2**30
        ratio = seconds["fp32, channels first"] / seconds[way]
        print(f"  {name} batch {batch}, {way:<34} {seconds[way]:.3f} s per step ({ratio:.1f}x), {memory:.1f} GiB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="W32 alone, short rounds")
    quick = parser.parse_args().quick
    if not torch.cuda.is_available():
        sys.exit("no CUDA device here")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    networks = ("w32_256x192",) if quick else ("w32_256x192", "w48_256x192")
    right = [poses()] + [inference(name, (1, 8, 32, 128), 1.0 if quick else 3.0) for name in networks]
    print("\ntraining steps, samples on the device")
    for name in networks:
        training(name, 32, 10)
        training(name, 128, 5)
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
