"""Records: annotated pictures as training, scoring and checks see them; nothing is decoded until asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.skeleton import Skeleton
from hrnet.errors import HRNetError
from hrnet.geometry import extent_of
from hrnet.images import read_image


@dataclass(frozen=True)
class Person:
    """One annotated person, in pixels of the picture as stored (EXIF orientation not applied).

    `box` is x1, y1, x2, y2. `keypoints` (K, 2) and `visibility` (K,) follow the data set's skeleton; visibility is
    COCO's: 0 not labelled (coordinates mean nothing), 1 labelled but hidden, 2 visible. `area` is the segment's, in
    square pixels. `pseudo` marks labels made by a machine. `head` is the head's box x1, y1, x2, y2, where a set gives
    one (MPII, PoseTrack), `segment` the outline as COCO writes it, polygons or run lengths.
    """

    box: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    area: float
    id: int | str
    crowd: bool = False
    pseudo: bool = False
    head: np.ndarray | None = None
    segment: Any = None


MARGIN = 0.15  # a box made of keypoints is their extent and this share of it on each side, as in PoseTrack


def box_around(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The box x1, y1, x2, y2 of a person of whom only keypoints (N, 2) are known, within a picture (width, height)."""
    extent = extent_of(points)
    margin = MARGIN * (extent[2:] - extent[:2])
    far = [side or np.inf for side in size]
    return np.concatenate([np.maximum(extent[:2] - margin, 0), np.minimum(extent[2:] + margin, far)])


@dataclass(frozen=True)
class Record:
    """One annotated picture: where it lies (or its pixels, for drawn ones), its size and its people.

    Width and height are 0 where neither the annotations nor the picture's own header could say.
    """

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
    `complete` says that everybody in a picture is annotated, or marked as not. `boxes` are those of a detector by
    record id, (P, 4) x1, y1, x2, y2 and scores (P,): people are looked for in them, not in their own.
    """

    name: str
    skeleton: Skeleton
    records: tuple[Record, ...]
    metric: str
    truth: dict[str, Any] | None = None
    complete: bool = True
    boxes: Mapping[int | str, tuple[np.ndarray, np.ndarray]] | None = None

    @cached_property
    def labelled(self) -> bool:
        """Whether anybody has a labelled keypoint; a test set's people have none."""
        return any(person.visibility.any() and not person.crowd for record in self.records for person in record.people)

    @property
    def headline(self) -> str:
        """The figure by which weights are judged on this set."""
        if self.metric == "AP" and self.skeleton.sigmas:
            return "AP"
        if self.metric == "PCKh":
            return "PCKh@0.5"
        return "PCK@0.2" if self.skeleton.torso else "PCK@0.1"

    def demand_shared(self, skeleton: Skeleton) -> None:
        """Raise `HRNetError` where a network with this skeleton has no keypoint in common with the set's labels."""
        if set(skeleton.keypoints).isdisjoint(self.skeleton.keypoints):
            raise HRNetError(
                f"{self.name} labels {', '.join(self.skeleton.keypoints[:3])} and so on, none of the {len(skeleton)} "
                f"keypoints of the network ({skeleton.name}): train one with model.skeleton=FILE, which hrnet "
                "init-skeleton writes from the labels"
            )

    def without(self, stems: tuple[str, ...]) -> "PoseData":
        """The set less the pictures whose file name, its ending aside, is listed."""
        kept = tuple(record for record in self.records if Path(record.name).stem not in stems)
        return replace(self, records=kept)
