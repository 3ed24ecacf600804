"""`hrnet models`: what exists, what it costs, and whether weights are here."""

import typer


def models() -> None:
    """List the recipes: size, cost, published score, and whether weights ship with the package."""
    from rich.console import Console
    from rich.table import Table

    from hrnet.catalogue import overview

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, justify in (
        ("recipe", "left"),
        ("input", "left"),
        ("parameters", "right"),
        ("GFLOPs", "right"),
        ("published", "left"),
        ("weights here", "left"),
    ):
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    notes = []
    for row in overview():
        here = "yes" if row.weights else "no"
        published = f"{row.published.score} {row.published.metric.split(',')[0]}" if row.published else "-"
        table.add_row(row.name, row.input_size, f"{row.parameters / 1e6:.2f} M", f"{row.gflops:.2f}", published, here)
        if row.weights:
            notes.append(f"{row.name}: terms of the weights: {row.licence}")
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    console.print(table)
    typer.echo("")
    typer.echo(
        "Input is width x height; GFLOPs are multiply-adds of one picture / 1024**3, convolutions only, as published."
    )
    typer.echo("Published: AP on COCO val2017 with the person boxes of 56.4 AP, PCKh@0.5 on MPII val; flip test.")
    for note in notes:
        typer.echo(note)
