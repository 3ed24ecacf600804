"""A report as text, as plain values, and as a sheet of its worst cases."""

from collections import defaultdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrnet.doctor.examination import Report, summary
from hrnet.doctor.findings import KINDS, Finding, Severity
from hrnet.doctor.labels import Labels, numbers_in
from hrnet.doctor.sigmas import Sigmas
from hrnet.errors import HRNetError
from hrnet.images import read_image
from hrnet.results.drawing import contact_sheet, draw_poses
from hrnet.results.pose import Pose

SHOWN = 5  # findings of one kind in the text; the JSON has all
CELLS = 24
AROUND = 0.25  # of the box's larger side is shown around it


def to_text(report: Report) -> list[str]:
    """The report as lines: what the data holds, each kind of finding with its first cases, sigmas."""
    lines = []
    for labels in report.parts:
        each = summary(labels)
        small, medium, large = each["small_medium_large"]
        lines.append(
            f"{each['part']}: {each['pictures']} pictures, {each['people']} people, {each['labelled_people']} of them "
            f"labelled, {each['labelled_keypoints']} keypoints ({each['skeleton']}, {each['keypoints']})"
        )
        if labels.boxed:
            lines.append(f"  areas as COCO calls them: {small} small, {medium} medium, {large} large")
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        groups[finding.kind].append(finding)
    for kind, found in groups.items():
        severity, meaning = KINDS[kind]
        lines += ["", f"{severity}: {kind} ({len(found)}): {meaning}"]
        lines += [f"  {finding.part}, {finding}" for finding in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"  and {len(found) - SHOWN} more")
    for sigmas in report.sigmas:
        lines += ["", *sigma_lines(sigmas)]
    totals = [f"{count} {name}{'s' * (count > 1)}" for name, count in severities(report).items() if count]
    return [*lines, "", ", ".join(totals) or "nothing found"]


def severities(report: Report) -> dict[str, int]:
    """How many findings there are of each severity."""
    counts = {"error": 0, "warning": 0, "note": 0}
    for finding in report.findings:
        counts[finding.severity] += 1
    return counts


def sigma_lines(sigmas: Sigmas) -> list[str]:
    """An estimate as text; the last line is what a skeleton file takes."""
    values = sigmas.to_dict()["sigmas"]
    lines = [f"OKS sigmas from {sigmas.source} ({int(sigmas.labels.sum())} keypoints):"]
    if any(value is None for value in values.values()):
        known = ", ".join(f"{name} {value:.3f}" for name, value in values.items() if value is not None)
        return [*lines, f"  {known or 'too few labels'}; too few labels of the others"]
    return [*lines, f"  sigmas: [{', '.join(f'{value:.4f}' for value in values.values())}]"]


def to_values(report: Report) -> dict[str, Any]:
    """The report as plain values, all findings listed."""
    return {
        "parts": [summary(labels) for labels in report.parts],
        "totals": severities(report),
        "counts": dict(report.counts),
        "findings": [finding.to_dict() for finding in report.findings],
        "sigmas": [sigmas.to_dict() for sigmas in report.sigmas],
    }


def worst_cases(report: Report) -> np.ndarray | None:
    """A sheet of the worst findings that can be seen, kinds taking turns, or None where there are none to see."""
    cells, names = [], []
    for finding in [*in_turns(report, ("error", "warning")), *in_turns(report, ("note",))]:
        cell = shown(report, finding)
        if cell is not None:
            cells.append(cell)
            names.append(f"{finding.kind} {finding.image} {'' if finding.annotation is None else finding.annotation}")
        if len(cells) == CELLS:
            break
    return contact_sheet(cells, columns=min(6, len(cells)), cell=(240, 240), labels=names) if cells else None


def in_turns(report: Report, severities: tuple[Severity, ...]) -> list[Finding]:
    """Findings of some severities: the first of each kind, then the second of each that has one, and so on."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        if finding.severity in severities:
            groups[finding.kind].append(finding)
    return [finding for turn in zip_longest(*groups.values()) for finding in turn if finding is not None]


def shown(report: Report, finding: Finding) -> np.ndarray | None:
    """The picture of a finding: the person's surroundings with what is labelled, or the whole picture."""
    labels = next(labels for labels in report.parts if labels.name == finding.part)
    place = next((k for k, image in enumerate(labels.images) if image["id"] == finding.image), None)
    if place is None:
        return None
    picture = labels.pictures[place]
    try:
        pixels = read_image(picture, turn_by_exif=False) if isinstance(picture, Path) else picture
    except HRNetError:
        return None
    if finding.annotation is None:
        return pixels
    annotation = next((a for a in labels.annotations if a.get("id") == finding.annotation), None)
    return pixels if annotation is None else cut_out(pixels, labels, annotation)


def cut_out(pixels: np.ndarray, labels: Labels, annotation: dict[str, Any]) -> np.ndarray:
    """A person as labelled, with a margin; what lies beyond the picture is dark."""
    points, box = labels.keypoints(annotation), numbers_in(annotation.get("bbox", []))
    corners = [] if box is None or len(box) != 4 else [box[:2], box[:2] + box[2:]]
    labelled = np.zeros((0, 2)) if points is None else points[points[:, 2] > 0, :2]
    extent = np.array([*corners, *labelled])
    if not len(extent):
        return pixels
    low, high = extent.min(axis=0), extent.max(axis=0)
    margin = AROUND * max(*(high - low), 8)
    height, width = pixels.shape[:2]
    limit = np.array([width, height]) * 0.5  # a point far outside must not make the picture a dot
    low, high = np.maximum(low - margin, -limit), np.minimum(high + margin, 3 * limit)
    x1, y1, x2, y2 = (int(value) for value in [*np.floor(low), *np.ceil(high)])
    left, top, right, bottom = max(0, -x1), max(0, -y1), max(0, x2 - width), max(0, y2 - height)
    padded = cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(40, 44, 52))
    window = padded[y1 + top : y2 + top, x1 + left : x2 + left]
    scale = 240 / max(window.shape[:2])
    size = [max(1, round(side * scale)) for side in (window.shape[1], window.shape[0])]
    window = cv2.resize(window, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if points is None:
        return window
    moved = (points[:, :2] - [x1, y1]) * scale
    frame = np.full(4, np.nan) if not corners else (np.concatenate(corners) - [x1, y1, x1, y1]) * scale
    pose = Pose(moved.astype(np.float32), (points[:, 2] > 0).astype(np.float32), np.nan, frame, labels.skeleton)
    return draw_poses(window, [pose], min_score=0.5)
