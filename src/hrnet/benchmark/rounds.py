"""Timing in turns, and what was held meanwhile."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def interleaved(
    calls: dict[str, Callable[[], Any]], seconds: float, fewest: int = 5, in_turn: int = 3
) -> dict[str, list[float]]:
    """Seconds of calls of each function, in turns of `in_turn`, until the time is over.

    A turn begins with a call that is not counted: the threads of the library before still spin, waiting for more work,
    and take the processor from the next one.
    """
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, times.values())) < fewest:
        for name, call in calls.items():
            for counted in [False, *[True] * in_turn]:
                began = time.perf_counter()
                call()
                if counted:
                    times[name].append(time.perf_counter() - began)
    return times


def memory_mib() -> float:
    """The most memory that this process has held so far."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (2**20 if sys.platform == "darwin" else 2**10), 1)


@contextmanager
def most_memory(device: str) -> Iterator[dict[str, float]]:
    """The most memory held on a device within the block; on the CPU that of the process so far."""
    import torch

    held: dict[str, float] = {}
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    yield held
    held["mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1) if device == "cuda" else memory_mib()
