"""Faults that only the pictures show: missing, damaged, of another size, or nearly the same in two splits."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from hrnet.doctor.findings import Finding
from hrnet.doctor.labels import Labels
from hrnet.errors import HRNetError
from hrnet.images import read_image

SIDE = 16  # of the thumbnails that are compared
ALIKE = 0.95  # correlation of nearly equal pictures; of strangers the closest have 0.89 in LSPET, 0.93 in bees
PLAIN = 4.0  # grey levels: what varies less has no look to compare


def picture_faults(
    labels: Labels, progress: Callable[[int], None] = lambda count: None
) -> tuple[list[Finding], np.ndarray]:
    """Decode every picture: the faults found, and thumbnails (N, 256), NaN where a picture has none to compare."""
    found, thumbnails = [], np.full((len(labels.images), SIDE * SIDE), np.nan, np.float32)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for k, seen in enumerate(pool.map(look, labels.pictures)):
            progress(1)
            image, picture = labels.images[k], labels.pictures[k]
            if isinstance(seen, HRNetError):
                missing = isinstance(picture, Path) and not picture.exists()
                kind = "picture-missing" if missing else "picture-unreadable"
                found.append(Finding(kind, labels.name, image["id"], None, str(seen)))
                continue
            size, thumbnails[k] = seen
            stated = image.get("width"), image.get("height")
            if any(stated) and stated != size:
                says = f"stated {stated[0]} x {stated[1]}, the file has {size[0]} x {size[1]}"
                found.append(Finding("size-mismatch", labels.name, image["id"], None, says))
    return found, thumbnails


def look(picture: Path | np.ndarray) -> tuple[tuple[int, int], np.ndarray] | HRNetError:
    """A picture's width and height, and its thumbnail (256,) of length 1; or why it cannot be read."""
    try:
        pixels = read_image(picture, turn_by_exif=False) if isinstance(picture, Path) else picture
    except HRNetError as error:
        return error
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    thumbnail = small / np.linalg.norm(small) if small.std() >= PLAIN else np.full(SIDE * SIDE, np.nan, np.float32)
    return (pixels.shape[1], pixels.shape[0]), thumbnail


def near_duplicates(parts: Sequence[tuple[Labels, np.ndarray]]) -> list[Finding]:
    """Pictures of one split that nearly equal one of an earlier split, as they are or mirrored."""
    found = []
    for k, (labels, thumbnails) in enumerate(parts):
        for other, others in parts[:k]:
            there = np.flatnonzero(np.isfinite(others[:, 0]))
            mirrored = others[there].reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(-1, SIDE * SIDE)
            for i in np.flatnonzero(np.isfinite(thumbnails[:, 0])) if len(there) else ():
                likeness = np.maximum(others[there] @ thumbnails[i], mirrored @ thumbnails[i])
                j = int(likeness.argmax())
                if likeness[j] > ALIKE:
                    twin = other.images[there[j]]
                    says = f"nearly picture {twin['id']} ({twin['file_name']}) of {other.name}, {likeness[j]:.3f} alike"
                    found.append(
                        Finding("near-duplicate", labels.name, labels.images[i]["id"], None, says, float(likeness[j]))
                    )
    return found
