"""Any weights file opened without running or loading anything: what is in it, by name, shape and place.

Formats, told apart by their first bytes: safetensors, torch's zip files (1.6 and later), and its older chain of
pickles. `read_meta` of `files.py` reads what our own files carry besides.
"""

import io
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hrnet.errors import HRNetError
from hrnet.weights.pickled import ITEM_BYTES, MOST_PICKLE_BYTES, DataUnpickler, Storage, StoredTensor

if TYPE_CHECKING:
    from torch import Tensor

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
SAFETENSORS_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
# First bytes of what often lies under the name of a weights file -> what it is.
IMPOSTORS = (
    (b"<!doctype", "a web page, such as a share drive shows before the download"),
    (b"<html", "a web page, such as a share drive shows before the download"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it points to"),
    (b"\x89hdf", "an HDF5 file, not one of torch"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"{", "JSON, not weights"),
)


@dataclass(frozen=True)
class Opened:
    """A file's content as data: `tree` holds dictionaries with `StoredTensor` and inert objects as leaves.

    `foreign` names the functions and classes that the file's pickle would have called, and that were not.
    """

    path: Path
    form: str
    tree: Any
    size: int
    foreign: tuple[str, ...] = ()


def open_weights(path: Path) -> Opened:
    """Open a file of any format. Raises `HRNetError` for one that is damaged, or no weights file; runs nothing."""
    must_be_a_file(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(32)
        if start.startswith(b"PK\x03\x04"):
            return opened("torch file (zip)", ZipFile(path, size))
        if start.startswith(LEGACY_START):
            return opened("torch file (before torch 1.6)", LegacyFile(path, size))
        if start[8:9] == b"{":
            return Opened(path, "safetensors", SafetensorsFile(path).tree(), size)
    except Exception as error:  # the types with which readers answer damaged bytes are many and not documented
        raise error if isinstance(error, HRNetError) else damaged(path, error) from None
    for first, what in IMPOSTORS:
        if start.lstrip().lower().startswith(first):
            raise HRNetError(f"{path} is {what}: download the weights file itself")
    if start[:1] == b"\x80" and not LEGACY_START.startswith(start):
        raise HRNetError(f"{path} is a pickle that torch did not write, and is not opened: ask for a state dict")
    raise damaged(path, ValueError("it begins like none" if start else "it is empty"))


def opened(form: str, file: "TorchFile") -> Opened:
    """A torch file and what its pickle holds."""
    return Opened(file.path, form, file.tree(), file.size, tuple(file.foreign))


def must_be_a_file(path: Path) -> None:
    """Refuse a path that leads to no file."""
    if not path.is_file():
        fault = "is no file" if path.exists() else "does not exist"
        raise HRNetError(f"{path} {fault}: check the path of the weights")


def damaged(path: Path, error: Exception) -> HRNetError:
    """The refusal of a file that cannot be read as weights."""
    reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    return HRNetError(f"{path} is truncated or no weights file ({reason}): download or copy it again")


class SafetensorsFile:
    """A safetensors file; the library checks every place against the file's size."""

    def __init__(self, path: Path) -> None:
        self.path, self.handle = path, None

    def tree(self) -> dict[str, StoredTensor]:
        """Every tensor by name."""
        from safetensors import safe_open

        with safe_open(self.path, "np") as file:
            return {name: self.stored(name, file.get_slice(name)) for name in file.keys()}  # noqa: SIM118

    def stored(self, name: str, part: Any) -> StoredTensor:
        """One tensor of it."""
        dtype = SAFETENSORS_TYPES.get(part.get_dtype())
        if dtype is None:
            raise ValueError(f"{name} is of type {part.get_dtype()}")
        return StoredTensor(tuple(part.get_shape()), dtype, lambda: self.load(name))

    def load(self, name: str) -> "Tensor":
        """Read one tensor."""
        from safetensors import safe_open

        if self.handle is None:
            self.handle = safe_open(self.path, "pt")
        return self.handle.get_tensor(name)


@dataclass(frozen=True)
class Place:
    """Where a storage lies in its file, and its checksum where the file has one."""

    position: int
    nbytes: int
    checksum: int | None = None


class TorchFile(ABC):
    """What both of torch's formats share: storages at places in a file."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self.places: dict[str, Place] = {}
        self.foreign: dict[str, None] = {}

    @abstractmethod
    def tree(self) -> Any:
        """The content of the file's pickle."""

    def unpickled(self, file: BinaryIO) -> Any:
        """The next pickle of a file, as data."""
        reader = DataUnpickler(file, self.admit, self.view)
        content = reader.load()
        self.foreign |= reader.foreign
        return content

    @abstractmethod
    def admit(self, storage: Storage) -> None:
        """Take note of a storage that a pickle refers to, or raise."""

    def view(self, storage: Storage, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> "Tensor":
        """Read a view of a storage: what lies between its first and last element, and no more."""
        import torch

        place, item = self.places[storage.key], ITEM_BYTES[storage.dtype]
        last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
        count = last + 1 - offset if 0 not in shape else 0
        data = bytearray(count * item)
        with self.path.open("rb") as file:
            file.seek(place.position + offset * item)
            if file.readinto(data) != len(data):
                raise damaged(self.path, EOFError("it became shorter"))
        if len(data) == place.nbytes and place.checksum not in (None, zlib.crc32(data)):
            raise damaged(self.path, ValueError(f"the checksum of storage {storage.key} is wrong"))
        dtype = getattr(torch, storage.dtype)
        if not data:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(data, dtype=dtype).as_strided(shape, stride).contiguous()


class ZipFile(TorchFile):
    """What `torch.save` writes since 1.6: an archive of one pickle and a record for each storage, none compressed."""

    def tree(self) -> Any:
        with zipfile.ZipFile(self.path) as archive:
            records = {info.filename: info for info in archive.infolist()}
            roots = [name.removesuffix("data.pkl") for name in records if name.split("/")[1:] == ["data.pkl"]]
            if not roots:
                raise HRNetError(f"{self.path} is a zip archive without weights of torch: unpack it first")
            root = roots[0]
            if f"{root}constants.pkl" in records:
                raise HRNetError(f"{self.path} is a TorchScript program, not weights: ask for its state dict")
            if records.get(f"{root}byteorder") and archive.read(f"{root}byteorder")[:16] != b"little":
                raise HRNetError(f"{self.path} was written in big-endian byte order: save it again on another machine")
            with self.path.open("rb") as file:
                pickled = self.place(file, records[f"{root}data.pkl"])
                self.records = {name.removeprefix(f"{root}data/"): info for name, info in records.items()}
                self.file = file
                if pickled.nbytes > MOST_PICKLE_BYTES:
                    raise ValueError(f"its pickle is longer than {MOST_PICKLE_BYTES // 2**20} MB")
                file.seek(pickled.position)
                data = file.read(pickled.nbytes)
                if zlib.crc32(data) != pickled.checksum:
                    raise ValueError("the checksum of its pickle is wrong")
                return self.unpickled(io.BytesIO(data))

    def admit(self, storage: Storage) -> None:
        """Refuse a storage that its record does not hold."""
        if storage.key not in self.places:
            self.places[storage.key] = self.place(self.file, self.records[storage.key])
        if storage.elements * ITEM_BYTES[storage.dtype] > self.places[storage.key].nbytes:
            raise ValueError(f"storage {storage.key} is shorter than the pickle says")

    def place(self, file: io.BufferedReader, info: zipfile.ZipInfo) -> Place:
        """Where a record's bytes lie: behind its local header, whose length only the file itself tells."""
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename} is compressed, which torch never does")
        file.seek(info.header_offset)
        header = file.read(30)
        if header[:4] != b"PK\x03\x04":
            raise ValueError(f"{info.filename} is not where the archive says")
        position = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        if position + info.file_size > self.size:
            raise ValueError(f"{info.filename} reaches beyond the end")
        return Place(position, info.file_size, info.CRC)


class LegacyFile(TorchFile):
    """What `torch.save` wrote before 1.6: five pickles in a row, then each storage behind its length."""

    def tree(self) -> Any:
        self.storages: dict[str, Storage] = {}
        with self.path.open("rb") as file:
            magic, version, system, content, keys = (self.unpickled(file) for _ in range(5))
            if magic != LEGACY_MAGIC or version != 1001 or not isinstance(keys, list):
                raise ValueError("its version is unknown")
            if isinstance(system, dict) and system.get("little_endian") is False:
                raise HRNetError(f"{self.path} was written in big-endian byte order: save it again on another machine")
            self.find(file, [str(key) for key in keys])
        return content

    def admit(self, storage: Storage) -> None:
        """Remember a storage; its place is known only at the end. A second type for the same bytes is refused."""
        if self.storages.setdefault(storage.key, storage) != storage:
            raise ValueError(f"storage {storage.key} has two types or lengths")

    def find(self, file: io.BufferedReader, keys: list[str]) -> None:
        """Walk over the storages in the order of `keys`; every one must be whole."""
        position = file.tell()
        for key in keys:
            storage = self.storages[key]
            nbytes = storage.elements * ITEM_BYTES[storage.dtype]
            file.seek(position)
            if file.read(8) != struct.pack("<q", storage.elements) or position + 8 + nbytes > self.size:
                raise ValueError(f"storage {key} is cut or of another length")
            self.places[key] = Place(position + 8, nbytes)
            position += 8 + nbytes
        missing = self.storages.keys() - self.places
        if missing:
            raise ValueError(f"{len(missing)} storages are missing")
