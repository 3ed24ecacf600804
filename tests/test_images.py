"""Reading pictures of every usual and unusual kind, and writing files whole or not at all."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hrnet.errors import HRNetError, nearest
from hrnet.images import (
    as_rgb,
    find_images,
    output_folder,
    picture_size,
    read_image,
    replacing,
    write_bytes,
    write_image,
    write_text,
)

ramp = np.arange(12 * 8, dtype=np.uint8).reshape(12, 8)
RGB = np.stack([ramp * 2, 255 - ramp, ramp // 3], axis=2)
DEEP = (RGB.astype(np.uint16) << 8) | 0xA7
PALETTE = Image.fromarray(RGB).quantize(16)
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def encoded(image: Image.Image | np.ndarray, form: str, **options: object) -> bytes:
    stream = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_rgb_png() -> bytes:
    return png(8, 12, 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in DEEP))


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def grey(array: np.ndarray) -> np.ndarray:
    return np.repeat(array[:, :, None], 3, axis=2)


def jpeg(image: Image.Image) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(encoded(image, "JPEG"))).convert("RGB"))


PHOTO = Image.fromarray(RGB)
ALPHA = Image.fromarray(np.dstack([RGB, ramp]))
BLACK_AND_WHITE = Image.fromarray((ramp % 3 > 0).astype(np.uint8) * 255).convert("1")

GOOD = {
    "rgb.png": (encoded(RGB, "PNG"), RGB),
    "grey.png": (encoded(ramp, "PNG"), grey(ramp)),
    "grey.jpg": (encoded(ramp, "JPEG"), jpeg(Image.fromarray(ramp))),
    "16-bit-grey.png": (encoded(DEEP[..., 0], "PNG"), grey(RGB[..., 0])),
    "16-bit-grey.tif": (encoded(DEEP[..., 0], "TIFF"), grey(RGB[..., 0])),
    "16-bit-rgb.png": (deep_rgb_png(), RGB),
    "cmyk.jpg": (encoded(PHOTO.convert("CMYK"), "JPEG"), jpeg(PHOTO.convert("CMYK"))),
    "alpha.png": (encoded(ALPHA, "PNG"), RGB),
    "alpha.webp": (encoded(ALPHA, "WEBP", lossless=True, exact=True), RGB),
    "grey-alpha.png": (encoded(ALPHA.convert("LA"), "PNG"), np.asarray(PHOTO.convert("L").convert("RGB"))),
    "palette.png": (encoded(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB"))),
    "clear.png": (encoded(PALETTE, "PNG", transparency=bytes(range(0, 160, 10))), np.asarray(PALETTE.convert("RGB"))),
    "one-pixel.png": (encoded(RGB[:1, :1], "PNG"), RGB[:1, :1]),
    "wide.png": (encoded(np.full((2, 3000, 3), 9, np.uint8), "PNG"), np.full((2, 3000, 3), 9, np.uint8)),
    "bilevel.png": (encoded(BLACK_AND_WHITE, "PNG"), np.asarray(BLACK_AND_WHITE.convert("RGB"))),
    "bilevel.tif": (encoded(BLACK_AND_WHITE, "TIFF"), np.asarray(BLACK_AND_WHITE.convert("RGB"))),
    "Größe 图像 😀.bmp": (encoded(RGB, "BMP"), RGB),
    "wrong-suffix.jpg": (encoded(RGB, "WEBP", lossless=True), RGB),
    "frames.gif": (
        encoded(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)]),
        np.asarray(PALETTE.convert("RGB")),
    ),
    "frames.tif": (encoded(PHOTO, "TIFF", save_all=True, append_images=[PHOTO.rotate(180)]), RGB),
    "frames.webp": (encoded(PHOTO, "WEBP", lossless=True, save_all=True, append_images=[PHOTO.rotate(180)]), RGB),
    "broken-exif.png": (encoded(RGB, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), RGB),
    "deep-turned.png": (encoded(DEEP[..., 0], "PNG", exif=exif(6)), grey(np.rot90(RGB[..., 0], -1))),
}

whole = {form: encoded(NOISE, form) for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")}
whole["progressive JPEG"] = encoded(NOISE, "JPEG", progressive=True)
whole["lossless WEBP"] = encoded(NOISE, "WEBP", lossless=True)
CUTS = {
    f"{form} cut at {kept:.0%}": (data[: int(len(data) * kept)], ["cut short", "again"])
    for form, data in whole.items()
    for kept in (0.1, 0.5, 0.9, 0.99)
}
BLANKS = {
    f"{form} blank from half": (whole[form][: len(whole[form]) // 2].ljust(size, b"\0"), ["cut short", "again"])
    for form, size in (("JPEG", 100_000), ("progressive JPEG", 100_000), ("PNG", 100_000))
}
REFUSED = {
    **CUTS,
    **BLANKS,
    "empty": (b"", ["empty", "again"]),
    "text": (b"not a picture at all", ["not a JPEG, PNG", "convert"]),
    "signature only": (whole["PNG"][:8], ["cut short"]),
    "RIFF that is sound": (b"RIFF\x24\0\0\0WAVEfmt ", ["not a JPEG, PNG"]),
    "huge PNG": (png(20_000, 20_000, 8, 2, b""), ["20000 x 20000", "200,000,000", "reduce"]),
    "huge WebP": (b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\0\xff\xff\0", ["too large", "reduce"]),
    "32-bit floats": (encoded(np.zeros((4, 4), np.float32), "TIFF"), ["32-bit", "8-bit PNG"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_reads(name: str, tmp_path: Path) -> None:
    data, expected = GOOD[name]
    (tmp_path / name).write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(tmp_path / name)
    assert image.dtype == np.uint8
    assert image.flags.writeable and image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_in_one_sentence(name: str, tmp_path: Path) -> None:
    data, words = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(HRNetError) as refusal:
            read_image(path)
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert all(word in sentence for word in [str(path), *words]), sentence


@pytest.mark.parametrize("form", whole)
def test_a_cut_file_is_never_half_decoded(form: str, tmp_path: Path) -> None:
    path, data = tmp_path / "cut", whole[form]
    path.write_bytes(data)
    complete = read_image(path)
    for kept in {*range(0, len(data), len(data) // 25), *range(len(data) - 20, len(data))}:
        path.write_bytes(data[:kept])
        try:
            image = read_image(path)
        except HRNetError:
            continue
        np.testing.assert_array_equal(image, complete)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.png", ["does not exist", "check"]),
        ("", ["is a folder"]),
        ("file.png/inner.png", ["cannot be read", "check"]),
        ("nul\0.png", ["cannot be read"]),
        ("x" * 300, ["cannot be read"]),
    ],
)
def test_refuses_a_path(name: str, words: list[str], tmp_path: Path) -> None:
    write_image(tmp_path / "file.png", RGB)
    with pytest.raises(HRNetError) as refusal:
        read_image(f"{tmp_path}/{name}")
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo") or not hasattr(os, "geteuid"), reason="needs POSIX")
def test_refuses_a_pipe_and_a_forbidden_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HRNetError, match="not a regular file"):
        read_image(tmp_path / "pipe")
    with pytest.raises(HRNetError, match="not a regular file"):
        write_bytes(tmp_path / "pipe", b"")
    if os.geteuid() != 0:  # root reads everything
        (tmp_path / "secret").touch(mode=0)
        with pytest.raises(HRNetError, match=r"secret cannot be read .*permissions"):
            read_image(tmp_path / "secret")


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, RGB),
        (2, RGB[:, ::-1]),
        (3, RGB[::-1, ::-1]),
        (4, RGB[::-1]),
        (5, RGB.swapaxes(0, 1)),
        (6, np.rot90(RGB, -1)),
        (7, RGB[::-1, ::-1].swapaxes(0, 1)),
        (8, np.rot90(RGB)),
        (9, RGB),
    ],
)
def test_stands_photographs_upright_but_not_data_sets(orientation: int, upright: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "turned.webp"
    path.write_bytes(encoded(RGB, "WEBP", lossless=True, exif=exif(orientation)))
    np.testing.assert_array_equal(read_image(path), upright)
    np.testing.assert_array_equal(read_image(path, turn_by_exif=False), RGB)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"exif": exif(6)}])
def test_jpeg_pixels_are_those_of_cv2(options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(NOISE[:50], "JPEG", **options))
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]
    np.testing.assert_array_equal(read_image(path, turn_by_exif=False), expected)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_do_not_depend_on_the_decoder(form: str, mode: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(12):
        size = tuple(rng.integers(1, 90, 2))
        photo = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).convert(mode)
        (tmp_path / "photo").write_bytes(encoded(photo, form, quality=int(rng.integers(20, 100))))
        expected = np.asarray(Image.open(tmp_path / "photo").convert("RGB"))
        np.testing.assert_array_equal(read_image(tmp_path / "photo"), expected, err_msg=str(number))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_reads_in_many_threads(tmp_path: Path) -> None:
    for name, (data, _) in GOOD.items():
        (tmp_path / name).write_bytes(data)
    names = list(GOOD) * 4
    with ThreadPoolExecutor(8) as pool:
        images = pool.map(read_image, [tmp_path / name for name in names])
        assert all(np.array_equal(image, GOOD[name][1]) for name, image in zip(names, images, strict=True))


def test_picture_size_is_that_of_the_stored_pixels(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(encoded(RGB, "JPEG", exif=exif(6)))
    assert picture_size(path) == (8, 12)
    path.write_bytes(whole["PNG"][:12])
    with pytest.raises(HRNetError, match=r"turned\.jpg is damaged or cut short"):
        picture_size(path)


def test_as_rgb_treats_arrays_like_files() -> None:
    assert as_rgb(RGB) is RGB
    for array, expected in [
        (ramp, grey(ramp)),
        (ramp[:, :, None], grey(ramp)),
        (np.asarray(ALPHA), RGB),
        (DEEP, RGB),
        (DEEP[..., 0].astype(">u2"), grey(RGB[..., 0])),
    ]:
        np.testing.assert_array_equal(as_rgb(array), expected)


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (RGB / 255, "float64 of shape (12, 8, 3)"),
        (RGB.astype(np.int16), "int16"),
        (RGB.transpose(2, 0, 1), "shape (3, 12, 8)"),
        (RGB[None], "shape (1, 12, 8, 3)"),
        (RGB[:0], "shape (0, 8, 3)"),
        (RGB[..., :2], "shape (12, 8, 2)"),
        (np.ones((), np.uint8), "uint8 of shape ()"),
        ("photo.jpg", "got str: read a file with read_image"),
    ],
)
def test_as_rgb_says_what_it_expected_and_got(array: np.ndarray, got: str) -> None:
    with pytest.raises(HRNetError) as refusal:
        as_rgb(array)
    assert "(H, W, 3)" in str(refusal.value) and got in str(refusal.value)


def test_find_images_expands_in_order_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "a.png", "notes.txt", "._a.png", "x[1].png", "x1.png", "deep/c.webp", "empty/d.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()

    def found(*inputs: str | Path) -> list[str]:
        paths, errors = find_images(inputs)
        assert not errors
        return [path.as_posix() for path in paths]

    assert found(tmp_path) == [(tmp_path / name).as_posix() for name in ("a.png", "b.JPG", "x1.png", "x[1].png")]
    assert found("gone.jpg", "deep", Path("a.png")) == ["gone.jpg", "deep/c.webp", "a.png"]
    assert found("x[1].png") == ["x[1].png"]
    assert found("x*.png", tmp_path / "x1.png", "./x1.png") == ["x1.png", "x[1].png"]
    assert found("**/*.webp") == ["deep/c.webp"]

    paths, errors = find_images(["empty", "*.gif", "a.png", ""])
    assert paths == [Path("a.png")]
    assert [str(error).split(":")[0] for error in errors[1:]] == ["no file matches '*.gif'", "no file matches ''"]
    assert "empty holds no pictures (.jpg" in str(errors[0])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_png_round_trip(tmp_path: Path, height: int, width: int, channels: int, seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    write_image(tmp_path / "picture.png", array)
    np.testing.assert_array_equal(read_image(tmp_path / "picture.png"), as_rgb(array))


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".webp"])
def test_writes_lossy_formats_closely(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"图{suffix}"
    flat = np.full((20, 30, 3), (200, 100, 50), np.uint8)
    write_image(path, flat[:, ::-1])
    assert np.abs(read_image(path).astype(int) - flat).max() <= 4


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    write_text(path, "öld\n")
    for interruption in (KeyboardInterrupt, ValueError):
        with pytest.raises(interruption), replacing(path) as temporary:
            assert temporary.parent == tmp_path and temporary.suffix == ".txt"
            temporary.write_text("half")
            raise interruption
    with pytest.raises(HRNetError, match=r"result.txt cannot be written \(No space left\)"), replacing(path):
        raise OSError(28, "No space left")
    assert path.read_bytes() == "öld\n".encode()
    with path.open(encoding="utf-8") as still_reading:
        write_text(path, "new")
        assert still_reading.read() == "öld\n"  # replaced, not overwritten
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["result.txt"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX links and permissions")
def test_a_replaced_file_keeps_its_link_and_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "text"
    assert (tmp_path / "real").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda folder: write_text(folder / "gone" / "a.txt", ""), ["gone is not an existing folder", "create"]),
        (lambda folder: write_text(folder / "file" / "a.txt", ""), ["file is not an existing folder"]),
        (lambda folder: write_text(folder, ""), ["not a regular file", "another name"]),
        (lambda folder: write_image(folder / "a.xyz", RGB), ["'.xyz'", ".png, .jpg"]),
        (lambda folder: write_image(folder / "a.webp", RGB[:1].repeat(2100, 1)), ["16800 x 1", "16383", ".png"]),
        (lambda folder: output_folder(folder / "file"), ["output folder", "choose another"]),
        (lambda folder: output_folder(folder / "file" / "inner"), ["output folder", "choose another"]),
    ],
)
def test_refuses_to_write(write: Callable[[Path], object], words: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(HRNetError) as refusal:
        write(tmp_path)
    assert all(word in str(refusal.value) for word in [str(tmp_path), *words]), str(refusal.value)
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "kept"


def test_output_folder_is_created_with_its_parents_and_left_empty(tmp_path: Path) -> None:
    folder = output_folder(str(tmp_path / "a" / "b"))
    assert folder == output_folder(folder) == tmp_path / "a" / "b"
    assert not os.listdir(folder)


def test_nearest_names_the_likely_and_the_known() -> None:
    assert nearest("W48", ["w32", "w48"]) == "did you mean 'w48'? Known: w32, w48"
    assert nearest("zebra", ["w32", "w48"]) == "Known: w32, w48"
