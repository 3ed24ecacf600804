"""The way of docs/own-keypoints.md, command by command, on a few drawn figures whose joints have names of their own."""

import json
import os
import subprocess
import sys

import pytest
from drawn import coco_file


def labelled(path, count):
    """A set of figures; three of its joints keep a name that the embedded weights know."""
    content = json.loads(coco_file(path, count).read_text())
    category = content["categories"][0]
    category["name"] = "doll"
    category["keypoints"] = [n if "ankle" in n or n == "nose" else f"{n}_of_wood" for n in category["keypoints"]]
    path.write_text(json.dumps(content))


@pytest.mark.slow
def test_from_labels_to_drawn_predictions(tmp_path):
    for name, count in (("train", 24), ("val", 4)):
        (tmp_path / name).mkdir()
        labelled(tmp_path / name / f"{name}.json", count)

    def hrnet(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "hrnet", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    hrnet("check", "train/train.json")
    assert "17 keypoints" in hrnet("init-skeleton", "train/train.json")
    small = ("training.epochs=1", "training.workers=0", "model.input_size=[64,64]")
    said = hrnet(
        "train", "train/train.json", "--val", "val/val.json", "--from", "embedded", "--out", "runs/dolls", *small
    )
    assert "keypoints: the 17 of train/train.json (doll)" in said and "batches of 8" in said
    assert "joints that start by name: nose, left_ankle, right_ankle" in said
    assert "PCK@0.1" in hrnet("evaluate", "val/val.json", "--weights", "runs/dolls/best.safetensors")
    hrnet("predict", "val/0.png", "--weights", "runs/dolls/best.safetensors", "--out", "drawn")
    (picture,) = json.loads((tmp_path / "drawn/poses.json").read_text())["images"]
    assert (tmp_path / "drawn/0.jpg").exists() and picture["poses"]
