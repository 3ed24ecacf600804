"""The page of an evaluation: figures, plots and people in one HTML file that needs nothing else."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrnet.datasets.records import PoseData, Record
from hrnet.images import write_text
from hrnet.results.drawing import draw_poses
from hrnet.results.pose import Pose
from hrnet.scoring import plots
from hrnet.scoring.coco_ap import match_poses
from hrnet.scoring.curves import curves_of
from hrnet.scoring.matching import THRESHOLDS
from hrnet.scoring.people import RIGHT, Verdict, verdicts
from hrnet.scoring.protocol import Answers

WORST, BEST = 12, 6
HEIGHT = 300  # pixels of a person's picture on the page
MARGIN = 0.3  # of a box's longer side, shown around it

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222831; max-width: 1120px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0.2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 0.4rem; }
p { max-width: 46rem; margin: 0.3rem 0; } .side > div { flex: 1 1 30rem; } .about { color: #5b6470; }
table { border-collapse: collapse; margin: 0.6rem 0; } th { font-weight: 600; text-align: left; }
td, th { padding: 0.15rem 1rem 0.15rem 0; border-bottom: 1px solid #e3e6eb; } td.number { text-align: right; }
.side { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start; } svg { max-width: 100%; height: auto; }
.people { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figure img { height: 240px; }
figcaption { font-size: 0.85rem; color: #5b6470; max-width: 26rem; }
"""


def write_report(path: Path, figures: Mapping[str, Any], data: PoseData, answers: Answers) -> None:
    """Write the page of an evaluation; `figures` are those of `hrnet.evaluate`."""
    write_text(path, page(figures, data, answers))


def page(figures: Mapping[str, Any], data: PoseData, answers: Answers) -> str:
    """The page as HTML text."""
    title = html.escape(f"{figures['recipe']} on {Path(figures['data']).name}")
    sections = [f"<h1>{title}</h1>", about(figures)]
    if figures["metrics"]:
        first = f"<div>{headline(figures)}</div><div>{joints_section(figures, data)}</div>"
        sections += [f'<div class="side">{first}</div>', *error_sections(figures)]
        sections += curve_sections(figures, data, answers)
        name = "OKS" if data.headline == "AP" else "share of right joints"
        sections += people_sections(verdicts(data, answers), data, name)
    else:
        sections.append("<p>The set has no labels: nothing was scored.</p>")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>\n'
        + "\n".join(section for section in sections if section)
        + "\n</html>\n"
    )


def about(figures: Mapping[str, Any]) -> str:
    """What was scored, and how people were found."""
    boxes = figures.get("boxes", "the set's own")
    counted = ", ".join(f"{figures[key]} {key}" for key in ("people", "poses", "joints", "pictures") if key in figures)
    text = f"weights {figures['weights']} · data {figures['data']} · boxes: {boxes} · {counted}"
    return f'<p class="about">{html.escape(text)}</p>'


def headline(figures: Mapping[str, Any]) -> str:
    """The figures with their intervals."""
    intervals = figures.get("interval", {})
    rows = [(name, f"{value:.4f}", span(intervals.get(name))) for name, value in figures["metrics"].items()]
    rows += [(f"{part} (PCKh@0.5)", f"{value:.4f}", "") for part, value in figures.get("parts", {}).items()]
    return (
        "<h2>Figures</h2><p>Intervals are bootstrap intervals over people: how far a figure would vary with other "
        "people of the same kind. -1 says that there is nobody of that kind to find.</p>"
        + table(("figure", "value", "95 % interval"), rows)
    )


def joints_section(figures: Mapping[str, Any], data: PoseData) -> str:
    """Each joint by itself."""
    quantity = "mean similarity" if data.headline == "AP" else data.headline
    explained = (
        "Similarity is OKS of one keypoint: 1 on the spot, 0.61 at two sigmas of the person's size. Keypoints of "
        "people who were not found count as 0."
        if data.headline == "AP"
        else "The share of labelled joints that count as right."
    )
    return f"<h2>Joints</h2><p>{explained}</p>" + plots.joints(figures["per_joint"], quantity)


