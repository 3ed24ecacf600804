"""Reading pictures safely, finding them, and writing files whole or not at all."""

import glob
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hrnet.errors import HRNetError

MAX_PIXELS = 200_000_000
# What every network here expects of its input: RGB scaled to 0..1, less ImageNet's mean, over its deviation.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
_HEADER = 1 << 17  # bytes that hold the header of all but odd pictures
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")

# First bytes of a file -> its reader, and the mark that must follow the pixels of a complete file. The readers are
# called directly because Image.open warns about large pictures by a limit that is global to the process.
_READERS: tuple[tuple[bytes, type[ImageFile], bytes], ...] = (
    (b"\xff\xd8\xff", JpegImageFile, b"\xff\xd9"),
    (b"\x89PNG\r\n\x1a\n", PngImageFile, b"IEND\xaeB`\x82"),
    (b"RIFF", WebPImageFile, b""),
    (b"GIF8", GifImageFile, b""),
    (b"BM", BmpImageFile, b""),
    (b"II*\0", TiffImageFile, b""),
    (b"MM\0*", TiffImageFile, b""),
)
# EXIF orientation -> what stands the stored pixels (H, W, 3) upright.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}
# suffix -> Pillow's name of the format, and the longest side the format can hold
_WRITERS = {".png": ("PNG", 2**31 - 1), ".jpg": ("JPEG", 65_500), ".jpeg": ("JPEG", 65_500), ".webp": ("WEBP", 16_383)}


def read_image(path: str | Path, *, turn_by_exif: bool = True) -> np.ndarray:
    """Read a picture file (JPEG, PNG, WebP, GIF, BMP or TIFF; the first frame of several).

    Returns uint8 RGB of shape (H, W, 3). Grey is repeated, alpha dropped, 16 bits reduced to their upper 8, as
    ``cv2.imread`` does. ``turn_by_exif`` stands the picture upright as its EXIF orientation says; annotated data
    sets are read without, because their coordinates belong to the stored pixels.

    Raises HRNetError when the file is missing, unreadable, empty, not a picture, damaged, cut short, or holds more
    than ``MAX_PIXELS`` pixels, which is known from its header before anything is decoded.
    """
    data, reader, end_mark = _load(path)
    try:
        stream = BytesIO(data)
        image = reader(stream)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise _too_large(path, f"{width} x {height} pixels")
        # Both decoders fill in what is missing when the tail of a file is there but blank (a broken download).
        if end_mark and data.rfind(end_mark, stream.tell()) < 0:
            raise OSError("its end is missing")
        pixels = _decoded_by_opencv(image, data)
        if pixels is None:
            pixels = _decoded_by_pillow(path, image)
        turn = _UPRIGHT.get(_orientation(image)) if turn_by_exif else None
        return pixels if turn is None else np.ascontiguousarray(turn(pixels))
    except HRNetError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(path, "by its header") from error
    except Exception as error:  # the types with which Pillow answers damaged bytes are many and not documented
        raise _damaged(path, error) from error


