"""Networks as files for other programs: written with recipe and card inside, told apart and read back without torch."""

import json
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hrnet.errors import HRNetError, UsageError
from hrnet.images import replacing

if TYPE_CHECKING:
    from torch import nn

    from hrnet.settings import Free

FORMATS = {".onnx": "ONNX", ".xml": "OpenVINO", ".pt2": "torch.export"}
NAME = "hrnet"  # under which recipe and card stand in each format
METADATA = 14  # field of ONNX's ModelProto that holds pairs of texts


def check_format(path: Path) -> None:
    """Refuse a suffix that stands for no format."""
    if path.suffix not in FORMATS:
        known = ", ".join(f"{suffix} ({name})" for suffix, name in FORMATS.items())
        raise UsageError(f"{path} does not say what to write: expected a name that ends in {known}")


def write_exported(
    network: "nn.Module", size: tuple[int, int], path: Path, meta: dict[str, Any], free: "tuple[Free, ...]" = ("batch",)
) -> None:
    """Write a network in the format of the path's suffix, with `meta` (plain values) inside.

    It takes pictures (B, H, W, 3) RGB of `size` (width, height) and normalises them itself; `free` as in `write_onnx`.
    """
    check_format(path)
    from hrnet.engines.graph import write_onnx

    text = json.dumps(meta, ensure_ascii=False)
    if path.suffix == ".pt2":
        write_torch_export(network, size, path, text, free)
    elif path.suffix == ".onnx":
        write_onnx(network, size, path, free)
        with path.open("ab") as file:  # fields of a protobuf message may follow in any order
            file.write(entry(METADATA, entry(1, NAME.encode()) + entry(2, text.encode())))
    else:
        from hrnet.engines.openvino_engine import openvino_core

        graph = path.with_suffix(".onnx")
        try:
            write_onnx(network, size, graph, free)
            save_openvino(openvino_core().read_model(graph), path, meta)
        finally:
            graph.unlink(missing_ok=True)


def save_openvino(model: Any, path: Path, meta: dict[str, Any]) -> None:
    """Write an OpenVINO model, the graph as .xml and the weights as .bin beside it."""
    import openvino

    model.set_rt_info(json.dumps(meta, ensure_ascii=False), NAME)
    openvino.save_model(model, path, compress_to_fp16=False)


def write_torch_export(
    network: "nn.Module", size: tuple[int, int], path: Path, text: str, free: "tuple[Free, ...]"
) -> None:
    """Write what `torch.export.load` reads."""
    import torch

    from hrnet.engines.pixels import FromPixels

    width, height = size
    pictures = torch.zeros((2, height, width, 3), dtype=torch.float32 if "fractions" in free else torch.uint8)
    open_sides: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=4096)}
    if "size" in free:
        open_sides |= {1: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO}
    wrapped = FromPixels(network.eval().float().cpu()).eval()
    with torch.no_grad(), replacing(path) as temporary:
        program = torch.export.export(wrapped, (pictures,), dynamic_shapes=(open_sides,))
        torch.export.save(program, temporary, extra_files={f"{NAME}.json": text})


def read_exported(path: Path) -> dict[str, Any]:
    """What `write_exported` put inside a file. Raises `HRNetError` for one that it did not write."""
    readers = {".onnx": text_in_onnx, ".xml": text_in_openvino, ".pt2": text_in_torch_export}
    if not path.is_file():
        raise HRNetError(f"{path} does not exist: check the path of the exported network")
    try:
        meta = json.loads(readers[path.suffix](path))
        return meta if isinstance(meta["recipe"], str) else {}
    except (OSError, ValueError, KeyError, TypeError, ElementTree.ParseError, zipfile.BadZipFile) as error:
        fault = f" ({error})" if str(error) else ""
        raise HRNetError(f"{path} was not written by hrnet export, or is damaged{fault}: export it again") from None


def text_in_onnx(path: Path) -> str:
    """The text under our name in an ONNX file."""
    with path.open("rb") as file:
        for number, content in fields(file, wanted=METADATA):
            pair = dict(fields_of(content)) if number == METADATA else {}
            if pair.get(1) == NAME.encode():
                return pair[2].decode()
    raise ValueError("it carries no recipe")


def text_in_openvino(path: Path) -> str:
    """The text under our name in an OpenVINO file."""
    place = ElementTree.parse(path).getroot().find(f"rt_info/{NAME}")
    if place is None:
        raise ValueError("it carries no recipe")
    return place.attrib["value"]


def text_in_torch_export(path: Path) -> str:
    """The text under our name in a torch.export archive."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(f"/{NAME}.json"))
        return archive.read(name).decode()


def entry(number: int, content: bytes) -> bytes:
    """A protobuf field that holds bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A whole number as protobuf writes it: seven bits a byte, lowest first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def fields(file: BinaryIO, wanted: int) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message in a file; the contents of all but the wanted one are passed over."""
    while (key := read_varint(file)) is not None:
        number, kind = key >> 3, key & 7
        if kind == 0:
            read_varint(file)
        elif kind == 2:
            length = read_varint(file) or 0
            if number == wanted:
                yield number, file.read(length)
            else:
                file.seek(length, 1)
        else:
            raise ValueError("it is no ONNX file")


def fields_of(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message of bytes fields with numbers below 16."""
    from io import BytesIO

    stream = BytesIO(message)
    while (key := read_varint(stream)) is not None:
        yield key >> 3, stream.read(read_varint(stream) or 0)


def read_varint(file: BinaryIO) -> int | None:
    """The next whole number of a protobuf message, None at its end."""
    value, shift = 0, 0
    while byte := file.read(1):
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
        shift += 7
    return None
