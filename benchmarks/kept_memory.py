"""What it saves that training keeps freed memory: seconds of a step on the CPU with and without, in turns.

python benchmarks/kept_memory.py [RECIPE] [BATCH] [SIDE]
"""

import contextlib
import statistics
import sys
import time

import torch

import hrnet
from hrnet.training.memory import memory_kept


def main(name: str = "pose_bottomup/small_512", batch: int = 24, side: int = 512) -> None:
    network = hrnet.recipe(name).model.build().train().to(memory_format=torch.channels_last)
    pictures = torch.randn(batch, 3, side, side).to(memory_format=torch.channels_last)

    def step() -> float:
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network(pictures)
        sum(output.float().square().mean() for output in outputs).backward()
        return time.perf_counter() - began

    ways = {"kept": memory_kept, "given back": contextlib.nullcontext}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(4):
        for way, block in ways.items():
            with block():
                step()
                times[way] += [step(), step()]
    kept, given_back = (statistics.median(times[way]) for way in ways)
    print(f"{name}, {batch} x {side}: kept {kept:.2f} s, given back {given_back:.2f} s, {given_back / kept:.2f} x")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:4]))
