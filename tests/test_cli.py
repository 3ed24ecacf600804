"""The command line: exit status 0, 1 for bad input, 2 for wrong use; one sentence each, never a traceback."""

import csv
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from drawn import TINY, coco_file
from PIL import Image

import hrnet
from hrnet.cli.main import run
from hrnet.datasets.skeleton import COCO
from hrnet.datasets.skeleton_files import read_skeleton
from hrnet.datasets.synthetic import figures
from hrnet.weights.files import save_weights

PICTURE = figures(1, size=(48, 64)).records[0].image


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def call(tmp_path, monkeypatch, capfd):
    """`call("predict", "a.jpg")` runs the program in `tmp_path`, where a picture and tiny random weights lie."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PICTURE).save("fine.png")
    torch.manual_seed(0)
    save_weights(Path("tiny.safetensors"), TINY.model.build(), TINY.to_yaml(), {"licence": "none"})
    Path("tiny.yaml").write_text(TINY.to_yaml())

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hrnet", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run()
        answer = Answer(end.value.code or 0, *capfd.readouterr())
        assert "Traceback" not in answer.err
        return answer

    return call


def predict(call, *arguments):
    return call("predict", *arguments, "--weights", "tiny.safetensors", "--engine", "torch")


def refused(answer, code, words):
    """Nothing but one sentence, which holds the words."""
    *usage, sentence = answer.err.strip().splitlines()
    assert answer.code == code, answer
    assert sentence.startswith("Error: ") and all(word in sentence for word in words), sentence
    assert not usage or (code == 2 and usage[0].startswith("Usage: "))


def test_help_imports_nothing_heavy():
    script = (
        "import sys; from hrnet.cli.main import run\n"
        "sys.argv = ['hrnet', '--help']\n"
        "try: run()\n"
        "finally: print('IMPORTED', {'torch', 'cv2', 'pydantic', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.endswith("IMPORTED set()\n")
    assert all(f"  {verb} " in done.stdout for verb in ("predict", "train", "evaluate", "models", "convert"))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ("predikt fine.png", ["predikt", "predict"]),
        ("predict fine.png --wieghts tiny.safetensors", ["--wieghts", "--weights"]),
        ("predict", ["INPUT"]),
        ("predict fine.png --format xml", ["xml", "json", "coco", "csv"]),
        ("predict fine.png --recipe w32_256x129", ["did you mean 'w32_256x192'?", "mpii_w32_256x256"]),
        ("predict fine.png --weights tiny.safetensors --device quantum", ["'quantum'", "use cpu"]),
        ("evaluate synthetic --weights tiny.safetensors --split vall", ["did you mean 'val'?", "train"]),
        ("evaluate synthetic --precision fp16", ["fp16", "fp32", "bf16"]),
        ("train synthetic --recipe w32_256x129", ["did you mean 'w32_256x192'?"]),
        ("train synthetic optim.rl=1", ["did you mean 'optim.lr'?", "optim.schedule"]),
        ("train synthetic Optim.LR=1", ["did you mean 'optim.lr'?"]),
        ("train synthetic optim.lr=fast", ["optim.lr", "'fast'", "number"]),
        ("train training.epochs=1", ["no data", "synthetic", "LSPET", "COCO-style JSON"]),
        ("train synthetic --new-head", ["--new-head", "name them with --from"]),
        ("train synthetic --from w32_256x192@coc", ["did you mean 'w32_256x192@coco'?"]),
        ("train synthetic --resume run --out other", ["--resume", "leave --from, --out"]),
    ],
)
def test_wrong_use_exits_2_and_names_what_exists(arguments, words, call):
    refused(call(*arguments.split()), 2, words)


def png_of(width, height):
    """A small PNG file whose header promises many pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_bad_inputs_are_named_one_by_one_and_the_others_done(call):
    Image.fromarray(PICTURE).save("whole.jpg")
    contents = {
        "empty.png": b"",
        "cut.jpg": Path("whole.jpg").read_bytes()[:-40],
        "words.jpg": b"no picture at all",
        "huge.png": png_of(20_100, 10_000),
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)
    Path("bare").mkdir()
    answer = predict(call, "*.gif", "missing.jpg", "bare", *contents, "fine.png")

    sentences = answer.err.splitlines()
    assert answer.code == 1 and len(sentences) == 7
    for words in (
        "no file matches '*.gif'",
        "missing.jpg does not exist",
        "bare holds no pictures",
        "empty.png is empty",
        "cut.jpg is damaged or cut short",
        "words.jpg is not a JPEG",
        "huge.png is too large (20100 x 10000 pixels), at most 200,000,000",
    ):
        assert sum(sentence.startswith(f"Error: {words}") for sentence in sentences) == 1, words
    assert re.search(r"1 of 8 pictures done in [0-9.]+ s: out/poses.json", answer.out)
    assert [image["file_name"] for image in json.loads(Path("out/poses.json").read_text())["images"]] == ["fine.png"]
    assert sorted(os.listdir("out")) == ["fine.jpg", "poses.json"]


