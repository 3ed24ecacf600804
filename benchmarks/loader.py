"""The training loader against bare OpenCV: decoding, and the whole way of a sample; docs/data.md quotes it.

    python benchmarks/loader.py PEOPLE.json [LSPET/]

Bare is `cv2.imread` and `cv2.warpAffine` with frames drawn as in training. Ways take turns, pass by pass, in one
process on one thread; the median pass counts. The sample's own normalisation is the network's.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

import hrnet
from hrnet.datasets.opening import open_data
from hrnet.images import read_image
from hrnet.tasks.pose_topdown.samples import Draws, Pictures, PoseSamples, random_frame

PASSES = 7
BARE = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def decode_bare(path: Path) -> np.ndarray:
    """A picture as the published code reads it."""
    pixels = cv2.imread(str(path), BARE)
    assert pixels is not None, path
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def compare(name: str, items: Sequence, ways: dict[str, Callable]) -> None:
    """Time ways of doing the same, the first being the bare one, and print milliseconds and ratios."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(PASSES + 1):
        for way, action in ways.items():
            began = time.perf_counter()
            for item in items:
                action(item)
            if number:  # the first pass warms caches
                taken[way].append((time.perf_counter() - began) / len(items) * 1000)
    medians = {way: statistics.median(times) for way, times in taken.items()}
    bare = next(iter(medians.values()))
    for way, median in medians.items():
        print(f"{name}: {way:<28} {median:7.3f} ms, {median / bare:.2f} x bare")


def main(people: str, lspet: str | None = None) -> None:
    cv2.setNumThreads(1)
    for data in (people, lspet):
        if data is not None:
            paths = [record.image for record in open_data(data, "val").records][:200]
            compare(
                f"decoding {Path(data).name}",
                paths,
                {"bare OpenCV": decode_bare, "read_image": lambda path: read_image(path, turn_by_exif=False)},
            )
    recipe = hrnet.recipe("w32_256x192")
    samples = PoseSamples(recipe, [open_data(people, "train")])
    samples.pictures = Pictures(limit=0)  # every picture is decoded each time, as in sets that do not fit into memory
    frames = [random_frame(pick.record.width, pick, recipe, Draws(k)) for k, pick in enumerate(samples.picks)]
    indices = list(range(min(len(samples), 150)))
    compare(
        "sample, w32_256x192",
        indices,
        {
            "bare decode + warpAffine": lambda k: cv2.warpAffine(
                decode_bare(samples.picks[k].record.image), frames[k].matrix, (192, 256), flags=cv2.INTER_LINEAR
            ),
            "decode, warp, targets": lambda k: samples[0, k],
        },
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])
