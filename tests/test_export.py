"""Exported networks: they answer as the network does, say so on real pictures, and are refused where they do not."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY, coco_file

import hrnet
from hrnet.engines.cache import proven_int8
from hrnet.engines.exported import read_exported
from hrnet.errors import HRNetError, UsageError
from hrnet.exporter import Evidence, export
from hrnet.images import read_image
from hrnet.predictor import network_key
from hrnet.results.agreement import Agreement
from hrnet.weights.files import save_weights

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, TINY.model.build(), TINY.to_yaml(), {"licence": "none"}, half=False)
    return path


@pytest.fixture
def people(tmp_path):
    coco_file(tmp_path / "set.json")
    data = TINY.read(tmp_path / "set.json")
    return Evidence(lambda: ((record.read(), record.boxes, None) for record in data.records), "drawn", data)


@pytest.mark.slow
@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize(
    "name, engines", [("a.onnx", ("onnx", "openvino")), ("a.xml", ("openvino",)), ("a.pt2", ("torch",))]
)
def test_exported_networks_predict_as_the_network_itself(name, engines, decode, weights, people, tmp_path):
    with warnings.catch_warnings(action="ignore"):
        proof = export(None, weights, tmp_path / name, decode=decode, evidence=people)
    assert proof.agreement.holds and set(proof.scores) == {"AP"}
    figures = json.loads((tmp_path / f"{name}.proof.json").read_text())["agreement"]["figures"]
    assert figures["outputs differ by"] < 0.005  # no joint of starting weights is sure enough to be compared
    meta = read_exported(tmp_path / name)
    assert meta["card"]["licence"] == "none" and meta["decodes"] is decode

    expected = hrnet.Predictor(weights, engine="torch", precision="fp32")
    for engine in engines:
        predictor = hrnet.Predictor(tmp_path / name, engine=engine, precision="fp32")
        assert predictor.recipe == TINY and predictor.engine.decodes is decode
        for image, boxes, _ in people.items():
            for pose, other in zip(predictor(image, boxes), expected(image, boxes), strict=True):
                np.testing.assert_allclose(pose.keypoints, other.keypoints, atol=0.01)
                np.testing.assert_allclose(pose.scores, other.scores, atol=1e-4)


def test_an_export_whose_answers_moved_is_not_written(weights, people, tmp_path, monkeypatch):
    away = Agreement({"median px": 7.0}, ("median px is 7, the budget 0.01",))
    monkeypatch.setattr(type(TINY), "agreement", lambda *_: away)
    (tmp_path / "there.onnx").write_text("an older file")
    with pytest.raises(HRNetError, match=r"there\.onnx was not written, its answers moved: median px is 7"):
        export(None, weights, tmp_path / "there.onnx", evidence=people)
    assert (tmp_path / "there.onnx").read_text() == "an older file"
    assert not list(tmp_path.glob("*.proof.json")) and not list(tmp_path.glob(".export-*"))


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("a.tflite", {}, ".onnx"),
        ("a.onnx", {"precision": "int8"}, ".xml"),
        ("a.xml", {"precision": "bf16"}, "fp32 or int8"),
    ],
)
def test_what_cannot_be_exported(name, options, words, weights, tmp_path):
    with pytest.raises(UsageError, match=words):
        export(None, weights, tmp_path / name, **options)


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2"])
@pytest.mark.parametrize("content", [b"", b"no network at all", bytes(range(256)) * 40])
def test_files_that_are_no_exports(suffix, content, tmp_path):
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(HRNetError, match=f"other{suffix} was not written by hrnet export, or is damaged"):
        hrnet.Predictor(path)


@pytest.mark.slow
def test_int8_is_calibrated_proven_and_then_open_to_auto(tmp_path):
    boxes = json.loads((ROOT / "examples/photos/boxes.json").read_text())
    items = []
    for entry in boxes:
        x, y, w, h = entry["bbox"]
        name = entry.get("file_name") or entry["image_id"]
        items.append((read_image(ROOT / "examples/photos" / name), np.array([[x, y, x + w, y + h]], float), None))
    proof = export(None, None, tmp_path / "q.xml", precision="int8", evidence=Evidence(lambda: items, "photographs"))
    assert proof.agreement.holds and 0 < proof.agreement.figures["median px"] < 0.3
    predictor = hrnet.Predictor(engine="torch")
    key = network_key(predictor.recipe, predictor.weights)
    file = proven_int8(key)
    assert file is not None
    assert hrnet.Predictor(engine="openvino", precision="int8").engine.precision == "int8"
    file.write_bytes(file.read_bytes()[:-1])
    assert proven_int8(key) is None


FEW_PEOPLE = {"testing.max_people": 5, "testing.fewest_joints": 9}  # of the many that starting weights see
ARCHITECTURES = {
    "pose_topdown/w32_256x192": {},
    "pose_bottomup/ae_w32_512": FEW_PEOPLE,
    "pose_bottomup/higher_w32_512": FEW_PEOPLE,
    "classification/w18": {},
    "segmentation/w18": {"testing.base": 512},
    "segmentation/w48_ocr": {"testing.base": 512},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_published_size_of_each_architecture_exports(name, tmp_path):
    recipe = hrnet.recipe(name).override({"model.backbone.init": "kaiming", **ARCHITECTURES[name]})
    torch.manual_seed(0)
    path = tmp_path / "w.safetensors"
    save_weights(path, recipe.model.build(), recipe.to_yaml(), {})
    for suffix in (".onnx", ".xml", ".pt2"):
        with warnings.catch_warnings(action="ignore"):
            assert export(None, path, tmp_path / f"w{suffix}").agreement.holds


@pytest.mark.slow
@pytest.mark.parametrize("name, engine", [("a.onnx", "onnx"), ("a.xml", "openvino"), ("a.pt2", "torch")])
def test_a_segmentation_network_exports_with_its_labels(name, engine, tmp_path):
    with warnings.catch_warnings(action="ignore"):
        proof = export("segmentation/camvid_small", None, tmp_path / name, decode=True)
    assert proof.agreement.holds and read_exported(tmp_path / name)["decodes"]
    plain = hrnet.Predictor("segmentation/camvid_small", engine="torch", precision="fp32")
    predictor = hrnet.Predictor(tmp_path / name, engine=engine, precision="fp32")
    for photo in sorted((ROOT / "examples/photos").glob("*.jpg"))[:2]:
        (found,), (expected,) = predictor(photo), plain(photo)
        assert (found.labels != expected.labels).mean() < 0.001


LIGHT = ["numpy", "opencv-python-headless", "pillow", "pydantic", "pyyaml", "typer", "rich", "platformdirs", "scipy"]


@pytest.mark.slow
def test_prediction_without_torch(tmp_path):
    """An environment without torch predicts from an exported file the same poses, by the same command, with ONNX
    Runtime alone and with OpenVINO."""
    with warnings.catch_warnings(action="ignore"):
        export(None, None, tmp_path / "small.onnx")
        export("pose_bottomup/small_512", None, tmp_path / "everybody.onnx")
        export("segmentation/camvid_small", None, tmp_path / "street.onnx")
    python = tmp_path / "light/bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "light")], check=True)
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), *LIGHT, "onnxruntime"], check=True)
    size = sum(f.stat().st_size for f in (tmp_path / "light").rglob("*") if f.is_file() and not f.is_symlink()) / 2**20
    print(f"environment without torch: {size:.0f} MiB")
    assert size < 600
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), "openvino"], check=True)
    assert subprocess.run([str(python), "-c", "import torch"], capture_output=True).returncode != 0

    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HRNET_CACHE": str(tmp_path / "cache")}
    photos, boxes = ROOT / "examples/photos", ROOT / "examples/photos/boxes.json"
    call = ["-c", "from hrnet.cli.main import run; run()", "predict", str(photos), "--boxes", str(boxes), "--no-draw"]
    poses = {}
    for interpreter, weights, engine, out in (
        (sys.executable, ["--task", "pose_topdown"], "onnx", "full"),
        (python, ["--weights", "small.onnx"], "onnx", "light"),
        (python, ["--weights", "small.onnx"], "openvino", "openvino"),
    ):
        done = subprocess.run(
            [str(interpreter), *call, *weights, "--engine", engine, "--precision", "fp32", "--out", out],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        images = json.loads((tmp_path / out / "poses.json").read_text())["images"]
        poses[out] = [pose for image in images for pose in image["poses"]]
    assert [len(each) for each in poses.values()] == [18, 18, 18]
    for out in ("light", "openvino"):
        for pose, other in zip(poses[out], poses["full"], strict=True):
            for name, values in pose["keypoints"].items():
                np.testing.assert_allclose(values, other["keypoints"][name], atol=0.02)
    for name in ("everybody", "street"):
        done = subprocess.run(
            [str(python), *call[:3], str(photos / "apollo11_crew.jpg"), "--weights", f"{name}.onnx", "--out", name],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0 and "1 of 1 pictures done" in done.stdout, done.stderr
