"""`hrnet export`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def export(
    out: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What to write: .onnx (ONNX), .xml (OpenVINO) or .pt2 (torch.export)."),
    ],
    recipe: Annotated[str | None, typer.Option(help="Recipe of the weights; default: the one they carry.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights file; default: the embedded weights.")] = None,
    precision: Annotated[
        Literal["fp32", "int8"], typer.Option(help="int8 (OpenVINO) is calibrated on the pictures of the proof.")
    ] = "fp32",
    decode: Annotated[bool, typer.Option(help="End the graph in keypoints and scores, flip test included.")] = False,
    pictures: Annotated[
        list[str] | None, typer.Option(metavar="INPUT", help="Pictures, folders, patterns for the proof.")
    ] = None,
    boxes: Annotated[Path | None, typer.Option(metavar="FILE", help="Boxes of the pictures, as for predict.")] = None,
    data: Annotated[str | None, typer.Option(help="A labelled data set for the proof: its score counts too.")] = None,
    split: Annotated[str, typer.Option(help="Part of the data set.")] = "val",
    images: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Where its pictures lie.")] = None,
) -> None:
    """Write a network for other programs, and prove on pictures that its answers stay the same."""
    from hrnet.catalogue import resolve
    from hrnet.exporter import export as write

    chosen, _ = resolve(recipe, weights)
    evidence = None
    if data is not None:
        evidence = labelled(chosen, data, split, images or [])
    elif pictures:
        evidence = pictured(pictures, boxes)
    proof = write(recipe, weights, out, precision=precision, decode=decode, evidence=evidence)
    typer.echo("\n".join(proof.lines()))
    typer.echo(f"network: {out} ({out.stat().st_size / 2**20:.1f} MiB), proof: {out}.proof.json")


def labelled(recipe: Any, data: str, split: str, images: list[Path]) -> Any:
    """The pictures of a data set with the boxes that it gives, and its labels."""
    from hrnet.exporter import Evidence

    records = recipe.read(data, split, images)
    return Evidence(
        lambda: ((*recipe.shown(record), None) for record in records.records), f"{records.name}, {split}", records
    )


def pictured(inputs: list[str], boxes: Path | None) -> Any:
    """Pictures without labels."""
    from functools import partial

    from hrnet.datasets.boxes import read_boxes
    from hrnet.exporter import Evidence
    from hrnet.images import find_images, read_image

    paths, failures = find_images(inputs)
    if failures:
        raise failures[0]
    people = read_boxes(boxes) if boxes else None
    given = [(partial(read_image, path), *((people.of(path) if people else None) or (None, None))) for path in paths]
    return Evidence(lambda: given, f"{len(paths)} pictures")