def error_sections(figures: Mapping[str, Any]) -> Iterable[str]:
    """The error breakdown, where there is one."""
    found = figures.get("breakdown")
    if not found or not sum(found["counts"].values()):
        return
    total = sum(found["counts"].values())
    counts = [(name, str(count), f"{count / total:.1%}") for name, count in found["counts"].items()]
    gains = [(name, f"{gain:+.4f}") for name, gain in found["gains"].items()]
    gained = (f"AP {found['baseline']:.4f} would gain", "")
    yield (
        "<h2>Errors</h2><p>Labelled keypoints of the people found (OKS 0.1 or more): <b>good</b> at similarity 0.85, "
        "<b>jitter</b> near the right place, <b>inversion</b> on the person's other side, <b>swap</b> on another "
        "person, <b>miss</b> on nobody. What AP would gain if one kind alone were repaired tells what it costs; people "
        "smaller than COCO's medium are left out here.</p>"
        f'<div class="side"><div>{table(("keypoints", "number", "share"), counts)}'
        f"{table(gained, gains)}</div><div>{plots.labels(found['per_joint'])}</div></div>"
    )


def curve_sections(figures: Mapping[str, Any], data: PoseData, answers: Answers) -> Iterable[str]:
    """Precision over recall, and reliability of scores."""
    drawn = ""
    if data.headline == "AP":
        curves = curves_of(match_poses(data, answers.image_ids, answers.poses))
        drawn = f"<div><h2>Precision and recall</h2>{plots.precision_recall(curves.precision[0], THRESHOLDS)}</div>"
    found = figures["reliability"]
    text = (
        f"Expected calibration error {found['error']:.3f}. Below the dotted line scores promise too much. Right means "
        + ("a similarity of 0.5 or more." if data.headline == "AP" else f"right by {data.headline}.")
    )
    yield (
        f'<div class="side">{drawn}<div><h2>Reliability of scores</h2>'
        f"{plots.reliability(found)}<p>{text}</p></div></div>"
    )


def people_sections(people: Sequence[Verdict], data: PoseData, name: str) -> Iterable[str]:
    """How people fared, and the worst and the best of them in pictures."""
    order = np.argsort([person.value for person in people], kind="stable")
    records = {record.id: record for record in data.records}
    yield f"<h2>People</h2>{plots.values([person.value for person in people], name)}"
    worst, best = order[:WORST], order[WORST:][::-1][:BEST]
    for title, chosen in (("Worst people", worst), ("Best people", best)):
        shown = "\n".join(portrait(people[n], records[people[n].picture], name) for n in chosen)
        yield (
            f"<h2>{title}</h2><p>Left the truth, right what was found; for people who count as not found the pose that "
            f'comes nearest.</p><div class="people">{shown}</div>'
        )


def portrait(person: Verdict, record: Record, name: str) -> str:
    """A person as annotated and as found, side by side, with a caption."""
    image, zoom, corner = closeup(record, person.truth.box)
    pair = [drawn(image, person.truth, zoom, corner, 0.5)]
    found = person.found or person.nearest
    pair.append(drawn(image, found, zoom, corner, 0.0) if found is not None else image)
    labelled = ~np.isnan(person.alike)
    wrong = int((person.alike[labelled] < RIGHT).sum())
    text = f"{record.name}: {name} {person.value:.2f}, " + (
        "not found" if person.found is None else f"{wrong} of {int(labelled.sum())} joints wrong"
    )
    return f'<figure><img src="{as_url(np.hstack(pair))}"><figcaption>{html.escape(text)}</figcaption></figure>'


def closeup(record: Record, box: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The part of a picture around a box, `HEIGHT` pixels high; its zoom, and its corner (x, y) in the picture."""
    image = record.read()
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1])
    x1, y1 = np.maximum(np.floor(box[:2] - margin), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(box[2:] + margin), [image.shape[1], image.shape[0]]).astype(int)
    part = image[y1 : max(y2, y1 + 2), x1 : max(x2, x1 + 2)]
    zoom = HEIGHT / part.shape[0]
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return cv2.resize(part, (max(round(part.shape[1] * zoom), 1), HEIGHT), interpolation=way), zoom, np.array([x1, y1])


def drawn(image: np.ndarray, pose: Pose, zoom: float, corner: np.ndarray, min_score: float) -> np.ndarray:
    """A pose of the whole picture, drawn on the part of it."""
    moved = replace(
        pose, keypoints=(pose.keypoints - corner + 0.5) * zoom - 0.5, box=(pose.box - np.tile(corner, 2)) * zoom
    )
    return draw_poses(image, [moved], min_score=min_score, boxes=False)


def as_url(image: np.ndarray) -> str:
    """A picture (H, W, 3) RGB as a data URL."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; all columns but the first are numbers."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr><td>{html.escape(row[0])}</td>"
        + "".join(f'<td class="number">{html.escape(c)}</td>' for c in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def span(interval: Sequence[float] | None) -> str:
    """An interval as text."""
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
