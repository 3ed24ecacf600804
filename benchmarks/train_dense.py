"""Train the small dense networks and what they are compared with, all at once, each as a process of its own.

    python benchmarks/train_dense.py DATA RUNS [--epochs N] [--class-epochs N] [--only NAME ...] [KEY=VALUE ...]

DATA holds camvid/ and imagenet_tiny/ants_bees/; RUNS gets a folder for each run, with log, curves and weights, and
figures.json with all scores. On CamVid: HRNetV1, V1h and V2 with two seeds, and ResNet-18 as FCN-8s with two seeds, by
the same recipe. On ants and bees: HRNet and ResNet-18, two seeds each. `v2_seed0` is what ships as camvid_small.
Scores are those of the last epoch's averaged weights, so that nothing is chosen by the validation set; CamVid's test
part is scored too. With --seconds, five epochs on CamVid tell how long one takes, and as many follow as time allows.
KEY=VALUE are recipe fields for every run; a name in --only selects the runs that begin with it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STARTED = time.time()
SEEDS = (0, 1)
RUNS = {
    **{
        f"{head}_seed{seed}": ("segmentation/camvid_small", head, seed)
        for seed in SEEDS
        for head in ("v2", "v1h", "v1")
    },
    **{f"fcn_seed{seed}": ("segmentation/camvid_small", "resnet", seed) for seed in SEEDS},
    **{f"classifier_seed{seed}": ("classification/small", "hrnet", seed) for seed in SEEDS},
    **{f"resnet_seed{seed}": ("classification/small", "resnet", seed) for seed in SEEDS},
}
FOLDERS = {"segmentation": "camvid", "classification": "imagenet_tiny/ants_bees"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--epochs", type=int, help="on CamVid; default: the recipe's")
    parser.add_argument("--seconds", type=float, help="time for the runs on CamVid, in place of --epochs")
    parser.add_argument("--class-epochs", type=int, help="on ants and bees; default: the recipe's")
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of names of runs")
    parser.add_argument("--jobs", type=int, default=len(RUNS), help="runs at a time")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--runs", dest="folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_intermixed_args()
    changes = [text for text in (*options.only, *options.changes) if "=" in text]
    options.changes, options.only = changes, [name for name in options.only if "=" not in name]
    options.runs = options.folder or options.runs
    if options.one:
        train_one(options.one, options)
        return
    chosen = [name for name in RUNS if any(name.startswith(start) for start in options.only)]
    began = time.time()
    extra = ["--epochs", str(affordable(chosen, options))] if options.seconds else []
    failed = start_all(chosen, options.runs, options.jobs, extra)
    found = {
        name: json.loads(file.read_text()) for name in RUNS if (file := options.runs / name / "figures.json").exists()
    }
    (options.runs / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
    for name, figures in found.items():
        print(f"{name:<18} {figures['parameters'] / 1e6:6.2f} M {figures['gflops']:6.2f} GFLOPs  {figures['metrics']}")
    print(f"{time.time() - began:.0f} s; failed: {', '.join(failed) or 'none'}")
    sys.exit(bool(failed))


def affordable(names: list[str], options: argparse.Namespace) -> int:
    """How many epochs on CamVid fit into the time, by five epochs of all the runs at once."""
    began, probe = time.time(), options.runs / "probe"
    chosen = [name for name in names if RUNS[name][0].startswith("segmentation")]
    start_all(chosen, probe, options.jobs, ["--epochs", "5"])
    stamps = []
    for name in chosen:
        lines = [line.split() for line in (probe / name / "log.txt").read_text().splitlines() if " epoch " in line]
        # The first epoch decodes the pictures, the last ends in a validation.
        stamps.append((float(lines[-2][0]) - float(lines[0][0])) / (len(lines) - 2))
    epochs = int((options.seconds - (time.time() - began)) / max(stamps))
    say(f"{max(stamps):.2f} s per epoch: {epochs} epochs")
    return max(epochs, 1)


def start_all(names: list[str], runs: Path, jobs: int, extra: list[str]) -> list[str]:
    """Run each name in a process of its own, `jobs` at a time; the names that failed."""
    waiting, running, failed = list(names), {}, []
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            (runs / name).mkdir(parents=True, exist_ok=True)
            log = (runs / name / "log.txt").open("w")
            command = [sys.executable, *sys.argv, *extra, "--runs", str(runs), "--one", name]
            running[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        for name in [name for name, process in running.items() if process.poll() is not None]:
            code = running.pop(name).returncode
            print(f"{name}: {'done' if code == 0 else f'failed, see {runs / name}/log.txt'}", flush=True)
            failed += [name] if code else []
        time.sleep(0.5)
    return failed


def train_one(name: str, options: argparse.Namespace) -> None:
    """One run: HRNet as `hrnet train` trains it, or ResNet-18 with the same samples, loss, optimiser and scoring."""
    import torch

    import hrnet
    from hrnet.nets.cost import GFLOP, cost

    recipe_name, kind, seed = RUNS[name]
    task = recipe_name.split("/")[0]
    epochs = options.epochs if task == "segmentation" else options.class_epochs
    recipe: Any = hrnet.recipe(recipe_name).but(training__seed=seed)
    if kind in ("v1", "v1h", "v2"):
        recipe = recipe.but(model__head=kind)
    if epochs:
        recipe = recipe.but(training__epochs=epochs)
    recipe = recipe.override(dict(text.split("=", 1) for text in options.changes))
    data, out = options.data / FOLDERS[task], options.runs / name
    began = time.time()
    if kind == "resnet":
        network = train_resnet(recipe, data, out)
    else:
        hrnet.train(recipe, [data], out, say=say)
        network = recipe.model.build()
        hrnet.load_weights(network, out / "last.safetensors")
    figures = scores(recipe, network, data)
    with torch.device("meta"):
        parameters, multiply_adds = cost(network.to("meta"), recipe.model.input_size)
    figures |= {"parameters": parameters, "gflops": multiply_adds / GFLOP, "seconds": round(time.time() - began)}
    figures |= {"epochs": recipe.training.epochs, "seed": seed}
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    say(json.dumps(figures["metrics"]))


def scores(recipe: Any, network: Any, data: Path) -> dict[str, Any]:
    """The figures of a network on the val part, and on the test part where there is one."""
    from hrnet.engines.torch_engine import TorchEngine

    inference = recipe.inference(TorchEngine(network))
    figures = recipe.evaluate(inference, recipe.read(data, "val"))
    if (data / "test.txt").exists():
        figures["test"] = recipe.evaluate(inference, recipe.read(data, "test"))
    return figures


def train_resnet(recipe: Any, data: Path, out: Path) -> Any:
    """ResNet-18 with the averaged weights of its last epoch, by a recipe's samples, loss, optimiser and scoring."""
    import torch
    from baselines import ResNetClassifier, ResNetFCN
    from safetensors.torch import load_file, save_file

    from hrnet.trainer import scorer
    from hrnet.training.curves import plot_curves
    from hrnet.training.fit import fit
    from hrnet.training.reporting import Run

    torch.manual_seed(recipe.training.seed)
    held_out = recipe.read(data, "val")
    network = (ResNetFCN if held_out.headline == "mIoU" else ResNetClassifier)(len(held_out.classes))

    def save(averaged: Any, name: str) -> None:
        save_file(
            {key: value.contiguous() for key, value in averaged.state_dict().items()}, out / f"{name}.safetensors"
        )

    run = Run(out, save, scorer(recipe, [held_out]), held_out.headline, say)
    fit(network, recipe.samples([recipe.read(data, "train")]), recipe.criterion(), recipe, run)
    plot_curves(out / "metrics.csv", out / "curves.png")
    network.load_state_dict(load_file(out / "last.safetensors"))
    return network


def say(line: str) -> None:
    """Print at once with the seconds since the start, so that a log can be watched."""
    print(f"{time.time() - STARTED:7.1f} s  {line}", flush=True)


if __name__ == "__main__":
    main()
