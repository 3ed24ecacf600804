"""`hrnet convert`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hrnet.errors import UsageError

if TYPE_CHECKING:
    from hrnet.weights.recognise import Recognised

OUT_HELP = "File to write: .safetensors; with --to also .pth, torch.save's form. Without it FILE is only explained."
TO_HELP = "Whose names OUT gets: published, mmpose0, mmpose1, mmseg, mmdet, timm. Default: our file, recipe inside."
GAINS_HELP = "Batch-norm gains as they are, or |g| + 1e-5 as InPlaceABN counts them; auto: by the file."


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Any checkpoint: .pth, .pth.tar, .safetensors ...")],
    out: Annotated[Path | None, typer.Argument(metavar="[OUT]", help=OUT_HELP)] = None,
    to: Annotated[str | None, typer.Option(metavar="LAYOUT", help=TO_HELP)] = None,
    recipe: Annotated[str | None, typer.Option(help="Recipe to fill; default: the only one that fits.")] = None,
    new_head: Annotated[bool, typer.Option("--new-head", help="Leave the recipe's head at starting values.")] = False,
    trunk: Annotated[bool, typer.Option("--trunk", help="Take the trunk alone; the rest starts anew.")] = False,
    part: Annotated[str | None, typer.Option(help="Which of several state dicts, such as best_state_dict.")] = None,
    gains: Annotated[Literal["auto", "plain", "absolute"], typer.Option(help=GAINS_HELP)] = "auto",
) -> None:
    """Say what a weights file is; with OUT, write it as a file of ours, or in the names of others."""
    from hrnet import catalogue
    from hrnet.weights import converting, files
    from hrnet.weights.recognise import recognise

    found = recognise(file, part)
    if to is not None:
        if out is None or recipe or new_head or trunk:
            raise UsageError("--to changes names alone: name OUT, and leave --recipe, --new-head and --trunk out")
        explain(found)
        done = converting.convert(found, out, to, gains)
        folded = f", {', '.join(done.folded)} in the running means" if done.folded else ""
        typer.echo(f"written      {out}: {done.tensors} tensors named as in {done.layout.title}{folded}")
    elif recipe is None and out is None:
        explain(found)
        if found.network is None:
            raise typer.Exit(1)
        inside = catalogue.recipe_in(file)
        fits = f"{inside.name}, inside the file" if inside else ", ".join(catalogue.fitting(found))
        typer.echo(f"recipes      {fits or 'none of this version runs it'}")
    else:
        if out is not None and out.suffix != ".safetensors":
            raise UsageError(
                f"{out}: our file ends in .safetensors; --to published writes .pth with the published names"
            )
        chosen = catalogue.recipe_for(found, recipe)
        network = chosen.model.build()
        report = files.compare_weights(network, file, new_head=new_head, trunk=trunk, part=part)
        typer.echo(f"{report}\nrecipe       {chosen.name}")
        if refusal := report.refusal():
            raise refusal
        if out is not None:
            files.fill(network, report, gains)
            card = dict(report.meta.get("card", {})) | {"converted_from": file.name, "layout": str(found)}
            files.save_weights(out, network, chosen.to_yaml(), card, half=False)
            typer.echo(f"written      {out}\nnext:        hrnet predict PHOTO --weights {out}")


def explain(found: "Recognised") -> None:
    """Print what a file is."""
    from hrnet.weights.report import aligned, explained

    typer.echo("\n".join(aligned(explained(found))))
