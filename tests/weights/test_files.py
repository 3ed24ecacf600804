"""Weights come back as they were written, with recipe and card; foreign files load strictly or are refused."""

import json

import pytest
import torch
from drawn import TINY
from safetensors.torch import save_file

from hrnet.catalogue import recipe_from_yaml, resolve
from hrnet.errors import HRNetError
from hrnet.weights.files import BATCH_COUNTER, load_weights, read_meta, save_weights

CARD = {"licence": "CC BY 4.0", "data": ["Größe"], "seconds": 3}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return TINY.model.build()


def other():
    torch.manual_seed(1)
    return TINY.model.build()


def assert_same(one, two, rtol=0.0):
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=rtol, atol=1e-7 if rtol else 0.0, msg=name)


@pytest.mark.parametrize("half, rtol", [(False, 0.0), (True, 2**-11)])
def test_what_was_saved_comes_back(half, rtol, network, tmp_path):
    path, loaded = tmp_path / "tiny.safetensors", other()
    save_weights(path, network, TINY.to_yaml(), CARD, half)
    report = load_weights(loaded, path)

    assert_same(network.state_dict(), loaded.state_dict(), rtol)
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    assert (recipe_from_yaml(report.meta["recipe"], path), report.meta["card"]) == (TINY, CARD)
    assert read_meta(path) == report.meta
    assert resolve(None, path) == resolve(str(path), None) == (TINY, path)


@pytest.mark.parametrize(
    "wrap, suffix, layout",
    [
        (lambda tensors: tensors, "pth", "state dict"),
        (lambda tensors: {f"module.{name}": value for name, value in tensors.items()}, "pth", "state dict"),
        (lambda tensors: {"state_dict": tensors, "epoch": 3}, "pth.tar", "checkpoint with a state dict"),
        (
            lambda tensors: {"state_dict": {f"module.{name}": value for name, value in tensors.items()}},
            "pt",
            "checkpoint with a state dict",
        ),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_files_load(wrap, suffix, layout, zipped, network, tmp_path):
    path, loaded = tmp_path / f"weights.{suffix}", other()
    torch.save(wrap(network.state_dict()), path, _use_new_zipfile_serialization=zipped)
    report = load_weights(loaded, path)
    assert_same(network.state_dict(), loaded.state_dict())
    assert (report.layout, len(report.loaded), report.unused) == (layout, len(network.state_dict()), ())


def test_the_report_says_what_was_loaded_and_what_was_left(network, tmp_path):
    tensors = {name: value for name, value in network.state_dict().items() if not name.endswith(BATCH_COUNTER)}
    save_file(tensors | {"classifier.weight": torch.zeros(3)}, tmp_path / "more.safetensors")
    report = load_weights(network, tmp_path / "more.safetensors")
    assert report.loaded == tuple(tensors) and report.unused == ("classifier.weight",) and report.meta == {}
    assert f"safetensors, {len(tensors)} tensors loaded, 1 unused: classifier.weight" in str(report)


@pytest.mark.parametrize(
    "content, words",
    [
        (lambda tensors: dict(list(tensors.items())[3:]), ["of PoseHighResolutionNet's", "lacks 3", "conv1.weight"]),
        (
            lambda tensors: tensors | {"conv1.weight": torch.zeros(1, 2)},
            ["conv1.weight is (1, 2), expected (64, 3, 3, 3)", "1 tensors differ", "name the recipe"],
        ),
        (lambda tensors: {}, ["lacks"]),
        (lambda tensors: [1, 2], ["is not a state dict", "expected tensors by name"]),
        (lambda tensors: {"model": {"state_dict": tensors}}, ["is not a state dict"]),
    ],
)
def test_other_content_is_refused_and_leaves_the_network_alone(content, words, network, tmp_path):
    path, before = tmp_path / "weights.pth", {name: value.clone() for name, value in network.state_dict().items()}
    torch.save(content(network.state_dict()), path)
    with pytest.raises(HRNetError) as refusal:
        load_weights(network, path)
    assert all(word in str(refusal.value) for word in [str(path), *words]), str(refusal.value)
    assert_same(before, network.state_dict())


@pytest.mark.parametrize("kept", [0, 4, 60, 1000, -1])
@pytest.mark.parametrize("suffix", ["safetensors", "pth", "legacy.pth"])
def test_a_cut_file_is_refused(suffix, kept, network, tmp_path):
    path = tmp_path / f"cut.{suffix}"
    if suffix == "safetensors":
        save_weights(path, network, TINY.to_yaml(), CARD)
    else:
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=suffix == "pth")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(HRNetError) as refusal:
        load_weights(network, path)
    assert str(refusal.value).startswith(f"{path} is truncated or no weights file (")
    assert str(refusal.value).endswith("download or copy it again") and "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_weights_that_half_precision_cannot_hold_are_not_written(value, network, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_weights(path, network, TINY.to_yaml(), CARD)
    before = path.read_bytes()
    with torch.no_grad():
        network.final_layer.bias[0] = value
    with pytest.raises(HRNetError, match=r"final_layer\.bias does not fit into half precision or is not finite"):
        save_weights(path, network, TINY.to_yaml(), CARD)
    assert path.read_bytes() == before


def test_a_header_that_is_not_ours_is_refused(network, tmp_path):
    path = tmp_path / "odd.safetensors"
    for meta, words in [
        ({"recipe": "name: x"}, "truncated or no weights file"),
        ({"recipe": "name: x", "card": "{"}, "truncated or no weights file"),
        ({"recipe": "nothing: x", "card": json.dumps(CARD)}, "holds no recipe: expected a name such as pose_topdown"),
    ]:
        save_file(network.state_dict(), path, meta)
        with pytest.raises(HRNetError, match=words):
            resolve(None, path)
