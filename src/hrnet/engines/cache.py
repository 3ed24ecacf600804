"""What is remembered between runs: a folder per network and machine, whose files are checked before they are used."""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import platformdirs

from hrnet.errors import HRNetError
from hrnet.images import write_bytes, write_text
from hrnet.machine import cores, cuda_cards, cuda_driver, installed, instructions, processor

LIBRARIES = ("hrnet", "torch", "onnxruntime", "openvino")


def cache_folder() -> Path:
    """The user's cache folder for this package; the variable HRNET_CACHE names another."""
    return Path(os.environ.get("HRNET_CACHE") or platformdirs.user_cache_dir("hrnet"))


def digest(*parts: str | bytes) -> str:
    """A short name for some content."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()[:24]


def file_digest(path: Path) -> str:
    """The same for a file's content, and for that of the .bin beside an OpenVINO file, which holds the weights."""
    with path.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()[:24]
    weights = path.with_suffix(".bin")
    return digest(name, file_digest(weights)) if path.suffix == ".xml" and weights.exists() else name


def conditions() -> dict[str, Any]:
    """What a measurement depends on beside the network: processor, cores, CUDA driver, versions."""
    return {
        "processor": f"{processor()}; {digest(*sorted(instructions()))}",
        "cores": cores(),
        "cuda": cuda_driver() and [os.environ.get("CUDA_VISIBLE_DEVICES", "all"), *cuda_cards()],
        "limits": {name: os.environ[name] for name in ("ONEDNN_MAX_CPU_ISA", "OMP_NUM_THREADS") if name in os.environ},
        "versions": {name: installed(name) for name in LIBRARIES},
    }


class Memory:
    """The folder of one network on one machine. Whatever is damaged, foreign or unwritable counts as not there."""

    def __init__(self, key: str) -> None:
        self.folder = cache_folder() / "engines" / digest(key, json.dumps(conditions(), sort_keys=True))

    def recall(self) -> dict[str, Any] | None:
        """What `remember` wrote; None where there is nothing that can be used."""
        try:
            told = json.loads((self.folder / "choice.json").read_text(encoding="utf-8"))
            sound = all(isinstance(told[name], str) for name in ("engine", "precision", "device", "why"))
            whole = all((self.folder / name).stat().st_size == size for name, (size, _) in told["files"].items())
            return told if sound and whole and isinstance(told["measured"], dict) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def content(self, told: dict[str, Any], name: str) -> bytes:
        """A file that belongs to a choice. Raises `HRNetError` where it is not what was written."""
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise HRNetError(f"{self.folder / name} cannot be read ({error.strerror})") from None
        if digest(data) != told["files"][name][1]:
            raise HRNetError(f"{self.folder / name} is damaged")
        return data

    def remember(self, told: dict[str, Any], files: dict[str, bytes]) -> bool:
        """Keep a choice and its files; where that is impossible, say so once and go on."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                write_bytes(self.folder / name, content)
            signs = {name: (len(content), digest(content)) for name, content in files.items()}
            write_text(self.folder / "choice.json", json.dumps({**told, "files": signs}, indent=1) + "\n")
        except (OSError, HRNetError) as error:
            warnings.warn(f"the choice of an engine cannot be kept, the next run measures again: {error}", stacklevel=2)
            return False
        return True

    def path(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name


def int8_folder(key: str) -> Path:
    """Where a network's int8 file is kept, once its proof held."""
    return cache_folder() / "int8" / digest(key)


def remember_int8(key: str, file: Path) -> None:
    """Keep a copy of an OpenVINO file in int8 and of its proof, for engine "auto" to find."""
    folder = int8_folder(key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"network.xml": file, "network.bin": file.with_suffix(".bin")}
        for name, part in parts.items():
            write_bytes(folder / name, part.read_bytes())
        signs = {name: file_digest(folder / name) for name in parts}
        proof = json.loads(file.with_name(file.name + ".proof.json").read_text(encoding="utf-8"))
        write_text(folder / "proof.json", json.dumps({**proof, "files": signs}, indent=1) + "\n")
    except (OSError, HRNetError) as error:
        warnings.warn(f"the int8 network cannot be kept for engine 'auto': {error}", stacklevel=2)


def proven_int8(key: str) -> Path | None:
    """A network's int8 file, if one is kept whose proof held and whose files are as they were."""
    folder = int8_folder(key)
    try:
        proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
        whole = all(file_digest(folder / name) == sign for name, sign in proof["files"].items())
        return folder / "network.xml" if whole and proof["agreement"]["faults"] == [] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
