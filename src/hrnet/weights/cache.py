"""Where downloaded weights lie, and how they get there."""

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hrnet.errors import HRNetError
from hrnet.images import replacing
from hrnet.weights.download import Progress, digest, download
from hrnet.weights.zoo import Entry, by_hand

LOG = logging.getLogger("hrnet")


def folder() -> Path:
    """The cache folder: the environment variable HRNET_CACHE, or the user's cache folder of the system."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("HRNET_CACHE")
    return Path(chosen) if chosen else user_cache_path("hrnet") / "weights"


def cached(entry: Entry) -> Path | None:
    """The file of an entry where it is here, else None."""
    path = folder() / entry.file
    return path if path.is_file() else None


def obtain(entry: Entry) -> Path:
    """The file of an entry, downloaded where it is not here yet.

    Raises `HRNetError` where it cannot be downloaded, with what to do instead.
    """
    here = cached(entry)
    if here is not None:
        return here
    if entry.source is None:
        raise by_hand(entry)
    target = folder() / entry.file
    with shown(entry.file) as progress:
        download(entry.source, target, entry.sha256, progress)
    return target


def keep(file: Path, entry: Entry) -> Path:
    """Copy a file into the cache as that of an entry, after checking its hash where the entry's name carries one."""
    found = digest(file)
    if not found.startswith(entry.sha256):
        raise HRNetError(
            f"{file} is not the file of {entry.name}: its SHA-256 begins with {found[:8]}, expected {entry.sha256}: "
            "download it again"
        )
    target = folder() / entry.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HRNetError(f"{target.parent} cannot be created ({error.strerror}): set HRNET_CACHE to a folder") from None
    if not (target.exists() and target.samefile(file)):
        with replacing(target) as temporary:
            shutil.copyfile(file, temporary)
    return target


@contextmanager
def shown(title: str) -> Iterator[Progress]:
    """Progress as a bar where errors go to a terminal, else as one line in the log."""
    if not sys.stderr.isatty():
        LOG.info("downloading %s", title)
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
