"""The machine that this runs on: processor, CUDA devices, libraries; found out without importing any of them."""

import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CUDA_DRIVERS = "/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1", "C:/Windows/System32/nvcuda.dll"
BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # as Linux names the instructions on x86 and on ARM


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name."""
    return cpuinfo().get("model name") or platform.processor() or platform.machine()


def instructions() -> frozenset[str]:
    """Instruction sets of the processor; none where the system does not tell (only Linux does)."""
    told = cpuinfo()
    return frozenset((told.get("flags") or told.get("Features") or "").split())


def computes_bf16() -> bool | None:
    """Whether the processor computes in bf16; None where the system does not tell.

    Without such instructions libraries go through bf16 number by number, several times slower than float32.
    """
    told = instructions()
    return not BF16.isdisjoint(told) if told else None


@cache
def cpuinfo() -> dict[str, str]:
    """What Linux says of the last processor."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return {}


def cuda_driver() -> bool:
    """Whether this machine has a CUDA driver."""
    return any(Path(file).exists() for file in CUDA_DRIVERS)


def cuda_cards() -> list[str]:
    """What Linux's driver says of each card, its name above all."""
    with suppress(OSError):
        listed = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        return [file.read_text().partition("\n")[0] for file in listed]
    return []


def installed(package: str) -> str | None:
    """The version of a package, None where it is missing."""
    with suppress(PackageNotFoundError):
        return version(package)
    return None
