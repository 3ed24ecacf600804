"""Where the pictures of an annotation file lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hrnet.errors import HRNetError
from hrnet.images import picture_size

PLACES = (".", "images", "../images", "..", "../..", "../../..")
TRIED = 20  # names by which a folder is known, as single pictures may be missing


@dataclass(frozen=True)
class Pictures:
    """A folder of pictures; `bare` where it holds them by the last part of their names alone."""

    folder: Path
    bare: bool = False

    def path(self, name: str) -> Path:
        """The file of a picture, as an annotation file names it."""
        return self.folder / (last_part(name) if self.bare else plain(name))

    def size(self, image: dict[str, Any], source: Path) -> tuple[int, int]:
        """Width and height as an entry of a COCO-style file states them; where it does not, the picture's own."""
        name, width, height = image["file_name"], image.get("width"), image.get("height")
        if not width or not height:
            return stored_size(self.path(name))
        try:
            return int(width), int(height)
        except (TypeError, ValueError):
            raise HRNetError(
                f"{source}, picture {name}: expected width and height in pixels, found {width!r} and {height!r}"
            ) from None


def find_pictures(path: Path, names: Sequence[str], images: Sequence[Path] = ()) -> Pictures:
    """Find a file's pictures by their names: in one of `images`, beside the file, or in the usual folders near it.

    Usual are images/, ../images/ and what is up to three folders above; for `person_keypoints_SET.json` also SET in
    these. Where names hold folders that are not there (as labelling tools export them), their last part is looked for.
    Of several places the one with most of the first names wins, earlier places first.
    """
    subset = path.stem.rpartition("_")[2]
    usual = [path.parent / place for place in PLACES]
    places = [*images, *usual, *(place / subset for place in usual if (place / subset).is_dir())]
    tried = names[:TRIED]
    candidates = [Pictures(place, bare) for bare in (False, True) for place in places]
    counts = [sum(candidate.path(name).is_file() for name in tried) for candidate in candidates]
    best = max(range(len(candidates)), key=lambda k: counts[k])
    if counts[best]:
        return candidates[best]
    looked = ", ".join(str(place) for place in places)
    first = tried[0] if tried else "?"
    raise HRNetError(
        f"{path}: its picture {first} was not found; looked in {looked}; name the folder with --images DIR"
    )


def stored_size(picture: Path) -> tuple[int, int]:
    """Width and height from a picture's header; 0, 0 where it cannot be read, which is told when it is decoded."""
    try:
        return picture_size(picture)
    except HRNetError:
        return 0, 0


def plain(name: str) -> str:
    """A name with slashes, whatever system it was written on."""
    return str(name).replace("\\", "/")


def last_part(name: str) -> str:
    """The name itself, less its folders, or less the address that it was uploaded to."""
    return PurePosixPath(plain(name).partition("?")[0]).name
