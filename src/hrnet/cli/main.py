"""`hrnet`: the verbs put together, and errors turned into one sentence and an exit status."""

import os
import sys
import warnings

import typer

from hrnet.cli.benchmark import benchmark
from hrnet.cli.check import check
from hrnet.cli.convert import convert
from hrnet.cli.evaluate import evaluate
from hrnet.cli.export import export
from hrnet.cli.init_skeleton import init_skeleton
from hrnet.cli.models import models
from hrnet.cli.predict import predict
from hrnet.cli.train import train
from hrnet.errors import HRNetError, UsageError

app = typer.Typer(
    name="hrnet",
    help="High-resolution networks: from a photograph to a pose, trained, evaluated and fast.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in (predict, train, evaluate, check, export, benchmark, models, convert, init_skeleton):
    app.command()(verb)


EXTRAS = {"train": ("lightning", "tensorboard", "matplotlib", "pycocotools"), "onnx": ("onnx", "onnxscript")}


def version(value: bool) -> None:
    """Print the version and stop."""
    if value:
        from importlib.metadata import version as installed

        typer.echo(f"hrnet {installed('hrnet')}")
        raise typer.Exit


@app.callback()
def options(
    _: bool = typer.Option(False, "--version", callback=version, is_eager=True, help="Show the version and exit."),
) -> None:
    """Options of the program itself."""


def run() -> None:
    """Entry point: exit 0 when all went well, 1 for bad input, 2 for wrong use; never a traceback for either, and
    warnings as sentences, without the line of code that they come from."""
    warnings.formatwarning = lambda message, *_: f"Warning: {message}\n"
    try:
        app()
    except HRNetError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except ModuleNotFoundError as error:
        typer.echo(f"Error: {missing(error)}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`hrnet models | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def missing(error: ModuleNotFoundError) -> str:
    """One sentence about a package that is not installed: a core installation trains nothing, and an exported network
    predicts with few packages."""
    package = (error.name or str(error)).partition(".")[0]
    if package == "hrnet":
        raise error
    if package == "torch":
        return "this needs torch: pip install torch, or name with --weights what hrnet export wrote"
    extra = next((name for name, packages in EXTRAS.items() if package in packages), None)
    return f"this needs the package {package}: pip install " + (f"'hrnet[{extra}]'" if extra else package)
