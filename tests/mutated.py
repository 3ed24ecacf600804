"""Weights files with something wrong in them, opened one after the other under a limit of memory.

    python tests/mutated.py 2000        # a summary as JSON; tests/weights/test_hostile.py reads it

Whole files of every form are cut, flipped, stretched and spliced; names, numbers and steps inside their pickles and
headers are exchanged, with checksums made right again, so that not only the outermost check is met.
"""

import io
import json
import os
import pickle
import random
import resource
import struct
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from drawn import TINY
from safetensors.torch import save

from hrnet.errors import HRNetError
from hrnet.weights.files import load_weights

MOST_SECONDS = 2.0  # of the processor, so that a busy machine does not count
SLACK = 24 * 2**20  # what the allocator and the readers' own modules may take
# What nobody may do while a weights file is opened.
FORBIDDEN = (
    "os.system",
    "os.mkdir",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
)


class Bomb:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch exploded",)


def whole_files() -> dict[str, bytes]:
    """One file of every form."""
    torch.manual_seed(0)
    network = TINY.model.build()
    state = network.state_dict()

    def saved(content, zipped=True) -> bytes:
        stream = io.BytesIO()
        torch.save(content, stream, _use_new_zipfile_serialization=zipped)
        return stream.getvalue()

    mmpose = {f"head.{n}" if n.startswith("final_layer") else f"backbone.{n}": v for n, v in state.items()}
    return {
        "zip": saved(state),
        "legacy": saved({"state_dict": state, "epoch": 3}, zipped=False),
        "safetensors": save(state, {"format": "pt"}),
        "mmpose": saved({"meta": {"path": Path("x"), "hooks": {1, 2}}, "state_dict": mmpose}),
        "module": saved(network),
        "bomb": saved({"state_dict": state, "more": Bomb()}),
        "legacy bomb": saved({"more": Bomb(), "state_dict": state}, zipped=False),
    }


def flipped(data: bytes, draw: random.Random) -> bytes:
    """A few bytes changed, most of them near the ends, where headers lie."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 3, 20, 200))):
        reach = draw.choice((64, 4096, len(out), len(out)))
        at = draw.randrange(min(reach, len(out)))
        out[at if draw.random() < 0.5 else -1 - at] = draw.randrange(256)
    return bytes(out)


def cut(data: bytes, draw: random.Random) -> bytes:
    """A beginning."""
    return data[: draw.choice((draw.randrange(200), draw.randrange(len(data)), len(data) - draw.randrange(1, 200)))]


def spliced(data: bytes, draw: random.Random) -> bytes:
    """A stretch repeated, removed, or filled with one byte."""
    start, length = draw.randrange(len(data)), draw.randrange(1, 1 + len(data) // 3)
    middle = draw.choice((data[start : start + length] * 2, b"", bytes([draw.randrange(256)]) * length))
    return data[:start] + middle + data[start + length :]


def numbers(data: bytes, draw: random.Random) -> bytes:
    """Somewhere, four or eight bytes become a number that is out of all bounds."""
    at = draw.randrange(len(data))
    return data[:at] + draw.choice(EXTREMES) + data[at + 8 :]


EXTREMES = (
    *(struct.pack("<q", number) for number in (-1, 2**31, 2**40, 2**62, -(2**63))),
    *(struct.pack("<I", number) for number in (0, 2**31 - 1, 2**32 - 1)),
)
# Steps of pickles that ask for much, or for code.
STEPS = (
    *(b"\x8e" + struct.pack("<Q", 2**40), b"\x96" + struct.pack("<Q", 2**33), b"\x95" + struct.pack("<Q", 2**50)),
    *(b"B" + struct.pack("<I", 2**32 - 1), b"r" + struct.pack("<I", 2**32 - 1), b"\x8b" + struct.pack("<i", 2**31 - 1)),
    *(b"cos\nsystem\nX\x0e\x00\x00\x00touch exploded\x85R", b"(S'touch exploded'\nios\nsystem\n", b"\x82\x01"),
    *(b")" * 9 + b"\x85" * 9999, b"})" + b"2\x86" * 60 + b"K\x01s", b"(" * 5000, b"I" + b"9" * 5000 + b"\n", b"."),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R", b"\x91", b"b", b"R"),
)


def inside(data: bytes, draw: random.Random, change: Callable[[bytes, random.Random], bytes]) -> bytes:
    """A change within a zip file's pickle or a safetensors header, with lengths and checksums made right again."""
    if data.startswith(b"PK"):
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as new:
            for info in old.infolist():
                content = old.read(info)
                new.writestr(info.filename, change(content, draw) if info.filename.endswith("data.pkl") else content)
        return stream.getvalue()
    if data[8:9] == b"{":
        length = struct.unpack("<Q", data[:8])[0]
        header = change(data[8 : 8 + length], draw)
        return struct.pack("<Q", len(header)) + header + data[8 + length :]
    start = draw.randrange(120, 60_000)  # somewhere in the chain of pickles
    return data[:start] + change(data[start : start + 2000], draw) + data[start + 2000 :]


