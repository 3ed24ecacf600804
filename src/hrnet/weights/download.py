"""One file from an address: with progress, gone on with after a cut, checked, and put in place whole or not at all."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hrnet.errors import HRNetError

if TYPE_CHECKING:
    import httpx

TRIES = 4  # in a row, without a byte gained
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 30.0

Progress = Callable[[int, int | None], None]


def download(url: str, target: Path, sha256: str = "", progress: Progress | None = None) -> None:
    """Fetch an address into a file, unless the file is there; a second process waits for the first.

    What has come lies in `NAME.part` beside the target, and a later call goes on from there. `sha256` is the hash, or
    its beginning. `progress(bytes, of)` is called on the way. Raises `HRNetError` where the address
    cannot be reached, has no such file, breaks off again and again, or gives a file of another hash.
    """
    from filelock import FileLock

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if target.exists():
                return
            part = target.with_name(f"{target.name}.part")
            for fresh in (False, True):
                resumed = part.exists() and not fresh
                fetch(url, part, bool(sha256), progress or (lambda done, of: None))
                found = digest(part)
                if found.startswith(sha256):
                    part.replace(target)
                    etag_file(part).unlink(missing_ok=True)
                    return
                part.unlink()
                if not resumed:
                    break
            raise HRNetError(
                f"{url} gave a file whose SHA-256 begins with {found[:8]}, expected {sha256}; it was removed: try again"
                ", or fetch it by another way and run 'hrnet models --add FILE'"
            )
    except OSError as error:
        raise HRNetError(
            f"{target} cannot be written ({error.strerror or error}): free some space, or set HRNET_CACHE"
        ) from None


def fetch(url: str, part: Path, checked: bool, progress: Progress) -> None:
    """Bring `part` to the full length of what lies at the address, going on from what is there."""
    import httpx

    failures, have = 0, part.stat().st_size if part.exists() else 0
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    with httpx.Client(follow_redirects=True, timeout=timeout, headers={"Accept-Encoding": "identity"}) as client:
        while True:
            try:
                if stream(client, url, part, checked, progress):
                    return
                reason = "the connection was closed"
            except httpx.InvalidURL as error:
                raise HRNetError(f"{url} is no address ({error}): check it") from None
            except httpx.HTTPError as error:
                reason = str(error) or type(error).__name__
            now = part.stat().st_size if part.exists() else 0
            failures, have = (0, now) if now > have else (failures + 1, now)
            if failures >= TRIES:
                raise broken_off(url, have, reason)


def broken_off(url: str, have: int, reason: str) -> HRNetError:
    """What to do when an address is silent, before or after something came."""
    if have:
        return HRNetError(f"{url} broke off after {have / 1e6:.1f} MB ({reason}): call again to go on from there")
    return HRNetError(
        f"{url} cannot be reached ({reason}): check the connection, or fetch the file on another machine and run "
        "'hrnet models --add FILE' here"
    )


def stream(client: "httpx.Client", url: str, part: Path, checked: bool, progress: Progress) -> bool:
    """One request for what is missing; whether the file is then whole. Raises `httpx.HTTPError` when it breaks off."""
    have, etag = part.stat().st_size if part.exists() else 0, etag_file(part)
    headers = {}
    if have and etag.exists():
        headers = {"Range": f"bytes={have}-", "If-Range": etag.read_text()}
    elif have and checked:  # without a mark of its version, only the hash can tell that the halves belong together
        headers = {"Range": f"bytes={have}-"}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            part.unlink()
            return False
        if response.status_code in (429, 500, 502, 503, 504):
            return False
        if response.status_code not in (200, 206):
            raise HRNetError(
                f"{url} answers {response.status_code} {response.reason_phrase}: the file may have moved; fetch it by "
                "another way and run 'hrnet models --add FILE'"
            )
        going_on = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(
            f"bytes {have}-"
        )
        if response.status_code == 206 and not going_on:
            part.unlink()
            return False
        have = have if going_on else 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        room_for(part, (total or have) - have)
        mark(etag, response.headers.get("ETag", ""))
        with part.open("ab" if going_on else "wb") as file:
            for chunk in response.iter_raw():  # by size, httpx would keep back what came before a cut
                have += file.write(chunk)
                progress(have, total)
    return total is None or have == total


def mark(etag: Path, version: str) -> None:
    """Remember the version of what is being fetched; a weak one says nothing about bytes."""
    if version and not version.startswith("W/"):
        etag.write_text(version)
    else:
        etag.unlink(missing_ok=True)


def etag_file(part: Path) -> Path:
    """Where the version of a part is kept."""
    return part.with_name(f"{part.name}.etag")


def room_for(part: Path, nbytes: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    free = shutil.disk_usage(part.parent).free
    if nbytes > free:
        raise HRNetError(
            f"{part.parent} has {free / 1e6:.0f} MB free, the download needs {nbytes / 1e6:.0f} MB: free some space, "
            "or set HRNET_CACHE to another folder"
        )


def digest(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
