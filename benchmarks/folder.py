"""A folder of pictures, file to result: as a stream, beside one call after another.

    python benchmarks/folder.py PICTURES [key=value ...]      (as Predictor takes them: task=segmentation, weights=FILE)

A stream reads and prepares pictures ahead of the network and finishes them behind it; a call waits for each step.
Medians of rounds in turns, by the engine that `auto` takes.
"""

import sys

import numpy as np

import hrnet
from hrnet.benchmark.rounds import interleaved
from hrnet.images import find_images
from hrnet.trainer import hardware

PICTURES, ROUNDS = 48, 5


def main(folder: str, *options: str) -> None:
    predictor = hrnet.Predictor(**dict(option.split("=", 1) for option in options))
    answering = predictor.without_boxes
    paths = find_images([folder])[0][:PICTURES]
    ways = {
        "one call after another": lambda: [predictor(path) for path in paths],
        "as a stream": lambda: list(predictor.stream((path, None, None) for path in paths)),
    }
    times = {way: float(np.median(each)) / len(paths) for way, each in interleaved(ways, 0, ROUNDS, in_turn=1).items()}
    print(f"{answering.recipe.name}, {answering.engine_note.split(':')[0]}, {len(paths)} pictures, {hardware()}")
    slowest = max(times.values())
    for way, seconds in times.items():
        print(f"{way:<24} {1000 * seconds:>8.1f} ms per picture {slowest / seconds:>6.2f} x")


if __name__ == "__main__":
    main(*sys.argv[1:])
