"""The program as a process of its own: without a package that it needs, and stopped by its user."""

import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch
from drawn import TINY
from PIL import Image

from hrnet.datasets.synthetic import figures
from hrnet.weights.files import save_weights


@pytest.fixture
def folder(tmp_path):
    """A folder with a picture, a recipe, and random weights of it."""
    Image.fromarray(figures(1, size=(48, 64)).records[0].image).save(tmp_path / "fine.png")
    torch.manual_seed(0)
    save_weights(tmp_path / "tiny.safetensors", TINY.model.build(), TINY.to_yaml(), {"licence": "none"})
    (tmp_path / "tiny.yaml").write_text(TINY.to_yaml())
    return tmp_path


@pytest.mark.parametrize(
    "package, command, words",
    [
        ("torch", "predict fine.png --weights tiny.safetensors", ["pip install torch", "hrnet export"]),
        ("lightning", "train synthetic --recipe tiny.yaml", ["pip install 'hrnet[train]'"]),
        ("safetensors", "predict fine.png --weights tiny.safetensors", ["pip install safetensors"]),
    ],
)
def test_a_missing_package_is_named(package, command, words, folder):
    blocked = f"import sys; sys.modules[{package!r}] = None; from hrnet.cli.main import run; run()"
    done = subprocess.run([sys.executable, "-c", blocked, *command.split()], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_a_warning_is_a_sentence(folder):
    (folder / "file").write_text("no folder")
    command = [sys.executable, "-m", "hrnet", "predict", "fine.png", "--weights", "tiny.safetensors", "--no-draw"]
    environment = os.environ | {"HRNET_CACHE": str(folder / "file")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "cannot be kept" in line]
    assert done.returncode == 0 and len(told) == 1 and told[0].startswith("Warning: the choice of an engine")
    assert "choosing.py" not in done.stderr


@pytest.mark.slow
def test_an_interrupted_prediction_keeps_what_is_done(folder):
    for k in range(2000):
        (folder / f"many_{k}.png").symlink_to(folder / "fine.png")
    command = [sys.executable, "-c", "from hrnet.cli.main import run; run()", "predict", "many_*.png"]
    options = ["--weights", "tiny.safetensors", "--engine", "torch", "--precision", "fp32", "--no-draw"]
    # Shells let what they run in the background ignore Ctrl-C, and its children inherit that.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    streams = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *options], cwd=folder, preexec_fn=heard, **streams) as process:
        for line in process.stdout:
            if line.startswith("many_"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    images = json.loads((folder / "out/poses.json").read_text())["images"]
    assert 1 <= len(images) < 2000 and f"{len(images)} of 2000 pictures done" in rest
