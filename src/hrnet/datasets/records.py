"""Records: annotated pictures as training, scoring and checks see them; nothing is decoded until asked."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.skeleton import Skeleton
from hrnet.images import read_image


@dataclass(frozen=True)
class Person:
    """One annotated person, in pixels of the picture as stored (EXIF orientation not applied).

    `box` is x1, y1, x2, y2. `keypoints` (K, 2) and `visibility` (K,) follow the data set's skeleton; visibility is
    COCO's: 0 not labelled (coordinates mean nothing), 1 labelled but hidden, 2 visible. `area` is the segment's, in
    square pixels. `pseudo` marks labels made by a machine. `head` is the box x1, y1, x2, y2 of the head, where a set
    gives one (MPII, for PCKh).
    """

    box: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    area: float
    id: int | str
    crowd: bool = False
    pseudo: bool = False
    head: np.ndarray | None = None


@dataclass(frozen=True)
class Record:
    """One annotated picture: where it lies (or its pixels, for drawn ones), its size and its people."""

    image: Path | np.ndarray
    width: int
    height: int
    id: int | str
    people: tuple[Person, ...]

    @property
    def name(self) -> str:
        """File name, or the id of a drawn picture."""
        return self.image.name if isinstance(self.image, Path) else str(self.id)

    @property
    def boxes(self) -> np.ndarray:
        """(P, 4) x1, y1, x2, y2 of the people that are no crowd."""
        return np.array([person.box for person in self.people if not person.crowd], float).reshape(-1, 4)

    def read(self) -> np.ndarray:
        """Pixels as (H, W, 3) RGB uint8. EXIF orientation is not applied: annotations refer to stored pixels."""
        return read_image(self.image, turn_by_exif=False) if isinstance(self.image, Path) else self.image


@dataclass(frozen=True)
class PoseData:
    """A data set, or one split of it: its records and the skeleton that their keypoints follow.

    `metric` is what the set is scored by: "PCK", "PCKh", or "AP", which becomes PCK where the skeleton has no sigmas.
    `truth` is the content of a COCO-style file, which the COCO protocol scores against as it stands.
    `complete` says that everybody in a picture is annotated, or marked as not.
    """

    name: str
    skeleton: Skeleton
    records: tuple[Record, ...]
    metric: str
    truth: dict[str, Any] | None = None
    complete: bool = True

    @property
    def headline(self) -> str:
        """The figure by which weights are judged on this set."""
        if self.metric == "AP" and self.skeleton.sigmas:
            return "AP"
        if self.metric == "PCKh":
            return "PCKh@0.5"
        return "PCK@0.2" if self.skeleton.torso else "PCK@0.1"

    def without(self, stems: tuple[str, ...]) -> "PoseData":
        """The set less the pictures whose file name, its ending aside, is listed."""
        kept = tuple(record for record in self.records if Path(record.name).stem not in stems)
        return replace(self, records=kept)
