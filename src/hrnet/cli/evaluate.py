"""`hrnet evaluate`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hrnet.cli.train import OVERRIDE
from hrnet.errors import UsageError

DATA_HELP = (
    "What 'hrnet train' takes, one set; then recipe fields such as testing.flip=false, testing.nms=soft_oks, "
    "testing.nms_threshold=0.5 or testing.box_threshold=0.3."
)
BOXES_HELP = (
    "A detector's boxes, looked at instead of those that the set gives: JSON list of "
    '{"image_id" or "file_name", "bbox": [x, y, w, h], "score"}.'
)
RESULTS_HELP = "Write the poses: COCO results (.json) or MPII's pred.mat (.mat); also without truth, for test servers."

MANY = 100  # classes; more are for the JSON alone


def evaluate(
    data: Annotated[list[str], typer.Argument(metavar="DATA [KEY=VALUE ...]", help=DATA_HELP)],
    split: Annotated[str, typer.Option(help="Part of a data set that has parts.")] = "val",
    recipe: Annotated[str | None, typer.Option(help="Recipe of the weights; default: the one they carry.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights file; default: the embedded weights.")] = None,
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Where the pictures of a JSON lie, if not beside it.")
    ] = None,
    boxes: Annotated[Path | None, typer.Option(metavar="FILE", help=BOXES_HELP)] = None,
    results: Annotated[Path | None, typer.Option(metavar="FILE", help=RESULTS_HELP)] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with figures, plots, the worst and best people.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")] = None,
    task: Annotated[
        Literal["pose_topdown", "pose_bottomup", "segmentation"] | None,
        typer.Option(help="Whose embedded weights; default: pose_topdown, with the boxes that the set gives."),
    ] = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Pass people found bottom-up to the top-down network.")
    ] = False,
    input_size: Annotated[
        int | None,
        typer.Option(metavar="PX", min=1, help="Bottom-up: shorter side of a picture as the network sees it."),
    ] = None,
    engine: Annotated[
        Literal["auto", "torch", "onnx", "openvino"] | None,
        typer.Option(help="What runs the network; default: torch, or what an exported network was made for."),
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16", "fp16", "int8"] | None,
        typer.Option(help="Arithmetic of the network; default: fp32 as published, or as it was exported."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; default: cuda where there is one.")] = None,
) -> None:
    """Score weights on a data set: OKS AP, PCKh or PCK with intervals, errors by kind, mIoU, top-1 and top-5 accuracy;
    docs/evaluation.md explains."""
    from hrnet.evaluator import evaluate as score
    from hrnet.images import output_folder, write_text
    from hrnet.predictor import Predictor

    if json_file is not None:
        output_folder(json_file.parent)
    changes = dict(text.split("=", 1) for text in data if OVERRIDE.match(text))
    sets = [text for text in data if not OVERRIDE.match(text)]
    if len(sets) != 1:
        raise UsageError(f"expected one data set, found {len(sets)}: evaluate them one by one")
    if task is None and recipe is None and weights is None:
        task = "pose_bottomup" if refine or input_size else "pose_topdown"
    usual = usual_way(weights)
    named: dict[str, Any] = {"task": task, "refine": refine, "input_size": input_size, "changes": changes}
    run: dict[str, Any] = {"engine": engine or usual[0], "precision": precision or usual[1], "device": device}
    predictor = Predictor(recipe, weights, **run, **named)
    figures = score(predictor, sets[0], split, images or (), boxes=boxes, results=results, html=html)
    typer.echo("\n".join(lines(figures)))
    if json_file is not None:
        write_text(json_file, json.dumps(figures, indent=1) + "\n")
    for name, file in (("figures", json_file), ("results", results), ("page", html)):
        if file is not None:
            typer.echo(f"{name}: {file}")


def usual_way(weights: Path | None) -> tuple[str, str]:
    """Engine and precision where none is named: the published arithmetic, or what an exported network was made for."""
    from hrnet.engines.choosing import OWN_ENGINE
    from hrnet.engines.exported import FORMATS, read_exported

    if weights is None or weights.suffix not in FORMATS:
        return "torch", "fp32"
    return OWN_ENGINE[weights.suffix], read_exported(weights)["precision"]


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as aligned lines."""
    count = next(f"{figures[key]} {key}" for key in ("people", "poses", "pictures") if key in figures)
    boxes = f", boxes of {figures['boxes']}" if "boxes" in figures else ""
    yield f"{figures['recipe']} ({figures['weights']}) on {figures['data']}, {count}{boxes}"
    for name, value in figures["metrics"].items():
        yield f"  {name:<18} {value:.4f}{within(figures.get('interval', {}).get(name))}"
    classes = figures.get("per_class", {})
    for name, value in (*figures.get("parts", {}).items(), *(classes.items() if len(classes) <= MANY else ())):
        yield f"    {name:<16} {value:.4f}"
    for name, score in figures.get("per_joint", {}).items():
        yield f"    {name:<16} {score['value']:.4f}{within(score['interval'])}"
    if "breakdown" in figures:
        yield from errors(figures["breakdown"])


def errors(found: dict[str, Any]) -> Iterator[str]:
    """The error breakdown as aligned lines."""
    total = max(sum(found["counts"].values()), 1)
    yield f"  errors of {total} keypoints of {found['people']} people, and what AP {found['baseline']:.4f} would gain"
    for name, count in found["counts"].items():
        gain = f"   {found['gains'][name]:+.4f}" if name in found["gains"] else ""
        yield f"    {name:<16} {count / total:6.1%}{gain}"
    for name in ("score", "background", "unfound"):
        yield f"    {name:<16}          {found['gains'][name]:+.4f}"


def within(interval: list[float] | None) -> str:
    """An interval as text."""
    return f"   95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
