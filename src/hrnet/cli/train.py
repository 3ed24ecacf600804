"""`hrnet train`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.errors import HRNetError, UsageError

if TYPE_CHECKING:
    from hrnet.settings import Recipe

OVERRIDE = re.compile(r"^[A-Za-z_0-9.-]+=")


def train(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA... [KEY=VALUE ...]",
            help="'synthetic', the folder of LSPET, or COCO-style JSONs; then recipe fields such as optim.lr=1e-4. "
            "A set named twice counts twice.",
        ),
    ],
    recipe: Annotated[str, typer.Option(help="Recipe by name, or a YAML file as in a run folder.")] = "small_256x192",
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="WEIGHTS",
            help="Start from a file, a published name, or embedded: what ships for the recipe, else for top-down pose. "
            "Few samples get a schedule of their own.",
        ),
    ] = None,
    new_head: Annotated[bool, typer.Option("--new-head", help="Of --from, take everything but the head.")] = False,
    trunk: Annotated[bool, typer.Option("--trunk", help="Of --from, take the trunk alone.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="Run folder; default runs/RECIPE.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with an interrupted run, exactly.")] = None,
    val: Annotated[
        list[str] | None, typer.Option(metavar="DATA", help="Validation set; default: the val part of DATA.")
    ] = None,
    devices: Annotated[int | None, typer.Option(help="Devices (processes on a CPU) of each machine.")] = None,
    num_nodes: Annotated[int | None, typer.Option(help="Machines that train together.")] = None,
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Where the pictures of JSONs lie, if not beside them.")
    ] = None,
) -> None:
    """Train a recipe; the run folder then holds weights, recipe, logs, curves and validation pictures."""
    from hrnet import catalogue, trainer
    from hrnet.finetuning import adapted
    from hrnet.weights.files import Start

    changes = dict(text.split("=", 1) for text in data if OVERRIDE.match(text))
    changes |= {f"training.{name}": str(n) for name, n in (("devices", devices), ("nodes", num_nodes)) if n is not None}
    sets = [text for text in data if not OVERRIDE.match(text)]
    if not sets:
        raise UsageError("no data to train on: name 'synthetic', the folder of LSPET, or a COCO-style JSON")
    if start is None and (new_head or trunk):
        raise UsageError("--new-head and --trunk say what to take of other weights: name them with --from")
    if resume is not None:
        if changes or start or out:
            raise UsageError(
                "--resume goes on with the run's own recipe, weights and folder: leave --from, --out and key=value out"
            )
        chosen, out = recipe_of_run(resume), resume
    elif start:
        chosen, notes = adapted(catalogue.recipe(recipe), sets, images or (), changes)
        typer.echo("\n".join(notes))
    else:
        chosen = catalogue.recipe(recipe).override(changes)
    out = out or Path("runs") / chosen.name.split("/")[1]
    first = Start(catalogue.weights_file(start, chosen), new_head, trunk) if start else None
    best = trainer.train(
        chosen, sets, out, start=first, resume=resume, validation=val or (), images=images or (), say=typer.echo
    )
    typer.echo(f"weights: {best}")
    typer.echo(f"next:    hrnet predict PHOTO --weights {best}")


def recipe_of_run(folder: Path) -> "Recipe":
    """The recipe by which an interrupted run was trained."""
    from hrnet import catalogue

    if not (folder / "recipe.yaml").is_file():
        raise HRNetError(f"{folder} holds no recipe.yaml: name the folder of a run that was interrupted")
    return catalogue.recipe(str(folder / "recipe.yaml"))
