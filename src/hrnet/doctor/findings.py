"""What can be wrong with a data set, and what each fault leads to."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]

# kind -> how bad, and what it leads to. An error is refused, dropped or learnt wrongly; a warning should be looked at.
KINDS: dict[str, tuple[Severity, str]] = {
    "picture-missing": ("error", "the file is not there: its people are lost to training, evaluation stops"),
    "picture-unreadable": ("error", "the file is damaged or no picture: its people are lost, evaluation stops"),
    "size-mismatch": ("error", "labels were made for a picture of another size: every point is off"),
    "duplicate-id": ("error", "two entries share an id: results cannot be told apart"),
    "unknown-picture": ("error", "the annotation belongs to a picture that the file does not list: it is refused"),
    "keypoint-count": ("error", "too many or too few numbers for the keypoints: it is refused"),
    "not-numbers": ("error", "a box or keypoints that are no finite numbers: it is refused or spoils training"),
    "visibility-unset": ("error", "coordinates are there but every visibility is 0: all count as not labelled"),
    "box-empty": ("error", "the box has no width or height: the person is dropped"),
    "area-zero": ("error", "area 0: the person is dropped, and AP of medium and large people may become -1"),
    "box-outside": ("warning", "the box reaches beyond the picture"),
    "keypoint-outside": ("warning", "a labelled keypoint lies beyond the picture"),
    "keypoint-at-origin": ("warning", "a keypoint labelled at 0, 0: most often one that was meant to be left out"),
    "keypoints-off-box": (
        "warning",
        "most keypoints lie outside the box: it belongs to somebody else, or is x1 y1 x2 y2",
    ),
    "visibility-value": ("warning", "visibility is 0 (not labelled), 1 (hidden) or 2 (visible), and nothing else"),
    "keypoint-total": ("warning", "num_keypoints is not the number of labelled keypoints: AP ignores people by it"),
    "area-beyond-box": ("warning", "the area is larger than the box: OKS is too lenient"),
    "person-twice": ("warning", "the same keypoints twice in one picture: counted and learnt double"),
    "sides-swapped": ("warning", "left and right look exchanged, judged by the other people of the set"),
    "near-duplicate": ("warning", "nearly the same picture in two splits: the score is too good"),
    "no-keypoints": ("note", "nobody to learn from; in evaluation the person is ignored"),
}


@dataclass(frozen=True)
class Finding:
    """One fault: where it is (part of the data, ids as in its file) and what was found."""

    kind: str
    part: str
    image: Any
    annotation: Any
    says: str
    strength: float = 0.0  # orders findings of a kind, the worst first

    @property
    def severity(self) -> Severity:
        """How bad this is."""
        return KINDS[self.kind][0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"severity": self.severity} | asdict(self)

    def __str__(self) -> str:
        where = f"picture {self.image}" + ("" if self.annotation is None else f", annotation {self.annotation}")
        return f"{where}: {self.says}"