def test_pictures_of_every_kind_are_answered(call):
    deep = PICTURE[..., 0].astype(np.uint16) << 8
    turned = Image.Exif()
    turned[0x0112] = 6
    photo, options = Image.fromarray(PICTURE), {"turned.jpg": {"exif": turned}}
    pictures = {
        "Größe 图像 😀.png": photo,
        "turned.jpg": photo,
        "deep.png": Image.fromarray(deep),
        "grey.jpg": photo.convert("L"),
        "cmyk.jpg": photo.convert("CMYK"),
        "alpha.png": photo.convert("RGBA"),
        "palette.gif": photo.quantize(16),
        "dot.png": photo.crop((0, 0, 1, 1)),
        "line.png": photo.resize((3000, 2)),
    }
    for name, picture in pictures.items():
        picture.save(name, **options.get(name, {}))
    answer = predict(call, *pictures)

    assert answer.code == 0 and not answer.err and "9 of 9 pictures done" in answer.out
    sizes = {name: picture.size for name, picture in pictures.items()} | {"turned.jpg": (64, 48)}
    images = json.loads(Path("out/poses.json").read_text(encoding="utf-8"))["images"]
    assert {image["file_name"]: (image["width"], image["height"]) for image in images} == sizes
    for image in images:
        (pose,) = image["poses"]
        assert list(pose["keypoints"]) == list(COCO.keypoints) and np.isfinite(list(pose["keypoints"].values())).all()
        with Image.open(Path("out", image["file_name"]).with_suffix(".jpg")) as drawn:
            assert drawn.size == sizes[image["file_name"]]


