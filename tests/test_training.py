"""A training can be killed and goes on exactly, can be interrupted, and teaches the network something."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from drawn import TINY, coco_file
from safetensors.torch import load_file

import hrnet
from hrnet import trainer
from hrnet.evaluator import evaluate
from hrnet.finetuning import adapted, begin_from
from hrnet.nets.backbone import HighResolutionModule
from hrnet.weights.files import Start, read_meta, save_weights

PROGRAM = (sys.executable, "-m", "hrnet")
RECIPE = TINY.but(training__epochs=4, training__batch_size=2, training__ema_decay=0.9, training__workers=1)


def hears_interrupts():
    """Shells let what they run in the background ignore Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """`hrnet train` in a process group of its own, as a terminal runs it."""

    def __init__(self, folder, *arguments):
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [*PROGRAM, "train", "set.json", "--val", "few.json", *map(str, arguments)],
            cwd=folder,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONUNBUFFERED": "1"},
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=hears_interrupts,
        )

    def wait_for(self, happened):
        while not happened():
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def says(self, words):
        return words in self.log.read_text()

    def end(self, number):
        """Send a signal to the whole group; the exit status."""
        os.killpg(self.process.pid, number)
        return self.process.wait()


@pytest.fixture
def folder(tmp_path):
    coco_file(tmp_path / "few.json", 4)
    coco_file(tmp_path / "set.json", 64)
    (tmp_path / "tiny.yaml").write_text(RECIPE.to_yaml())
    return tmp_path


