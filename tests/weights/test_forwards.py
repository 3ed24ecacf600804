"""Files in foreign names fill the networks of every task, which then answer as the published code did."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest
import torch
from formula import formula_array, formula_input

import hrnet
from hrnet.nets.backbone import HighResolutionNet
from hrnet.nets.spec import BackboneSpec
from hrnet.weights.files import load_weights

pytestmark = [pytest.mark.slow, pytest.mark.shared]
GOLDEN = json.loads(lzma.decompress((Path(__file__).parents[1] / "reference/layouts.json.xz").read_bytes()))
TOLERANCE = {"rtol": 1e-4, "atol": 2e-3}


def formula_file(path, theirs, ours=None, prefix="", container="", zero=()):
    """A file by formula: the list `theirs`, whose names become those of `ours` by the published table."""
    renames = dict(GOLDEN["renames"][f"{theirs} -> {ours}"]) if ours else {}
    shapes = {name: tuple(shape) for name, shape in GOLDEN["lists"][theirs]}
    state = {
        f"{prefix}{name}": torch.from_numpy(formula_array(renames.get(name) or name, shape))
        for name, shape in shapes.items()
    }
    torch.save({container: state, "epoch": 1} if container else state, path)
    return path


def loaded(network, path):
    report = load_weights(network, path)
    assert not report.missing and not report.other_shape
    return network.eval()


def answer(network, height, width):
    with torch.inference_mode():
        return network(torch.from_numpy(formula_input("image", (1, 3, height, width))))


@pytest.mark.parametrize("width, size", [(32, 512), (48, 640)])
def test_mmpose_higher_hrnet(width, size, shared, tmp_path):
    path = formula_file(
        tmp_path / "f.pth", f"mmpose_higher_hrnet_w{width}", f"higher_hrnet_w{width}", container="state_dict"
    )
    golden = np.load(shared / f"golden/forward/higher_hrnet_w{width}_{size}.npz")
    height, wide = (4 * side for side in golden["output0/shape"][2:])
    outputs = answer(loaded(hrnet.recipe(f"pose_bottomup/higher_w{width}_{size}").model.build(), path), height, wide)
    for k, output in enumerate(outputs):
        step = int(golden[f"output{k}/stride"])
        np.testing.assert_allclose(output[..., ::step, ::step], golden[f"output{k}"], **TOLERANCE)


@pytest.mark.parametrize("width, prefix, container", [(18, "", ""), (32, "module.", "state_dict"), (48, "", "model")])
def test_classification_and_timm(width, prefix, container, shared, tmp_path):
    path = formula_file(tmp_path / "f.pth", f"cls_hrnet_w{width}", prefix=prefix, container=container)
    golden = np.load(shared / f"golden/forward/cls_hrnet_w{width}.npz")
    network = loaded(hrnet.recipe(f"classification/w{width}").model.build(), path)
    np.testing.assert_allclose(answer(network, 128, 128), golden["128x128/logits"], **TOLERANCE)


@pytest.mark.parametrize("recipe, name", [("w48", "seg_hrnet_w48_cityscapes"), ("w48_ocr", "seg_hrnet_w48_ocr")])
def test_published_segmentation(recipe, name, shared, tmp_path):
    path = formula_file(tmp_path / "f.pth", name, prefix="model.", container="state_dict")
    output = answer(loaded(hrnet.recipe(f"segmentation/{recipe}").model.build(), path), 128, 256)
    output = output if isinstance(output, torch.Tensor) else output[-1]
    np.testing.assert_allclose(output, np.load(shared / f"golden/forward/{name}.npz")["128x256/out"], **TOLERANCE)


@pytest.mark.parametrize(
    "recipe, theirs, ours",
    [
        ("w48", "mmseg_hrnet_w48", "seg_hrnet_w48_cityscapes"),
        ("w48_ocr", "mmseg_ocr_hrnet_w48", "seg_hrnet_w48_ocr"),
    ],
)
def test_mmsegmentation_answers_as_the_published_file_without_those_biases(recipe, theirs, ours, tmp_path):
    network = loaded(
        hrnet.recipe(f"segmentation/{recipe}").model.build(), formula_file(tmp_path / "f.pth", theirs, ours)
    )
    state = {name: torch.from_numpy(formula_array(name, tuple(shape))) for name, shape in GOLDEN["lists"][ours]}
    for name in state.keys() - {new for _, new in GOLDEN["renames"][f"{theirs} -> {ours}"]}:
        state[name].zero_()
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_the_trunk_of_mmdetection(shared, tmp_path):
    path = formula_file(tmp_path / "f.pth", "mmdet_hrnetv2p_w32", "cls_hrnet_w32", container="state_dict")
    network = HighResolutionNet(BackboneSpec(width=32, outputs=4))
    report = load_weights(network, path)
    assert all(name.startswith("neck.") for name in report.unexpected) and len(report.unexpected) == 12
    golden = np.load(shared / "golden/forward/cls_hrnet_w32.npz")
    for r, stream in enumerate(answer(network.eval(), 128, 128)):
        rows, columns, *channels = golden[f"128x128/index/stage4.out{r}"]
        np.testing.assert_allclose(
            stream[:, channels, ::rows, ::columns], golden[f"128x128/sample/stage4.out{r}"], **TOLERANCE
        )


@pytest.mark.parametrize(
    "source, recipe, copied, dropped, left",
    [
        ("cls_hrnet_w32", "pose_topdown/w32_256x192", 1752, 204, 2),
        ("cls_hrnet_w32", "pose_bottomup/higher_w32_512", 1752, 204, 58),
        ("cls_hrnet_w48", "segmentation/w48", 1830, 126, 9),
        ("cls_hrnet_w48", "segmentation/w48_ocr", 1830, 126, 60),
        ("mmdet_hrnetv2p_w32", "classification/w32", 1830, 12, 126),
    ],
)
def test_a_trunk_starts_every_other_network(source, recipe, copied, dropped, left, tmp_path):
    """The counts are those of the published code."""
    report = load_weights(hrnet.recipe(recipe).model.build(), formula_file(tmp_path / "f.pth", source), trunk=True)
    assert (len(report.loaded), len(report.unexpected), len(report.fresh)) == (copied, dropped, left)
