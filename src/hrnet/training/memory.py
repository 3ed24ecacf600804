"""Memory between training steps."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # what glibc's malloc.h calls M_TRIM_THRESHOLD and so on
LARGEST, MANY = 32 << 20, 65536  # up to where glibc raises its threshold by itself; its own count of mappings


@contextmanager
def memory_kept() -> Iterator[None]:
    """Within the block, freed memory stays with the process, where the C library is glibc.

    Otherwise each map of more than 32 MB is given back to the system when a step is done with it, and comes anew in the
    next step page by page, each page zeroed: `docs/performance.md` has what that costs on a CPU.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if tell is None:
        yield
        return
    tell(TRIM_THRESHOLD, -1)  # never
    tell(MMAP_MAX, 0)
    try:
        yield
    finally:
        tell(MMAP_MAX, MANY)
        tell(MMAP_THRESHOLD, LARGEST)
        tell(TRIM_THRESHOLD, 2 * LARGEST)
