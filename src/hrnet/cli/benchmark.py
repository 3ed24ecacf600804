"""`hrnet benchmark`."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrnet.errors import UsageError
from hrnet.machine import cores

if TYPE_CHECKING:
    from hrnet.benchmark.network import Report
    from hrnet.settings import Recipe


def benchmark(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Recipe whose network is measured.")
    ] = "small_256x192",
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Batch sizes, repeatable; default: 1 and 8, for --train the recipe's."),
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Measure a training step, not the network.")] = False,
    pictures: Annotated[
        list[str] | None, typer.Option(metavar="INPUT", help="Measure from these picture files to poses.")
    ] = None,
    boxes: Annotated[Path | None, typer.Option(metavar="FILE", help="Boxes of the pictures, as for predict.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights for --pictures; default: the embedded ones.")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Measure OpenVINO in int8 too (needs nncf).")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Processors to use; default: all.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")] = None,
    plot_file: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Write a plot (.png, .svg).")] = None,
) -> None:
    """Measure how fast a network runs here, by every engine installed, beside eager fp32 in the same run."""
    from hrnet import catalogue
    from hrnet.benchmark.network import benchmark as measure
    from hrnet.benchmark.network import plot
    from hrnet.images import output_folder, write_text

    chosen, report = catalogue.recipe(recipe), None
    options = {"--int8": int8, "--plot": plot_file, "--weights": weights, "--boxes": boxes, "--pictures": pictures}
    check_options([name for name, value in options.items() if value], train)
    if pictures and not chosen.name.startswith("pose_topdown/"):
        raise UsageError(f"--pictures measures top-down pose, and {chosen.name} is another task: leave it out")
    for file in filter(None, (json_file, plot_file)):
        output_folder(file.parent)
    if threads:
        limit(threads)
    typer.echo(f"measuring {chosen.name}, minutes on a slow machine", err=True)
    if train:
        text, figures = steps(chosen, batch or [chosen.training.batch_size])
    elif pictures:
        text, figures = streams(recipe, weights, pictures, boxes, batch or [1, 8])
    else:
        report = measure(chosen, batch or (1, 8), int8=int8)
        text, figures = lines(report), asdict(report)
    typer.echo("\n".join(text))
    if json_file is not None:
        write_text(json_file, json.dumps(figures, indent=1) + "\n")
    if plot_file is not None and report is not None:
        plot(report, plot_file)


def check_options(given: list[str], train: bool) -> None:
    """Refuse options that have no part in what is measured: a training step, files to poses, or a network."""
    measured, fitting = "without --pictures a network is measured", {"--int8", "--plot"}
    if train:
        measured, fitting = "--train measures a training step", set()
    elif "--pictures" in given:
        measured, fitting = "--pictures measures from files to poses", {"--pictures", "--weights", "--boxes"}
    for name in given:
        if name not in fitting:
            raise UsageError(f"{measured}, in which {name} has no part: leave it out")


def limit(threads: int) -> None:
    """Use so many processors, whatever library runs on them."""
    import torch

    if threads > cores():
        raise UsageError(f"there are {cores()} processors here, not {threads}: give --threads a smaller number")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    torch.set_num_threads(threads)


def steps(recipe: "Recipe", batches: list[int]) -> tuple[list[str], Any]:
    """Training steps as text and as figures."""
    from hrnet.benchmark.training import training_step

    text, figures = [], []
    for size in batches:
        step = training_step(recipe, size)
        text.append(f"{step.recipe}, a training step of {size}, loading included")
        for name, seconds in step.seconds.items():
            text.append(f"  {name:<38} {seconds:>8.3f} s   {step.peak_memory_mib[name]:>8.0f} MiB at most so far")
        text.append(f"  {step.ratio} x faster than as published")
        figures.append(asdict(step))
    return text, figures


def streams(
    recipe: str, weights: Path | None, pictures: list[str], boxes: Path | None, batches: list[int]
) -> tuple[list[str], Any]:
    """Pipelines as text and as figures."""
    from hrnet.benchmark.pipeline import measure_pipeline
    from hrnet.datasets.boxes import read_boxes
    from hrnet.images import find_images
    from hrnet.predictor import Predictor

    paths, failures = find_images(pictures)
    if failures:
        raise failures[0]
    people = read_boxes(boxes) if boxes else None
    items: list[Any] = [(path, *((people.of(path) if people else None) or (None, None))) for path in paths]
    text, figures = [], []
    for size in batches:
        changes = {"testing.batch_size": size, "testing.search": False}
        done = measure_pipeline(Predictor(recipe, weights, changes=changes), items)
        text.append(f"{done.recipe} by {done.engine}, {done.people} people in {done.pictures} files, batches of {size}")
        text += [f"  {name:<34} {ms:>8.2f} ms per person" for name, ms in done.ms_per_person.items()]
        text.append(f"  {done.share_of_engine} of the bare engine, {done.times_published} x the published pipeline")
        figures.append(asdict(done))
    return text, figures


def lines(report: "Report") -> list[str]:
    """The report as a table."""
    width, height = report.size
    versions = ", ".join(f"{name} {number}" for name, number in report.machine["versions"].items() if number)
    load = "" if report.load is None else f", load {report.load:.1f}"
    peaks = ", ".join(f"{name} {peak:.0f} GFLOP/s" for name, peak in report.peak_gflops.items())
    texts = [
        f"{report.recipe} {width}x{height}, {report.gflops_per_picture} GFLOP per picture",
        f"{report.machine['processor'].split(';')[0]}, {report.threads} processors{load}; {versions}",
        f"large matrix products here: {peaks}",
        "",
        f"{'':<18} {'batch':>5} {'ms/picture':>11} {'middle half':>16} {'x eager':>8} {'of peak':>8}",
    ]
    for row in report.rows:
        spread = f"{row.quartiles_ms[0]:.2f} to {row.quartiles_ms[1]:.2f}"
        share = f"{100 * row.peak_share:.0f} %" if row.peak_share else "-"
        texts.append(f"{row.way:<18} {row.batch:>5} {row.median_ms:>11.2f} {spread:>16} {row.ratio:>8.2f} {share:>8}")
    return [*texts, f"peak memory of this process: {report.peak_memory_mib:.0f} MiB", *report.left_out]