def read_values(path: str | Path) -> np.ndarray:
    """Read the numbers that a grey or palette picture stores, (H, W) uint8 or uint16, such as the labels of its pixels.

    A palette is not applied: the numbers are the indices. Raises HRNetError for a picture in colours, and as
    ``read_image`` does.
    """
    data, reader, _ = _load(path)
    try:
        image = reader(BytesIO(data))
        image.load()
    except Exception as error:  # see read_image
        raise _damaged(path, error) from error
    if image.mode not in ("L", "P", "1") and not image.mode.startswith("I;16"):
        raise HRNetError(
            f"{path} holds colours ({image.mode}), expected one number per pixel: save it as a grey or palette PNG"
        )
    return np.array(image.convert("L") if image.mode == "1" else image)


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture file as stored, from its header; nothing is decoded. Raises as `read_image`."""
    try:
        data, reader, _ = _load(path, _HEADER)
        return reader(BytesIO(data)).size
    except HRNetError:
        raise
    except Exception:  # a header that is longer or lies at the end, as in a TIFF, or a damaged file: see read_image
        data, reader, _ = _load(path)
    try:
        return reader(BytesIO(data)).size
    except Exception as error:
        raise _damaged(path, error) from error


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Bring a picture given as an array to uint8 RGB of shape (H, W, 3).

    Accepts uint8 or uint16 of shape (H, W, 3) RGB, (H, W) or (H, W, 1) grey, and (H, W, 4) RGB with alpha, treated
    as ``read_image`` treats files; uint8 RGB is returned as it is, not copied. Raises HRNetError for anything else.
    """
    expected = "expected a picture as a uint8 or uint16 array of shape (H, W, 3), (H, W), (H, W, 1) or (H, W, 4)"
    if not isinstance(image, np.ndarray):
        raise HRNetError(f"{expected}, got {type(image).__name__}: read a file with read_image, or use numpy.asarray")
    channels = image.shape[2] if image.ndim == 3 else 1 if image.ndim == 2 else 0
    if image.dtype.newbyteorder("=") not in (np.uint8, np.uint16) or channels not in (1, 3, 4) or image.size == 0:
        raise HRNetError(f"{expected}, got {image.dtype} of shape {image.shape}: convert it, with values up to 255")
    if image.dtype.itemsize == 2:
        # The upper byte, not the rounded quotient by 257: what cv2.imread gives the published code.
        image = (image >> 8).astype(np.uint8)
    if channels == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image[:, :, :3] if channels == 4 else image


def normalised(crop: np.ndarray) -> np.ndarray:
    """RGB pixels (H, W, 3) uint8 as a network's input (3, H, W) float32."""
    scaled = crop.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(((scaled - MEAN) / STD).transpose(2, 0, 1))


