"""`hrnet check`."""

import json
from pathlib import Path
from typing import Annotated

import typer


def check(
    data: Annotated[
        list[str], typer.Argument(metavar="DATA...", help="Data sets; splits are checked against each other.")
    ],
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Where the pictures of a JSON lie, if not beside it.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all findings here.")] = None,
    sheet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write pictures of the worst cases here.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Estimate OKS sigmas from the residuals of these weights too.")
    ] = None,
) -> None:
    """Examine labels and pictures: every fault by its ids, and what it leads to. Exit status 1 for errors."""
    from hrnet.doctor.examination import examine
    from hrnet.doctor.label_maps import is_label_folder
    from hrnet.doctor.report import to_text, to_values, worst_cases
    from hrnet.images import write_image, write_text

    if all(is_label_folder(Path(each)) for each in data):
        check_label_maps(data, json_file, sheet)
        return
    predictor = None
    if weights is not None:
        from hrnet.predictor import Predictor

        predictor = Predictor(weights)
    report = examine(data, images or (), predictor)
    typer.echo("\n".join(to_text(report)))
    if json_file is not None:
        write_text(json_file, json.dumps(to_values(report), indent=1, default=str) + "\n")
        typer.echo(f"findings: {json_file}")
    cases = None if sheet is None else worst_cases(report)
    if sheet is not None and cases is not None:
        write_image(sheet, cases)
        typer.echo(f"worst cases: {sheet}")
    if report.errors:
        raise typer.Exit(1)


def check_label_maps(data: list[str], json_file: Path | None, sheet: Path | None) -> None:
    """The same for folders of pictures with a label for every pixel."""
    from hrnet.doctor import label_maps
    from hrnet.images import write_image, write_text

    parts = [part for each in data for part in label_maps.examine_label_maps(Path(each))]
    typer.echo("\n".join(label_maps.to_text(parts)))
    if json_file is not None:
        write_text(json_file, json.dumps(label_maps.to_values(parts), indent=1) + "\n")
        typer.echo(f"findings: {json_file}")
    if sheet is not None:
        write_image(sheet, label_maps.sheet_of(parts))
        typer.echo(f"samples: {sheet}")
    if any(part.faults for part in parts):
        raise typer.Exit(1)
