"""Weights come back as they were written, with recipe and card; foreign files load strictly or are refused."""

import json
from pathlib import Path

import pytest
import torch
from drawn import TINY
from safetensors.torch import save_file

from hrnet.catalogue import recipe_from_yaml, resolve
from hrnet.errors import HRNetError, UsageError
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


WRAPPINGS = {
    "bare": lambda tensors: tensors,
    "parallel": lambda tensors: prefixed(tensors, "module."),
    "checkpoint": lambda tensors: {
        "state_dict": tensors,
        "epoch": 3,
        "model": "pose_hrnet",
        "optimizer": {"state": {}},
    },
    "parallel checkpoint": lambda tensors: {"state_dict": prefixed(tensors, "module.")},
    "compiled": lambda tensors: {"model": prefixed(tensors, "module._orig_mod.")},
    "averaged": lambda tensors: {"ema": prefixed(tensors, "module.") | {"n_averaged": torch.tensor(7)}},
    "nested": lambda tensors: {"model": {"state_dict": tensors}},
    "with its loss": lambda tensors: prefixed(tensors, "model.") | {"loss.criterion.weight": torch.ones(19)},
    "Lightning": lambda tensors: {"state_dict": prefixed(tensors, "network."), "callbacks": {"path": Path("x")}},
}


def prefixed(tensors, prefix):
    return {f"{prefix}{name}": value for name, value in tensors.items()}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_files_load_however_they_are_wrapped(wrapping, zipped, network, tmp_path):
    path, loaded = tmp_path / "weights.pth.tar", other()
    torch.save(WRAPPINGS[wrapping](network.state_dict()), path, _use_new_zipfile_serialization=zipped)
    report = load_weights(loaded, path)
    assert_same(network.state_dict(), loaded.state_dict())
    assert (len(report.loaded), report.unexpected, report.missing) == (len(network.state_dict()), (), ())


def test_the_report_says_what_was_loaded_and_what_was_left(network, tmp_path):
    tensors = {name: value for name, value in network.state_dict().items() if not name.endswith(BATCH_COUNTER)}
    save_file(tensors | {"neck.weight": torch.zeros(3)}, tmp_path / "more.safetensors")
    report = load_weights(network, tmp_path / "more.safetensors")
    assert report.loaded == tuple(tensors) and report.unexpected == ("neck.weight",) and report.meta == {}
    assert len(report.counters) == len(network.state_dict()) - len(tensors)
    lines = str(report).splitlines()
    assert f"mapped       {len(tensors)} of the {len(network.state_dict())} tensors of PoseHighResolutionNet" in lines
    assert "unexpected   1: neck.weight" in lines and "missing      none" in lines
    data = json.loads(json.dumps(report.as_dict()))
    assert (data["network"], data["layout"], data["unexpected"]) == ("pose_hrnet", "published", ["neck.weight"])


@pytest.mark.parametrize(
    "content, words",
    [
        (
            lambda tensors: dict(list(tensors.items())[3:]),
            ["tensors of PoseHighResolutionNet", "lacks 3", "conv1.weight"],
        ),
        (
            lambda tensors: tensors | {"conv1.weight": torch.zeros(1, 2)},
            ["conv1.weight is (1, 2), expected (64, 3, 3, 3)", "1 tensors differ", "name the recipe"],
        ),
        (lambda tensors: {"x": torch.zeros(1)}, ["lacks", "in no layout that is known"]),
        (lambda tensors: {}, ["holds no tensors by name"]),
        (lambda tensors: [1, 2], ["holds no tensors by name", "expected a state dict"]),
        (lambda tensors: {name: value.numpy() for name, value in tensors.items()}, ["holds no tensors by name"]),
    ],
)
def test_other_content_is_refused_and_leaves_the_network_alone(content, words, network, tmp_path):
    path, before = tmp_path / "weights.pth", {name: value.clone() for name, value in network.state_dict().items()}
    torch.save(content(network.state_dict()), path)
    with pytest.raises(HRNetError) as refusal:
        load_weights(network, path)
    assert all(word in str(refusal.value) for word in [str(path), *words]), str(refusal.value)
    assert_same(before, network.state_dict())


def test_a_head_is_new_only_when_asked(network, tmp_path):
    path, mpii = tmp_path / "coco.pth", TINY.but(model__skeleton="mpii").model.build()
    torch.save(network.state_dict(), path)
    with pytest.raises(HRNetError, match=r"final_layer.weight is \(17, .* expected \(16, .* new head \(--new-head"):
        load_weights(mpii, path)
    head = mpii.final_layer.weight.clone()
    report = load_weights(mpii, path, new_head=True)
    assert report.fresh == ("final_layer.weight", "final_layer.bias") and torch.equal(mpii.final_layer.weight, head)
    torch.testing.assert_close(
        mpii.stage4[0].branches[0][0].conv1.weight, network.stage4[0].branches[0][0].conv1.weight
    )


def test_a_trunk_alone_is_taken_only_when_asked(network, tmp_path):
    path, loaded = tmp_path / "classification.pth", other()
    trunk = {name: value for name, value in network.state_dict().items() if not name.startswith("final_layer.")}
    torch.save(trunk | {"incre_modules.0.0.conv1.weight": torch.zeros(1), "classifier.weight": torch.zeros(9, 1)}, path)
    with pytest.raises(HRNetError, match=r"-C, classification, 9 classes.* lacks 2 .* the trunk alone \(--trunk"):
        load_weights(loaded, path)
    head = loaded.final_layer.weight.clone()
    report = load_weights(loaded, path, trunk=True)
    assert report.loaded == tuple(trunk) and report.fresh == ("final_layer.weight", "final_layer.bias")
    assert report.unexpected == ("incre_modules.0.0.conv1.weight", "classifier.weight")
    assert torch.equal(loaded.final_layer.weight, head)
    del trunk["stage3.0.branches.0.0.conv1.weight"]
    torch.save(trunk, path)
    with pytest.raises(HRNetError, match=r"lacks 1 of .*stage3\.0\.branches"):
        load_weights(loaded, path, trunk=True)


def test_a_part_of_a_checkpoint_is_named(network, tmp_path):
    path, loaded = tmp_path / "checkpoint.pth", other()
    torch.save({"state_dict": other().state_dict(), "best_state_dict": network.state_dict()}, path)
    assert "note         it also holds best_state_dict" in str(load_weights(loaded, path))
    load_weights(loaded, path, part="best_state_dict")
    assert_same(network.state_dict(), loaded.state_dict())
    with pytest.raises(UsageError, match="no part 'best_state': did you mean 'best_state_dict'"):
        load_weights(loaded, path, part="best_state")


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
