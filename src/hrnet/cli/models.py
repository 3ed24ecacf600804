"""`hrnet models`: what exists, what it costs, and which weights are here or can be had."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table


def models(
    zoo: Annotated[bool, typer.Option("--zoo", help="List published weights by name, instead of recipes.")] = False,
    add: Annotated[Path | None, typer.Option(metavar="FILE", help="File a download made by hand.")] = None,
    name: Annotated[str | None, typer.Option(help="With --add: the published weights that FILE is.")] = None,
) -> None:
    """List the recipes: size, cost, published score, and whether weights ship; or the weights that others published."""
    if name is not None and add is None:
        raise UsageError("--name says which published weights a file is: name the file with --add")
    if add is not None:
        from hrnet.catalogue import add_published

        entry = add_published(add, name)
        typer.echo(
            f'filed as {entry.name}: hrnet predict PHOTO --recipe {entry.name}, or hrnet.Predictor("{entry.name}")'
        )
    elif zoo:
        show_zoo()
    else:
        show_recipes()


def show_recipes() -> None:
    """The recipes."""
    from hrnet.catalogue import overview

    table, notes = columns("recipe", "input", "parameters>", "GFLOPs>", "published", "weights here"), []
    for row in overview():
        here = "yes" if row.weights else "no"
        published = f"{row.published.score} {row.published.metric.split(',')[0]}" if row.published else "-"
        table.add_row(row.name, row.input_size, f"{row.parameters / 1e6:.2f} M", f"{row.gflops:.2f}", published, here)
        if row.weights:
            notes.append(f"{row.name}: terms of the weights: {row.licence}")
    show(table)
    typer.echo(
        "\nInput is width x height; GFLOPs are multiply-adds of one picture / 1024**3, convolutions only, as published."
    )
    typer.echo(
        "Published: AP on COCO val2017 (top-down with person boxes of 56.4 AP, bottom-up without) and CrowdPose test,"
        "\nPCKh@0.5 on MPII val, with flip test; top-1 accuracy on ImageNet val; mIoU: recipe.published says on what."
    )
    for note in notes:
        typer.echo(note)


def show_zoo() -> None:
    """The published weights."""
    from hrnet.weights.cache import cached, folder
    from hrnet.weights.zoo import TERMS, ZOO

    table = columns("name", "score", "data", "from", "here")
    for entry in ZOO:
        path = cached(entry)
        host = entry.source.split("/")[2] if entry.source else "share drive, by hand"
        here = f"{path.stat().st_size / 1e6:.1f} MB" if path else "-"
        table.add_row(entry.name, entry.score, entry.data, host, here)
    show(table)
    typer.echo(
        "\nScores are the publishers': COCO val2017 with person boxes of 56.4 AP, MPII val, CrowdPose test,"
        "\nAI Challenger val, ImageNet val, Cityscapes, LIP val, PASCAL-Context; their READMEs say how each was tested."
        f"\nFiles lie in {folder()} (HRNET_CACHE names another folder)."
        "\nWhat lies on a share drive alone is fetched by hand, then: hrnet models --add FILE"
        "\nTerms of the data, which weights carry:"
    )
    for data, terms in TERMS.items():
        typer.echo(f"  {data}: {terms}")


def columns(*titles: str) -> "Table":
    """A bare table; `>` after a title aligns its column to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        justify = "right" if title.endswith(">") else "left"
        table.add_column(title.rstrip(">"), justify=justify, no_wrap=True)
    return table


def show(table: "Table") -> None:
    """Print a table, as wide as it needs where no terminal limits it."""
    from rich.console import Console

    Console(width=None if Console().is_terminal else 120, highlight=False).print(table)