def test_every_format_holds_every_pose(call):
    boxes = [[0, 0, 24, 64], [10, 5, 30, 50]]
    entries = [{"image_id": "fine", "bbox": box, "score": 0.5} for box in boxes]
    Path("boxes.json").write_text(json.dumps(entries))
    for form in ("json", "coco", "csv"):
        answer = predict(call, "fine.png", "--boxes", "boxes.json", "--no-draw", "--format", form, "--out", form)
        assert answer.code == 0 and not answer.err
        assert os.listdir(form) == [f"poses.{'csv' if form == 'csv' else 'json'}"]

    plain = json.loads(Path("json/poses.json").read_text())
    poses = plain["images"][0]["poses"]
    assert [pose["bbox"] for pose in poses] == boxes
    assert plain["skeleton"]["keypoints"] == list(COCO.keypoints)

    results = json.loads(Path("coco/poses.json").read_text())
    for result, pose in zip(results, poses, strict=True):
        assert (result["image_id"], result["category_id"], result["bbox"]) == ("fine", 1, pose["bbox"])
        assert result["keypoints"] == [value for point in pose["keypoints"].values() for value in point]

    with open("csv/poses.csv", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for number, (row, pose) in enumerate(zip(rows, poses, strict=True)):
        assert (row["file_name"], row["person"], float(row["score"])) == ("fine.png", str(number), pose["score"])
        assert [float(row[f"left_knee_{value}"]) for value in ("x", "y", "score")] == pose["keypoints"]["left_knee"]


def test_two_pictures_of_one_name_are_both_drawn(call):
    for folder, shade in (("a", 0), ("b", 255)):
        Path(folder).mkdir()
        Image.fromarray(np.full((40, 30, 3), shade, np.uint8)).save(f"{folder}/same.png")
    answer = predict(call, "a", "b", "--min-score", "2")
    assert answer.code == 0 and "2 of 2 pictures done" in answer.out
    shades = [np.asarray(Image.open(f"out/{name}.jpg")).mean() for name in ("same", "same_2")]
    assert shades[0] < 100 < 155 < shades[1]


def test_a_picture_is_never_replaced_by_its_drawing(call):
    Image.fromarray(PICTURE).save("photo.jpg")
    before = Path("photo.jpg").read_bytes()
    refused(predict(call, "photo.jpg", "--out", "."), 1, ["photo.jpg would be replaced", "--out"])
    assert Path("photo.jpg").read_bytes() == before


BOX = '[{"file_name": "fine.png", "bbox": %s}]'


@pytest.mark.parametrize(
    "content, words",
    [
        (None, ["boxes.json does not exist", "check"]),
        ('[{"file', ["boxes.json is not JSON", "check that the file is whole"]),
        ('{"a": 1}', ["boxes.json is not a list of boxes", "expected"]),
        ('[{"file_name": "fine.png"}]', ["boxes.json, entry 1", '"bbox": [x, y, w, h]']),
        (BOX % "[1, 2, 3]", ["boxes.json, entry 1", '"bbox": [x, y, w, h]']),
        (BOX % "[NaN, 0, 9, 9]", ["fine.png", "boxes.json", "box 1", "is not finite"]),
        (BOX % "[5, 5, 0, 9]", ["fine.png", "boxes.json", "box 1", "has no size"]),
        ('[{"file_name": "other.png", "bbox": [0, 0, 9, 9]}]', ["boxes.json names none of the pictures", "check"]),
        (BOX % "[48, 0, 9, 9]", ["fine.png", "boxes.json", "box 1", "lies outside the picture of 48 x 64"]),
    ],
)
def test_boxes_that_cannot_be_used(content, words, call):
    if content is not None:
        Path("boxes.json").write_text(content)
    refused(predict(call, "fine.png", "--boxes", "boxes.json"), 1, words)


def test_an_out_folder_that_is_a_file(call):
    Path("taken").touch()
    refused(predict(call, "fine.png", "--out", "taken"), 1, ["taken cannot be used as an output folder", "choose"])


@pytest.mark.parametrize(
    "name, arguments, words",
    [
        ("gone.safetensors", "", ["does not exist", "check the path"]),
        ("gone.pth", "", ["does not exist", "check the path"]),
        ("bare", "", ["is no file", "check the path"]),
        ("cut.safetensors", "", ["truncated or no weights file", "again"]),
        ("words.safetensors", "", ["truncated or no weights file", "again"]),
        ("words.pth", "--recipe tiny.yaml", ["truncated or no weights file", "again"]),
        ("plain.pth", "", ["does not say which network it belongs to", "small_256x192"]),
        (
            "wide.safetensors",
            "--recipe tiny.yaml",
            ["is another model", "expected (8, 128, 3, 3)", "name the recipe"],
        ),
    ],
)
def test_weights_that_cannot_be_used(name, arguments, words, call):
    wide = TINY.but(model__backbone__width=16)
    save_weights(Path("wide.safetensors"), wide.model.build(), wide.to_yaml(), {})
    Path("cut.safetensors").write_bytes(Path("wide.safetensors").read_bytes()[:-1000])
    for suffix in ("safetensors", "pth"):
        Path(f"words.{suffix}").write_text("no weights at all, but words " * 10)
    torch.save(wide.model.build().state_dict(), "plain.pth")
    Path("bare").mkdir()
    refused(call("predict", "fine.png", "--weights", name, *arguments.split()), 1, [name, *words])


class Bomb:
    """What runs code when it is unpickled: a folder appears."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_code_in_a_weights_file_never_runs(kind, call):
    content = {"state_dict": TINY.model.build().state_dict(), "more": Bomb()}
    if kind == "pickle":
        Path("bomb.pth").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, "bomb.pth", _use_new_zipfile_serialization=kind == "zip")
    answer = call("predict", "fine.png", "--weights", "bomb.pth", "--recipe", "tiny.yaml")
    if kind == "pickle":
        refused(answer, 1, ["bomb.pth", "is a pickle that torch did not write, and is not opened"])
    else:  # the tensors are read, and what lies beside them is named and left alone
        assert answer.code == 0, answer
        assert "stepped over, nothing ran: posix.mkdir" in call("convert", "bomb.pth").out
    assert not Path("exploded").exists()

    with suppress(Exception):  # the file was a live one: opened carelessly, it does run
        torch.load("bomb.pth", weights_only=False)
    assert Path("exploded").exists()


@pytest.mark.slow
def test_models_lists_every_recipe(call):
    answer = call("models")
    assert answer.code == 0 and not answer.err
    for name in hrnet.recipes():
        (line,) = (line for line in answer.out.splitlines() if line.startswith(f"{name} "))
        assert " M " in line
    assert "28.54 M" in answer.out and "7.12" in answer.out and "74.4 AP" in answer.out


def test_init_skeleton_writes_what_training_takes(call):
    content = json.loads(coco_file(Path("set.json")).read_text())
    content["categories"][0]["keypoints"][0] = "snout"  # no longer COCO's
    Path("set.json").write_text(json.dumps(content))
    answer = call("init-skeleton", "set.json")
    assert answer.code == 0 and "17 keypoints, 0 limbs, 8 pairs" in answer.out
    refused(call("init-skeleton", "set.json"), 1, ["skeleton.yaml exists already", "--out"])
    skeleton = read_skeleton(Path("skeleton.yaml"))
    assert skeleton.keypoints == ("snout", *COCO.keypoints[1:]) and skeleton.flip_pairs == COCO.flip_pairs
    changed = hrnet.recipe("tiny.yaml").override({"model.skeleton": "skeleton.yaml"})
    assert changed.read("set.json").skeleton.keypoints == changed.model.keypoints.keypoints


@pytest.mark.parametrize("verb", [["train", "--recipe", "tiny.yaml"], ["evaluate", "--weights", "tiny.safetensors"]])
def test_a_network_of_other_keypoints_is_refused(verb, call):
    content = json.loads(coco_file(Path("set.json")).read_text())
    content["categories"][0]["keypoints"] = [f"point {k}" for k in range(17)]
    Path("set.json").write_text(json.dumps(content))
    answer = call(verb[0], "set.json", *verb[1:])
    refused(answer, 1, ["set labels point 0, point 1", "none of the 17 keypoints", "hrnet init-skeleton"])


def test_evaluate_refuses_a_set_without_labels(call):
    content = json.loads(coco_file(Path("set.json")).read_text())
    for annotation in content["annotations"]:
        annotation |= {"keypoints": [0] * 51, "num_keypoints": 0}
    Path("set.json").write_text(json.dumps(content))
    answer = call("evaluate", "set.json", "--weights", "tiny.safetensors")
    refused(answer, 1, ["set.json has no labels, so nothing can be scored", "--results FILE"])


def test_evaluate_prints_and_writes_its_figures(call):
    coco_file(Path("set.json"))
    answer = call("evaluate", "set.json", "--weights", "tiny.safetensors", "--json", "figures.json")
    assert answer.code == 0
    written = json.loads(Path("figures.json").read_text())
    assert written["people"] == 3 and written["weights"] == "tiny.safetensors"
    for name, value in written["metrics"].items():
        assert any(line.split()[:2] == [name, f"{value:.4f}"] for line in answer.out.splitlines())


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("broken", [1, 2])
def test_a_few_unreadable_pictures_are_passed_over_and_many_end_a_training(broken, workers, call, caplog):
    coco_file(Path("set.json"), 4)
    for number in range(broken):
        Path(f"{number}.png").write_bytes(Path(f"{number}.png").read_bytes()[:300])
    answer = call("train", "set.json", "--recipe", "tiny.yaml", "training.epochs=1", f"training.workers={workers}")
    if broken == 1:
        assert answer.code == 0 and Path("runs/tiny/last.safetensors").exists()
        assert workers or "passed over: 0.png is damaged or cut short" in caplog.text
    else:
        assert answer.code == 1 and "2 of 4 samples cannot be read" in answer.err and "hrnet check" in answer.err
        assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    "arguments, words",
    [
        ("nowhere", ["nowhere does not exist", "LSPET", "COCO-style JSON", "synthetic"]),
        ("empty", ["empty is no known data set", "LSPET", "COCO-style JSON"]),
        ("fine.png", ["fine.png is not JSON"]),
        ("boxes.json", ["boxes.json is an empty list", "COCO-style"]),
        ("set.json optim.lr=1e30", ["lower optim.lr"]),
        ("set.json --from gone.safetensors", ["gone.safetensors does not exist"]),
        ("synthetic --resume nowhere", ["nowhere holds no recipe.yaml"]),
        ("synthetic --resume begun", ["begun/last.ckpt does not exist", "once its first epoch has ended"]),
    ],
)
def test_training_that_cannot_begin_or_go_on(arguments, words, call):
    for folder in ("empty", "begun"):
        Path(folder).mkdir()
    Path("begun/recipe.yaml").write_text(TINY.to_yaml())
    Path("boxes.json").write_text("[]")
    coco_file(Path("set.json"))
    recipe = [] if "--resume" in arguments else ["--recipe", "tiny.yaml"]
    refused(call("train", *arguments.split(), *recipe), 1, words)


def test_predict_by_task_writes_label_maps(call):
    Image.new("RGB", (64, 48), (90, 90, 90)).save("street.png")
    answer = call("predict", "street.png", "--task", "segmentation", "--out", "found", "--device", "cpu")
    assert answer.code == 0, answer.err
    (row,) = json.loads(Path("found/label_maps.json").read_text())["images"]
    assert row["width"] == 64 and sum(row["shares"].values()) == pytest.approx(1, abs=1e-4)
    assert np.array(Image.open("found/street_labels.png")).shape == (48, 64)
    masks = json.loads(Path("found/street_labels.json").read_text())["classes"]
    assert {each["name"] for each in masks} == set(row["shares"])
    assert Image.open("found/street.jpg").size[0] == 64
    refused(call("predict", "street.png", "--task", "segmentation", "--format", "coco"), 2, ["json or csv"])
    refused(call("predict", "street.png", "--task", "segmentaton"), 2, ["did you mean 'segmentation'"])


def test_an_engine_that_is_asked_for_runs(call):
    Image.new("RGB", (64, 48), (90, 90, 90)).save("street.png")
    answer = call("predict", "street.png", "--task", "segmentation", "--engine", "openvino", "--precision", "fp32")
    assert answer.code == 0, answer.err


def test_label_files_do_not_go_beside_the_pictures(call, tmp_path):
    (tmp_path / "fine_labels.png").write_bytes(b"mine")
    answer = call("predict", "fine.png", "--task", "segmentation", "--out", ".")
    assert answer.code == 1 and "label files" in answer.err
    assert (tmp_path / "fine_labels.png").read_bytes() == b"mine"


def test_pictures_of_one_name_are_told_apart_and_a_mistyped_one_leaves_earlier_results(call):
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(folder, "fine.png").write_bytes(Path("fine.png").read_bytes())
    assert predict(call, "one", "two", "--out", "out").code == 0
    written = Path("out/poses.json").read_text()
    assert [each["file_name"] for each in json.loads(written)["images"]] == ["one/fine.png", "two/fine.png"]
    answer = predict(call, "fime.png", "--out", "out")
    refused(answer, 1, ["fime.png does not exist"])
    assert "nothing is written" in answer.out and Path("out/poses.json").read_text() == written


@pytest.mark.parametrize(
    "options, words",
    [
        (("--train", "--int8"), ["--train measures a training step", "--int8"]),
        (("--weights", "tiny.safetensors"), ["without --pictures", "--weights"]),
        (("--pictures", "fine.png", "--plot", "a.png"), ["--pictures measures", "--plot"]),
        (("--threads", "9999"), ["processors here, not 9999"]),
    ],
)
def test_benchmark_refuses_what_has_no_part_in_it(options, words, call):
    refused(call("benchmark", *options), 2, words)