@pytest.fixture
def start(folder):
    """`start("--out", "run")` begins a training in `folder`; one that a failed test leaves behind is ended."""
    runs = []

    def start(*arguments):
        runs.append(Run(folder, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.end(signal.SIGKILL)


def checkpoint(folder):
    """A run's last checkpoint; empty while there is none."""
    path = folder / "last.ckpt"
    return torch.load(path, map_location="cpu", weights_only=False) if path.exists() else {}


def tensors(content, name=""):
    """Every tensor inside a checkpoint, by the path that leads to it."""
    if isinstance(content, torch.Tensor):
        yield name, content
    elif isinstance(content, dict | list | tuple):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from tensors(value, f"{name}/{key}")


@pytest.mark.slow
def test_a_killed_training_goes_on_exactly(folder, start):
    whole = start("--recipe", "tiny.yaml", "--out", "whole")
    assert whole.process.wait() == 0, whole.log.read_text()

    killed = start("--recipe", "tiny.yaml", "--out", "killed")
    killed.wait_for(lambda: killed.says("epoch 2/4") and checkpoint(folder / "killed").get("epoch") == 1)
    time.sleep(0.5)  # into the third epoch
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    assert not killed.says("epoch 3/4") and checkpoint(folder / "killed")["epoch"] == 1
    resumed = start("--resume", "killed")
    assert resumed.process.wait() == 0, resumed.log.read_text()
    assert resumed.says("epoch 3/4") and not resumed.says("epoch 2/4")

    one, other = checkpoint(folder / "whole"), checkpoint(folder / "killed")
    assert one["epoch"] == other["epoch"] == 3 and one["global_step"] == other["global_step"] == 4 * 32
    assert one["lr_schedulers"] == other["lr_schedulers"]
    # averaged weights, current weights, how often they were averaged, and both moments of each weight
    parts = ("state_dict", "current_model_state", "averaging_state", "optimizer_states")
    expected, found = ({part: dict(tensors(each[part])) for part in parts} for each in (one, other))
    for part in parts:
        assert expected[part] and expected[part].keys() == found[part].keys()
        assert [name for name, value in expected[part].items() if not torch.equal(value, found[part][name])] == []
    for name in ("best", "last"):
        one, other = (load_file(folder / run / f"{name}.safetensors") for run in ("whole", "killed"))
        assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.slow
def test_two_processes_learn_as_one_with_the_same_global_batch(folder, start):
    still = {"augmentation.flip": 0, "augmentation.rotation": 0, "augmentation.scale": 0, "augmentation.colour": 0}
    still |= {"augmentation.cut_off": 0, "augmentation.half_body": 0, "augmentation.shift": 0, "augmentation.blur": 0}
    same = {
        **still,
        "training.batch_norm": "frozen",
        "training.ema_decay": 0,
        "training.epochs": 3,
        "codec.kind": "gaussian",
    }
    changes = [f"{name}={value}" for name, value in same.items()]
    runs = {
        "one": ("training.batch_size=8",),
        "two": ("training.batch_size=4", "--devices", "2"),
    }
    for name, more in runs.items():
        run = start("--recipe", "tiny.yaml", "--out", name, *changes, *more)
        assert run.process.wait() == 0, run.log.read_text()
    one, two = (np.genfromtxt(folder / name / "metrics.csv", delimiter=",", names=True) for name in runs)
    np.testing.assert_allclose(two["trainloss"], one["trainloss"], rtol=0, atol=1e-5)
    assert one["trainloss"][-1] < one["trainloss"][0] and len(one) == 3


def test_recomputing_saves_the_same_gradients_and_statistics():
    images = torch.rand(2, 3, 64, 64)
    kept, again = TINY.model.build(), TINY.model.build()
    again.load_state_dict(kept.state_dict())
    for module in again.modules():
        if isinstance(module, HighResolutionModule):
            module.recompute = True
    for network in (kept, again):
        network(images).square().mean().backward()
    for (name, one), other in zip(kept.named_parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, msg=name)
    for (name, one), other in zip(kept.named_buffers(), again.buffers(), strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=0, msg=name)


def test_statistics_over_devices_keep_every_name():
    network = TINY.model.build()
    synced = torch.nn.SyncBatchNorm.convert_sync_batchnorm(TINY.model.build())
    assert list(synced.state_dict()) == list(network.state_dict())
    norms = [module for module in synced.modules() if isinstance(module, torch.nn.SyncBatchNorm)]
    assert len(norms) == sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()) > 20


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_leaves_weights_and_says_how_to_go_on(number, folder, start):
    run = start("--recipe", "tiny.yaml", "--out", "run")
    run.wait_for(lambda: run.says("epoch 1/4"))
    assert run.end(number) == 128 + number
    log = run.log.read_text()
    assert "interrupted: the weights so far are in last.safetensors; go on with --resume" in log
    assert "Traceback" not in log
    predictor = hrnet.Predictor(folder / "run/last.safetensors", device="cpu")
    assert predictor.recipe == RECIPE and len(predictor(np.zeros((64, 48, 3), np.uint8))) == 1


def test_a_training_fills_its_folder(folder, capsys):
    recipe = TINY.but(training__epochs=2, training__validate_every=2)
    weights = hrnet.train(recipe, [folder / "set.json"], folder / "run", validation=[folder / "few.json"], say=print)
    assert weights == folder / "run/best.safetensors"
    names = {"recipe.yaml", "best.safetensors", "last.safetensors", "last.ckpt", "curves.png", "validation.jpg", "logs"}
    assert names <= set(os.listdir(folder / "run"))
    assert hrnet.recipe(str(folder / "run/recipe.yaml")) == recipe
    card = read_meta(weights)["card"]
    assert card["data"] == ["set (64 pictures)"] and card["samples"] == 64
    first, second = (line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch "))
    assert "val/AP" not in first and "val/AP" in second and "train/loss" in first


@pytest.mark.parametrize("computes, precision", [(True, "bf16"), (False, "32"), (None, "32")])
def test_bf16_is_not_imitated(computes, precision, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(trainer, "computes_bf16", lambda: computes)
    said = []
    assert trainer.for_this_machine(TINY.but(training__precision="bf16"), said.append).training.precision == precision
    assert len(said) == (precision == "32")


def test_a_run_keeps_what_was_asked_for_and_its_weights_what_was_done(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(trainer, "computes_bf16", lambda: False)
    recipe = TINY.but(training__epochs=1, training__precision="bf16")
    weights = hrnet.train(recipe, [folder / "few.json"], folder / "run", validation=[folder / "few.json"])
    assert hrnet.recipe(str(folder / "run/recipe.yaml")) == recipe
    assert hrnet.Predictor(weights, device="cpu").recipe.training.precision == "32"


def test_pictures_that_a_recipe_keeps_for_tests_are_named(folder):
    _, notes = adapted(TINY.but(without=("0",)), [str(folder / "few.json")])
    assert any("0.png" in note for note in notes)


@pytest.mark.slow
def test_a_short_training_finds_the_joints_of_unseen_figures(tmp_path):
    recipe = hrnet.recipe("small_256x192").but(model__input_size=(96, 128), training__epochs=3)
    weights = hrnet.train(recipe, ["synthetic"], tmp_path)
    figures = evaluate(hrnet.Predictor(weights), "synthetic", "val")
    assert figures["people"] == 64 and figures["metrics"]["PCK@0.2"] > 0.25


def test_fine_tuning_takes_keypoints_schedule_and_named_joints_from_the_data(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    content = json.loads((folder / "set.json").read_text())
    content["categories"][0]["keypoints"][1:3] = ["left_antenna", "right_antenna"]
    (folder / "own.json").write_text(json.dumps(content))
    save_weights(folder / "start.safetensors", TINY.model.build(), TINY.to_yaml(), {}, half=False)

    recipe, notes = adapted(TINY, ["own.json"])
    assert recipe.model.keypoints.keypoints[:3] == ("nose", "left_antenna", "right_antenna")
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.optim.schedule) == (100, 8, "cosine")
    assert "keypoints: the 17 of own.json" in notes[0] and "100 epochs of 64 samples in batches of 8" in notes[1]

    torch.manual_seed(1)
    network = recipe.model.build()
    fresh = network.final_layer.weight.detach().clone()
    said = begin_from(recipe, network, Start(folder / "start.safetensors"))
    old = load_file(folder / "start.safetensors")
    assert "by name: nose, left_ear" in said and "antenna" not in said.split("by name:")[1]
    for k, name in enumerate(recipe.model.keypoints.keypoints):
        expected = fresh[k] if "antenna" in name else old["final_layer.weight"][k]
        assert torch.equal(network.final_layer.weight[k], expected)
    assert torch.equal(network.conv1.weight, old["conv1.weight"])


def test_what_the_user_sets_stays_and_what_it_adds_to_the_samples_counts(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("hrnet.finetuning.FEW", 65)
    recipe, notes = adapted(TINY, ["set.json"], changes={"training.epochs": "3", "optim.lr": "0.01"})
    assert (recipe.training.epochs, recipe.optim.lr, recipe.training.batch_size) == (3, 0.01, 8)
    assert notes == ["schedule: 3 epochs of 64 samples in batches of 8, learning rate 0.01, cosine"]
    recipe, notes = adapted(TINY, ["set.json", "set.json"])
    assert recipe == TINY and "of 128 samples" in notes[0]