def find_images(inputs: Sequence[str | Path]) -> tuple[list[Path], list[HRNetError]]:
    """Expand files, folders and glob patterns (``**`` included) to picture files, in the order given, each once.

    A folder gives its own visible files with a suffix of ``SUFFIXES``, sorted by name; a pattern every file that it
    matches, unless a file of exactly that name exists. A named file is returned even when it does not exist, so that
    reading it reports it. The second list holds one error for each input that yields nothing.
    """
    found: dict[str, Path] = {}
    errors: list[HRNetError] = []
    for given in map(str, inputs):
        try:
            paths = _expand(given)
        except HRNetError as error:
            errors.append(error)
            continue
        for path in paths:
            found.setdefault(os.path.abspath(path), path)
    return list(found.values()), errors


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give the path of a temporary file beside ``path``, which takes its place when the block ends without an error.

    The temporary file has the suffix of ``path``. Whatever fails, an old file at ``path`` stays as it was and nothing
    is left behind. Raises HRNetError when ``path`` cannot be written, be it before or after the block's own work.
    """
    target = Path(os.path.realpath(path))  # a link stays a link, its target is replaced
    temporary = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    if os.path.exists(target) and not os.path.isfile(target):
        raise HRNetError(f"{path} cannot be written, it is not a regular file: choose another name")
    try:
        temporary.open("xb").close()
    except (OSError, ValueError) as error:
        raise _unwritable(path, target.parent, error) from error
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise _unwritable(path, target.parent, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_image(path: str | Path, rgb: np.ndarray) -> None:
    """Write a picture, whole or not at all, in the format of its suffix: .png (lossless), .jpg, .jpeg or .webp.

    ``rgb`` is anything that ``as_rgb`` accepts. Raises HRNetError for another suffix, for a side too long for the
    format, and as ``replacing`` does.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise HRNetError(f"{path} has the suffix '{suffix}', expected one of {', '.join(_WRITERS)}: rename it")
    image = Image.fromarray(np.ascontiguousarray(as_rgb(rgb)))
    form, longest = _WRITERS[suffix]
    if max(image.size) > longest:
        raise HRNetError(
            f"{path} cannot hold {image.width} x {image.height} pixels, {form} ends at {longest}: use .png"
        )
    with replacing(path) as temporary:
        image.save(temporary, format=form, quality=95)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all. Raises HRNetError as ``replacing`` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file, whole or not at all. Raises HRNetError as ``replacing`` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def output_folder(path: str | Path) -> Path:
    """Create a folder, with its parents, unless it exists, and prove by writing that files can be put into it.

    Raises HRNetError when that fails.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")
    except (OSError, ValueError) as error:
        raise HRNetError(f"{path} cannot be used as an output folder ({_reason(error)}): choose another one") from error
    return folder


def _load(path: str | Path, most: int = -1) -> tuple[bytes, type[ImageFile], bytes]:
    """Read a file that begins like a picture: its bytes (no more than about `most`), its reader and its end mark."""
    try:
        if os.path.isdir(path):
            raise HRNetError(f"{path} is a folder, expected a picture: name a file in it")
        if os.path.exists(path) and not os.path.isfile(path):
            raise HRNetError(f"{path} is not a regular file: save the picture to a file first")
        with open(path, "rb") as file:
            head = file.read(16)
            for start, reader, end_mark in _READERS:
                if head.startswith(start) and (start != b"RIFF" or head[8:12] == b"WEBP"):
                    return head + file.read(most), reader, end_mark
    except FileNotFoundError as error:
        raise HRNetError(f"{path} does not exist: check the name and the folder") from error
    except (OSError, ValueError) as error:
        raise HRNetError(f"{path} cannot be read ({_reason(error)}): check its name and permissions") from error
    if not head:
        raise HRNetError(f"{path} is empty: copy or download it again")
    raise HRNetError(f"{path} is not a JPEG, PNG, WebP, GIF, BMP or TIFF picture: convert it to one of these")


def _decoded_by_opencv(image: ImageFile, data: bytes) -> np.ndarray | None:
    """The pixels of an everyday JPEG or WebP, which OpenCV decodes faster and to the same bits; else None.

    What OpenCV refuses is left to Pillow, whose refusals say why.
    """
    everyday = isinstance(image, JpegImageFile) and image.mode in ("RGB", "L")
    still = isinstance(image, WebPImageFile) and not getattr(image, "is_animated", True)
    if not everyday and not still:
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if pixels is None or pixels.shape[1::-1] != image.size:
        return None
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def _decoded_by_pillow(path: str | Path, image: ImageFile) -> np.ndarray:
    """The pixels of any other picture, grey repeated, alpha dropped and 16 bits reduced."""
    image.load()  # a TIFF is turned here whatever the caller says, as cv2 does: its orientation is part of the layout
    if image.mode in ("I", "F"):
        raise HRNetError(f"{path} holds 32-bit values, expected 8 or 16 bits: save it as an 8-bit PNG or JPEG")
    if image.mode.startswith("I;16"):
        return as_rgb(np.array(image))
    # Left in place, a palette's transparency makes Pillow warn; alpha is dropped in any case.
    image.info.pop("transparency", None)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # as many types as for the pixels; a broken tag must not cost a whole picture
        return 1


def _expand(given: str) -> list[Path]:
    if os.path.isdir(given):
        try:
            files = sorted(path for path in Path(given).iterdir() if path.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise HRNetError(f"{given} cannot be listed ({_reason(error)}): check its permissions") from error
        # Hidden ones are no pictures but their shadows, such as the ._ files of macOS.
        files = [path for path in files if path.is_file() and not path.name.startswith(".")]
        if not files:
            raise HRNetError(f"{given} holds no pictures ({', '.join(SUFFIXES)}): name another folder or a pattern")
        return files
    if given and (os.path.lexists(given) or not any(sign in given for sign in "*?[")):
        return [Path(given)]
    files = [Path(match) for match in sorted(glob.glob(given, recursive=True)) if os.path.isfile(match)]
    if not files:
        raise HRNetError(f"no file matches '{given}': check the pattern and the folder it starts from")
    return files


def _too_large(path: str | Path, detail: str) -> HRNetError:
    return HRNetError(f"{path} is too large ({detail}), at most {MAX_PIXELS:,} pixels are read: reduce it first")


def _damaged(path: str | Path, error: Exception) -> HRNetError:
    detail = str(error) or type(error).__name__
    return HRNetError(f"{path} is damaged or cut short ({detail}): copy, download or export it again")


def _unwritable(path: str | Path, folder: Path, error: Exception) -> HRNetError:
    if not folder.is_dir():
        return HRNetError(f"{path} cannot be written, {folder} is not an existing folder: create it or choose another")
    return HRNetError(f"{path} cannot be written ({_reason(error)}): choose another name or folder, or free some space")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
