"""Evaluation: a data set through the prediction path, its figures, and the files that hold what was found."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hrnet.datasets.boxes import read_boxes
from hrnet.datasets.records import PoseData
from hrnet.errors import HRNetError, UsageError
from hrnet.images import output_folder
from hrnet.predictor import Predictor
from hrnet.scoring.analysis import analysis
from hrnet.scoring.plots import check_plots
from hrnet.scoring.report import write_report
from hrnet.scoring.results_files import check_results, write_results


def evaluate(
    predictor: Predictor,
    data: str | Path,
    split: str = "val",
    images: Sequence[Path] = (),
    *,
    boxes: str | Path | None = None,
    results: str | Path | None = None,
    html: str | Path | None = None,
) -> dict[str, Any]:
    """Score a predictor on a data set: `{"metrics": {...}, ...}`, plain values, ready for JSON.

    The set decides by what: OKS AP, PCKh or PCK for poses. `Predictor()` looks into the boxes that the set gives, and
    finds people itself where `refine` or `input_size` was named. `boxes` is a detector's file, in whose boxes people
    are looked for instead of in those that the set gives. `results` is where the poses found are written, as COCO
    results (.json) or MPII's `pred.mat` (.mat), also where there is no truth to score them by. `html` is where a page
    with all figures, their plots and the best and worst people is written.
    """
    if any(value is not None for value in predictor.bottom_up.values()):
        predictor = predictor.without_boxes
    recipe = predictor.recipe
    boxes, results, html = (None if each is None else Path(each) for each in (boxes, results, html))
    if boxes is not None and not predictor.takes_boxes:
        raise UsageError(f"{recipe.name} takes no boxes: leave them out")
    for file in (results, html):
        if file is not None:
            output_folder(file.parent)
    found = recipe.read(data, split, images)
    if not isinstance(found, PoseData) and (boxes or results or html):
        raise UsageError(f"boxes, results and the page are for poses, and {data} holds none: leave these options out")
    about = {"data": str(data), "split": split, "recipe": recipe.name, "weights": predictor.weights.name}
    if isinstance(found, PoseData) and boxes is not None:
        found, about["boxes"] = with_boxes(found, boxes), str(boxes)
    if isinstance(found, PoseData) and results is not None:
        check_results(results, found)
    if html is not None:
        check_plots()
    if isinstance(found, PoseData) and results is None and not found.labelled:
        raise HRNetError(f"{data} has no labels, so nothing can be scored: name --results FILE to keep what is found")
    figures = recipe.evaluate(predictor.inference, found)
    if isinstance(found, PoseData):
        answers = figures.pop("answers")
        if figures["metrics"]:
            figures |= analysis(found, answers)
        if results is not None:
            write_results(results, found, answers)
        if html is not None:
            write_report(html, about | figures, found, answers)
    return about | figures


def with_boxes(data: PoseData, path: Path) -> PoseData:
    """The set with a detector's boxes in place of its own."""
    file = read_boxes(path)
    boxes = {record.id: named for record in data.records if (named := file.of_record(record)) is not None}
    if not boxes:
        raise HRNetError(f"{path} names none of the pictures of {data.name}: check that it belongs to this set")
    return replace(data, boxes=boxes)