def step_changed(pickled: bytes, draw: random.Random) -> bytes:
    """A hostile step put into a pickle, or a digit of a text exchanged."""
    at = draw.randrange(len(pickled))
    if draw.random() < 0.3:
        digits = [i for i, byte in enumerate(pickled) if 48 <= byte <= 57]
        if digits:
            place = draw.choice(digits)
            return pickled[:place] + b"9" * draw.choice((1, 2, 12)) + pickled[place + 1 :]
    return pickled[:at] + draw.choice(STEPS) + pickled[at + draw.choice((0, 1, 8)) :]


def mutated(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """`count` files, each with a word for what was done to which."""
    draw, wholes = random.Random(seed), whole_files()
    outer = (flipped, cut, spliced, numbers)
    for _ in range(count):
        kind, data = draw.choice(list(wholes.items()))
        if draw.random() < 0.5:
            change = draw.choice(outer)
            yield f"{kind}, {change.__name__}", change(data, draw)
        else:
            change = draw.choice((*outer, step_changed, step_changed, step_changed))
            yield f"{kind}, inside {change.__name__}", inside(data, draw, change)


def limited(nbytes: int) -> None:
    """Let this process grow by so much and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + nbytes, resource.RLIM_INFINITY))


def open_all(count: int, seed: int) -> dict:
    """Open every file; what became of them, the slowest, and everything that should not have happened."""
    deeds: list[str] = []
    sys.addaudithook(lambda event, args: deeds.append(f"{event} {args}") if event in FORBIDDEN else None)
    ends, faults, slowest = Counter(), [], (0.0, "")
    network, path = TINY.model.build(), Path("file")
    for number, (what, data) in enumerate(mutated(count, seed)):
        path.write_bytes(data)
        limited(3 * len(data) + SLACK)
        deeds.clear()
        began = time.process_time()
        try:
            load_weights(network, path)
            end = "loaded"
        except HRNetError as error:
            end = "refused"
            if "\n" in str(error) or "MemoryError" in str(error) or "allocate" in str(error):
                faults.append(f"{number} {what}: {error}")
        except BaseException as error:
            end = type(error).__name__
            faults.append(f"{number} {what}: {end}: {error}")
        seconds = time.process_time() - began
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if seconds > MOST_SECONDS:
            faults.append(f"{number} {what}: {seconds:.1f} s")
        slowest = max(slowest, (seconds, f"{number} {what}"))
        faults += [f"{number} {what}: {deed}" for deed in deeds]
        ends[end] += 1
    if Path("exploded").exists():
        faults.append("code ran")
    return {"ends": dict(ends), "seconds": slowest[0], "slowest": slowest[1], "faults": faults}


def are_live() -> bool:
    """Whether the bombs among the files are real ones: opened carelessly, they do run."""
    pickle.loads(pickle.dumps(Bomb()))
    return Path("exploded").exists()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        summary = open_all(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
        print(json.dumps(summary | {"live": are_live()}, indent=1))
