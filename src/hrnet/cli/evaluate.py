"""`hrnet evaluate`."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def evaluate(
    data: Annotated[str, typer.Argument(help="The folder of LSPET, a COCO-style JSON, or 'synthetic'.")],
    split: Annotated[str, typer.Option(help="Part of a data set that has parts.")] = "val",
    recipe: Annotated[str | None, typer.Option(help="Recipe of the weights; default: the one they carry.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights file; default: the embedded weights.")] = None,
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Where the pictures of a JSON lie, if not beside it.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")] = None,
    task: Annotated[
        Literal["pose_topdown", "pose_bottomup"] | None,
        typer.Option(help="Whose embedded weights; default: pose_topdown, with the boxes that the set gives."),
    ] = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Pass people found bottom-up to the top-down network.")
    ] = False,
    input_size: Annotated[
        int | None, typer.Option(metavar="PX", help="Bottom-up: shorter side of a picture as the network sees it.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; default: cuda where there is one.")] = None,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="Arithmetic of the network.")] = "fp32",
) -> None:
    """Score weights on a data set with the boxes that it gives: PCK@0.2 on LSPET, OKS AP on COCO-style files."""
    from hrnet.evaluator import evaluate as score
    from hrnet.images import write_text
    from hrnet.predictor import Predictor

    if task is None and recipe is None and weights is None and (refine or input_size):
        task = "pose_bottomup"
    named = {"task": task, "refine": refine, "input_size": input_size}
    predictor = Predictor(recipe, weights, device=device, precision=precision, **named)
    figures = score(predictor, data, split, images or ())
    typer.echo("\n".join(lines(figures)))
    if json_file is not None:
        write_text(json_file, json.dumps(figures, indent=1) + "\n")
        typer.echo(f"figures: {json_file}")


def lines(figures: dict[str, Any]) -> list[str]:
    """The figures as aligned lines."""
    texts = [f"{figures['recipe']} ({figures['weights']}) on {figures['data']}, {figures['people']} people"]
    for name, value in figures["metrics"].items():
        texts.append(f"  {name:<16} {value:.4f}{within(figures.get('interval', {}).get(name))}")
    for name, score in figures.get("per_joint", {}).items():
        texts.append(f"    {name:<14} {score['value']:.4f}{within(score['interval'])}")
    return texts


def within(interval: list[float] | None) -> str:
    """An interval as text."""
    return f"   95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
