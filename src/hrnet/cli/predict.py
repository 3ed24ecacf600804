"""`hrnet predict`."""

import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hrnet.errors import HRNetError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from hrnet.datasets.boxes import BoxesFile
    from hrnet.predictor import Predictor
    from hrnet.results.kinds import Kind

MOST_DRAWINGS = 4  # waiting for their turn; each holds only its poses
BOXES_HELP = (
    'JSON list of {"file_name" or "image_id", "bbox": [x, y, w, h], "score"?}. '
    "In pictures that it does not name, people are looked for."
)


def predict(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Pictures, folders of pictures, patterns.")],
    task: Annotated[
        str | None,
        typer.Option(
            help="pose_topdown, pose_bottomup or segmentation; default: bottom-up finds people, top-down looks at each."
        ),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="Recipe of the weights; default: the one they carry.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights file; default: the embedded weights.")] = None,
    boxes: Annotated[Path | None, typer.Option(metavar="FILE", help=BOXES_HELP)] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for drawn pictures and results.")] = Path("out"),
    form: Annotated[Literal["json", "coco", "csv"], typer.Option("--format", help="How results are written.")] = "json",
    draw: Annotated[bool, typer.Option("--draw/--no-draw", help="Write pictures with results drawn.")] = True,
    min_score: Annotated[float, typer.Option(help="Joints scored below are not drawn.")] = 0.3,
    refine: Annotated[
        bool | None,
        typer.Option(
            "--refine/--no-refine",
            help="Pass people found bottom-up to the top-down network; default: yes where no task, recipe or weights "
            "are named.",
        ),
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(metavar="PX", min=1, help="Bottom-up: shorter side of a picture as the network sees it."),
    ] = None,
    engine: Annotated[
        Literal["auto", "torch", "onnx", "openvino"],
        typer.Option(help="What runs the network; auto measures once which is fastest here, and remembers it."),
    ] = "auto",
    precision: Annotated[
        Literal["fp32", "bf16", "fp16", "int8"] | None,
        typer.Option(help="Arithmetic of the network; default: the fastest that keeps the answers."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="A torch device such as cpu or cuda; means --engine torch.")
    ] = None,
) -> None:
    """Find poses, classes of pixels or classes of pictures in photographs and write them, drawn and as data."""
    from hrnet.datasets.boxes import read_boxes
    from hrnet.images import find_images, output_folder, write_text
    from hrnet.predictor import Predictor
    from hrnet.results.kinds import KINDS

    output_folder(out)
    people = read_boxes(boxes) if boxes else None
    paths, failures = find_images(inputs)
    named: dict[str, Any] = {"task": task, "refine": refine, "input_size": input_size}
    predictor = Predictor(recipe, weights, engine=engine, precision=precision, device=device, **named)
    kind = KINDS[predictor.recipe.results]
    if people is not None and not predictor.takes_boxes:
        raise UsageError(f"{predictor.recipe.name} takes no boxes: leave --boxes out")
    if people is not None and paths and not any(people.of(path) for path in paths):
        raise HRNetError(f"{boxes} names none of the pictures: check that it belongs to them, or leave --boxes out")
    check_writing(kind, form, paths, out)
    looking = predictor if people else predictor.without_boxes
    while looking is not None:
        typer.echo(f"engine: {looking.engine_note}")
        looking = looking.second
    files = drawings(paths, out) if draw or kind.beside else {}
    began = time.perf_counter()
    rows, failed, stopped = predicted(paths, predictor, people, kind, Sheets(files, draw, min_score))
    spent = time.perf_counter() - began
    failures += failed
    file = out / f"{kind.name}.{'csv' if form == 'csv' else 'json'}"
    if rows:  # else what an earlier run wrote stays
        write_text(file, kind.formats[form](rows))
    total = len(paths) + len(failures) - len(failed)
    drawn = f", pictures in {out}" if draw else ""
    written = f": {file}{drawn}" if rows else ", nothing is written"
    interrupted = "interrupted: " if stopped else ""
    typer.echo(f"\n{interrupted}{len(rows)} of {total} pictures done in {spent:.1f} s{written}")
    for error in failures:
        typer.echo(f"Error: {error}", err=True)
    if stopped or failures:
        raise typer.Exit(130 if stopped else 1)


