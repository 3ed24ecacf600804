"""Planted faults of label maps are found by file and value, and classes are counted."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hrnet.cli.main import app
from hrnet.doctor.label_maps import examine_label_maps, sheet_of, to_text, to_values
from hrnet.errors import HRNetError


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "val"):
        for part in ("images", "labels"):
            (tmp_path / part / split).mkdir(parents=True)
        for k in range(3):
            Image.new("RGB", (8, 6), (90, 90, 90)).save(tmp_path / f"images/{split}/{k}.png")
            labels = np.zeros((6, 8), np.uint8)
            labels[:, :2], labels[0] = 1, 255
            Image.fromarray(labels).save(tmp_path / f"labels/{split}/{k}.png")
    (tmp_path / "classes.txt").write_text("sky\nroad\ntree\n")
    return tmp_path


def test_classes_are_counted(folder):
    train, val = examine_label_maps(folder)
    assert train.pictures == val.pictures == 3 and not train.faults
    assert train.pixels.tolist() == [3 * 5 * 6, 3 * 5 * 2, 0] and train.ignored == 3 * 8
    assert train.found_in.tolist() == [3, 3, 0]
    text = "\n".join(to_text([train, val]))
    assert "75.000% of pixels" in text and "never labelled" in text and "16.7% of all pixels ignored" in text
    assert sheet_of([train, val]).shape[2] == 3


@pytest.mark.parametrize(
    "spoil, kind, words",
    [
        (lambda f: Image.fromarray(np.full((6, 8), 7, np.uint8)).save(f), "unknown-label", ["0.png holds 7 (48 pix"]),
        (lambda f: Image.fromarray(np.zeros((5, 8), np.uint8)).save(f), "size-mismatch", ["8 x 5", "8 x 6"]),
        (lambda f: Image.new("RGB", (8, 6)).save(f), "unreadable", ["holds colours"]),
        (lambda f: f.write_bytes(f.read_bytes()[:50]), "unreadable", ["damaged"]),
        (lambda f: f.unlink(), "label-missing", ["0.png"]),
    ],
)
def test_faults_are_found_and_the_rest_goes_on(folder, spoil, kind, words):
    spoil(folder / "labels/train/0.png")
    train, _ = examine_label_maps(folder)
    ((found, says),) = train.faults
    assert found == kind and all(word in says for word in words), says
    assert train.pixels.sum() == 2 * 40
    assert to_values([train])["parts"][0]["faults"] == [{"kind": kind, "says": says}]


def test_the_verb_ends_with_1_where_something_is_wrong(folder):
    answer = CliRunner().invoke(
        app, ["check", str(folder), "--json", str(folder / "found.json"), "--sheet", str(folder / "sheet.png")]
    )
    assert answer.exit_code == 0, answer.output
    assert json.loads((folder / "found.json").read_text())["parts"][0]["pictures"] == 3
    assert Image.open(folder / "sheet.png").size[0] > 320
    (folder / "images/val/1.png").unlink()
    answer = CliRunner().invoke(app, ["check", str(folder)])
    assert answer.exit_code == 0  # labels without a picture belong to nothing
    (folder / "labels/val/2.png").unlink()
    answer = CliRunner().invoke(app, ["check", str(folder)])
    assert answer.exit_code == 1 and "label-missing (1)" in answer.output


def test_a_folder_without_a_class_list_asks_for_one(folder):
    (folder / "classes.txt").unlink()
    with pytest.raises(HRNetError, match=r"no class list: write classes.txt"):
        examine_label_maps(folder)
