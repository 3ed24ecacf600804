"""`hrnet init-skeleton`."""

from pathlib import Path
from typing import Annotated

import typer

from hrnet.errors import HRNetError


def init_skeleton(
    data: Annotated[str, typer.Argument(help="Labels with keypoints of your own; a COCO-style JSON, for instance.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: skeleton.yaml beside the labels.")] = None,
) -> None:
    """Write a first skeleton file from the labels: their names, limbs, and pairs guessed from left and right."""
    from hrnet.datasets.opening import SKELETON_FILE, skeleton_in
    from hrnet.datasets.skeleton_files import skeleton_text
    from hrnet.images import write_text

    path = Path(data)
    out = out or (path if path.is_dir() else path.parent) / SKELETON_FILE
    if out.exists():
        raise HRNetError(f"{out} exists already: change it by hand, or name another file with --out")
    skeleton = skeleton_in(path)
    write_text(out, skeleton_text(skeleton))
    typer.echo(
        f"{out}: {len(skeleton)} keypoints, {len(skeleton.limbs)} limbs, {len(skeleton.flip_pairs)} pairs of left and "
        "right; look it through"
    )
    typer.echo(f"next: hrnet train {data} model.skeleton={out}")