def check_writing(kind: "Kind", form: str, paths: list[Path], out: Path) -> None:
    """Refuse a format that a kind of results has not, and a folder whose files could be written over."""
    if form not in kind.formats:
        raise UsageError(f"{kind.name} cannot be written as {form}: use --format {' or '.join(kind.formats)}")
    if kind.beside is not None and out.resolve() in {path.resolve().parent for path in paths}:
        raise HRNetError(f"{out} holds the pictures, and label files beside them could be lost: name another --out")


@dataclass(frozen=True)
class Sheets:
    """Where each picture's drawing goes, and whether and how it is drawn."""

    files: dict[Path, Path]
    draw: bool
    min_score: float


def predicted(
    paths: list[Path], predictor: "Predictor", people: "BoxesFile | None", kind: "Kind", sheets: Sheets
) -> tuple[list[Any], list[HRNetError], bool]:
    """Predict all pictures, print a line for each, write what goes beside them; rows, what went wrong, and whether the
    user stopped it: what was done until then is kept."""
    rows, failures, stopped = [], [], False
    times = Counter(path.name for path in paths)
    names = {path: path.name if times[path.name] == 1 else path.as_posix() for path in paths}
    width = max(map(len, names.values()), default=7)
    typer.echo(f"{'picture':<{width}}  {kind.columns}")
    with ThreadPoolExecutor(2) as artists:
        drawing: deque[Future[None]] = deque()
        try:
            for path, size, results in found(paths, predictor, people):
                if isinstance(results, HRNetError):
                    failures.append(results)
                    continue
                if path in sheets.files:
                    drawing.append(artists.submit(write_beside, path, predictor, results, kind, sheets))
                while len(drawing) > MOST_DRAWINGS:
                    failures += fault_of(drawing.popleft())
                rows.append(kind.row(names[path], size, results))
                typer.echo(f"{names[path]:<{width}}  {kind.line(results)}")
        except KeyboardInterrupt:
            stopped = True
        for done in drawing:
            failures += fault_of(done)
    return rows, failures, stopped


def fault_of(drawing: "Future[None]") -> list[HRNetError]:
    """What went wrong with a drawing, if anything did."""
    try:
        drawing.result()
    except HRNetError as error:
        return [error]
    return []


def found(
    paths: list[Path], predictor: "Predictor", people: "BoxesFile | None"
) -> "Iterator[tuple[Path, tuple[int, int], list[Any] | HRNetError]]":
    """Each picture with its width and height, and its results or what was wrong with it."""
    from hrnet.images import read_image

    sizes: dict[Path, tuple[int, int]] = {}

    def read(path: Path) -> "np.ndarray":
        image = read_image(path)
        sizes[path] = image.shape[1], image.shape[0]
        return image

    def item(path: Path) -> tuple:
        return partial(read, path), *((people.of(path) if people else None) or (None, None))

    for path, results in zip(paths, predictor.stream(item(path) for path in paths), strict=True):
        if isinstance(results, HRNetError) and path in sizes:  # read, so it is the boxes that do not fit
            results = HRNetError(f"{path}: {f'{people.path}: ' if people else ''}{results}")
        yield path, sizes.pop(path, (0, 0)), results


def write_beside(path: Path, predictor: "Predictor", results: list[Any], kind: "Kind", sheets: Sheets) -> None:
    """Write a picture with its results drawn, and what else belongs to its kind. The picture is read again, so that
    none waits in memory for its drawing."""
    from hrnet.images import read_image, write_image

    if sheets.draw:
        write_image(sheets.files[path], predictor.draw(read_image(path), results, sheets.min_score))
    if kind.beside is not None:
        kind.beside(sheets.files[path].with_suffix(""), results)


def drawings(paths: list[Path], out: Path) -> dict[Path, Path]:
    """A file in `out` for each drawing: the picture's own name, with a number where two folders use the same."""
    files: dict[Path, Path] = {}
    taken: set[str] = set()
    for path in paths:
        name, number = f"{path.stem}.jpg", 1
        while name.casefold() in taken:
            number += 1
            name = f"{path.stem}_{number}.jpg"
        taken.add(name.casefold())
        files[path] = out / name
    originals = {path.resolve() for path in paths}
    for file in files.values():
        if file.resolve() in originals:
            raise HRNetError(f"{file} would be replaced by its drawing: name another folder with --out")
    return files
