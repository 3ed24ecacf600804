"""Timing in turns, and what was held meanwhile."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def interleaved(calls: dict[str, Callable[[], Any]], seconds: float, fewest: int = 5) -> dict[str, list[float]]:
    """Seconds of every call of each function, in turn, after two calls to warm up, until the time is over."""
    for call in calls.values():
        for _ in range(2):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, times.values())) < fewest:
        for name, call in calls.items():
            began = time.perf_counter()
            call()
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
