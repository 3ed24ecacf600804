"""A data set examined: all of its splits, their faults, and what they say about how exact labels are."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrnet.doctor.faults import faults
from hrnet.doctor.findings import KINDS, Finding
from hrnet.doctor.labels import Labels, read_labels
from hrnet.doctor.pictures import near_duplicates, picture_faults
from hrnet.doctor.sides import swapped_sides
from hrnet.doctor.sigmas import Sigmas, from_repetitions, from_residuals

if TYPE_CHECKING:
    from hrnet.predictor import Predictor

MEDIUM, LARGE = 32.0**2, 96.0**2  # areas from which COCO calls people medium and large


@dataclass(frozen=True)
class Report:
    """What an examination found: findings worst first, and sigmas where they could be estimated."""

    parts: list[Labels]
    findings: list[Finding]
    sigmas: list[Sigmas]

    @property
    def counts(self) -> Counter[str]:
        """How often each kind was found."""
        return Counter(finding.kind for finding in self.findings)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)


def examine(
    data: Sequence[str | Path],
    images: Sequence[Path] = (),
    predictor: "Predictor | None" = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Report:
    """Examine data sets, each split by itself and against the others. `progress` is told of pictures looked at.

    With a predictor the sigmas are estimated from its residuals too. Raises `HRNetError` for what is no data set.
    """
    parts = [labels for each in data for labels in read_labels(each, images)]
    findings: list[Finding] = []
    looks = []
    for labels in parts:
        found, thumbnails = picture_faults(labels, progress)
        looks.append((labels, thumbnails))
        findings += [*found, *faults(labels), *swapped_sides(labels)]
    findings += near_duplicates(looks)
    order = list(KINDS)
    findings.sort(key=lambda finding: (order.index(finding.kind), -finding.strength))
    sigmas = [from_repetitions(parts)]
    if predictor is not None:
        sigmas += [from_residuals(predictor, each, images) for each in data]
    return Report(parts, findings, [each for each in sigmas if each is not None])


def summary(labels: Labels) -> dict[str, Any]:
    """What a split holds, in numbers."""
    points = [labels.keypoints(annotation) for annotation in labels.annotations]
    areas = [labels.area(annotation) for annotation in labels.annotations if not annotation.get("iscrowd")]
    return {
        "part": labels.name,
        "pictures": len(labels.images),
        "people": len(labels.annotations),
        "labelled_people": sum(each is not None and bool((each[:, 2] > 0).any()) for each in points),
        "labelled_keypoints": sum(int((each[:, 2] > 0).sum()) for each in points if each is not None),
        "skeleton": labels.skeleton.name,
        "keypoints": len(labels.skeleton),
        "small_medium_large": [
            sum(area < MEDIUM for area in areas),
            sum(MEDIUM <= area < LARGE for area in areas),
            sum(area >= LARGE for area in areas),
        ],
    }
