"""Every layout is recognised by its names, becomes ours as the published tables say, and goes back unchanged."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest
import torch
from formula import formula_array, formula_input
from safetensors.torch import load_file, save_file

import hrnet
from hrnet.catalogue import fitting
from hrnet.errors import HRNetError, UsageError
from hrnet.weights.converting import CODES, convert
from hrnet.weights.files import load_weights
from hrnet.weights.layouts import LAYOUTS, NETWORKS
from hrnet.weights.opening import Opened
from hrnet.weights.pickled import StoredTensor
from hrnet.weights.recognise import BATCH_COUNTER, readings, recognise

GOLDEN = json.loads(lzma.decompress((Path(__file__).parents[1] / "reference/layouts.json.xz").read_bytes()))
LISTS = {name: {key: tuple(shape) for key, shape in entries} for name, entries in GOLDEN["lists"].items()}
RENAMES = {tuple(pair.split(" -> ")): dict(renames) for pair, renames in GOLDEN["renames"].items()}
# What a list is called here -> network, layout.
TOLD = {
    "cls_hrnet": ("cls_hrnet", "published"),
    "face_hrnet": ("face_hrnet", "published"),
    "higher_hrnet": ("higher_hrnet", "published"),
    "hourglass": ("hourglass", "published"),
    "hrnet_ae": ("hrnet_ae", "published"),
    "mmdet": ("hrnetv2p", "mmdet"),
    "mmpose1": ("pose_hrnet", "mmpose1"),
    "mmpose_higher": ("higher_hrnet", "mmpose0"),
    "mmpose_hrnetv2": ("face_hrnet", "mmpose0"),
    "mmpose_hrnet_": ("pose_hrnet", "mmpose0"),
    "mmseg_ocr": ("seg_hrnet_ocr", "mmseg"),
    "mmseg_hrnet": ("seg_hrnet", "mmseg"),
    "pose_hrnet": ("pose_hrnet", "published"),
    "pose_resnet": ("pose_resnet", "published"),
    "rsn": ("rsn", "published"),
    "seg_hrnet_w48_ocr": ("seg_hrnet_ocr", "published"),
    "seg_hrnet": ("seg_hrnet", "published"),
    "vitpose": ("vitpose", "published"),
}


def listed(shapes, prefix=""):
    """A file of which only names and shapes are known."""
    tree = {
        f"{prefix}{name}": StoredTensor(shape, "float32", lambda: pytest.fail("read")) for name, shape in shapes.items()
    }
    return next(readings(Opened(Path("file.pth"), "names alone", tree, 10**12)))


@pytest.mark.parametrize("prefix", ["", "module.", "model.module."])
@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_recognised(name, prefix):
    network, layout = next(told for start, told in TOLD.items() if name.startswith(start))
    found = listed(LISTS[name], prefix)
    assert found.network is not None and found.layout is not None
    assert (found.network.name, found.layout.code, len(found.tensors)) == (network, layout, len(LISTS[name]))
    assert not found.dropped and "".join(found.prefixes) == prefix
    width = name.split("_w")[1].split("_")[0] if "_w" in name and "small" not in name else None
    assert width is None or found.shape["width"] == int(width)


@pytest.mark.parametrize("pair", [pair for pair in RENAMES if not pair[0].startswith("cls")], ids=" to ".join)
def test_names_become_ours_as_the_table_says(pair):
    theirs, ours = pair
    found = listed(LISTS[theirs])
    got = {source: name for name, source in found.sources.items()}
    wanted = {source: name for source, name in RENAMES[pair].items() if name is not None}
    assert {source: got[source] for source in wanted} == wanted
    assert all(name.startswith("neck.") for source, name in got.items() if source not in wanted)
    if not theirs.startswith("mmdet"):
        assert set(found.layout.biases) == LISTS[ours].keys() - set(wanted.values())


def test_marks_of_a_clash_are_weighed():
    """mmpose 1.x names a top-down head and an associative-embedding head alike; the number of maps decides."""
    names = LISTS["mmpose1_hrnet_w32"]
    tagged = names | {"head.final_layer.weight": (34, 32, 1, 1), "head.final_layer.bias": (34,)}
    assert (listed(names).network.name, listed(tagged).network.name) == ("pose_hrnet", "hrnet_ae")


def test_half_precision_of_the_fp16_wrapper_is_undone(tmp_path):
    tensors = {
        f"1.{name}": torch.ones(2).half()
        for name in ("stage4.0.weight", "final_layers.1.weight", "deconv_layers.0.0.0.weight")
    }
    torch.save(tensors, tmp_path / "model_best.pth.tar")
    found = recognise(tmp_path / "model_best.pth.tar")
    assert found.network.name == "higher_hrnet" and found.prefixes == ("1.",)
    assert "3 tensors are in half precision" in found.notes


def test_rows_name_networks_that_exist_and_prefixes_that_lead_back():
    known = {network.name for network in NETWORKS}
    for layout in LAYOUTS:
        assert set(layout.networks) <= known, layout.title
        theirs, ours = zip(*layout.renames, strict=True)
        assert len(set(theirs)) == len(theirs) and len(set(ours)) == len(ours), layout.title


def by_formula(shapes):
    return {name: torch.from_numpy(formula_array(name, shape)) for name, shape in shapes.items()}


def renamed(pair, ours):
    """A state dict of ours in the names of a published table, without what that layout has not."""
    return {theirs: ours[name] for theirs, name in RENAMES[pair].items() if name is not None}


POSE_PAIRS = [("mmpose_hrnet_w32", "pose_hrnet_w32_17"), ("mmpose1_hrnet_w32", "pose_hrnet_w32_17")]
LARGE_PAIRS = [("mmpose_hrnet_w48", "pose_hrnet_w48_17"), ("mmpose1_hrnet_w48", "pose_hrnet_w48_17")]


@pytest.fixture(scope="module")
def w32():
    return by_formula(LISTS["pose_hrnet_w32_17"])


@pytest.mark.slow
@pytest.mark.parametrize("pair", [*POSE_PAIRS, *LARGE_PAIRS], ids=" to ".join)
def test_a_foreign_file_answers_as_published(pair, w32, reference, tmp_path):
    """From formula to foreign names, to a file, into our network: its output is that of the published code."""
    width = "w48" if "w48" in pair[1] else "w32"
    ours = w32 if width == "w32" else by_formula(LISTS[pair[1]])
    path = tmp_path / "foreign.pth"
    torch.save({"meta": {"epoch": 210, "classes": Path("x")}, "state_dict": renamed(pair, ours)}, path)
    network = hrnet.recipe(f"{width}_256x192").model.build().eval()
    load_weights(network, path)
    golden = reference(f"pose_hrnet_{width}_256x192")
    with torch.inference_mode():
        output = network(torch.from_numpy(formula_input("image", (1, 3, 256, 192))))
    step = golden["step"]
    np.testing.assert_allclose(output[:, :, ::step, ::step], golden["sample"], rtol=1e-4, atol=2e-3)
    assert f"pose_topdown/{width}_256x192" in fitting(recognise(path))


# From -> to -> back: each list in each layout that has names for its network.
JOURNEYS = [
    ("pose_hrnet_w32_17", "mmpose0"),
    ("pose_hrnet_w32_17", "mmpose1"),
    ("mmpose1_hrnet_w32", "mmpose0"),
    ("pose_resnet_50", "mmpose1"),
    ("higher_hrnet_w32", "mmpose0"),
    ("hrnet_ae_w32", "mmpose1"),
    ("cls_hrnet_w18_small_v1", "timm"),
    ("seg_hrnet_w18_small_v2", "published"),
    ("mmseg_ocr_hrnet_w48", "published"),
    ("mmseg_hrnet_w48", "published"),
    ("face_hrnet_w18_wflw", "mmpose0"),
    ("mmpose_hrnetv2_w18_wflw", "mmpose1"),
    ("mmdet_hrnetv2p_w32", "published"),
]


@pytest.mark.parametrize("name, to", JOURNEYS)
def test_there_and_back_gives_equal_bytes(name, to, tmp_path):
    """Sides are cut to two elements: names and values are at stake."""
    tensors = {
        key: torch.from_numpy(np.asarray(formula_array(key, tuple(min(side, 2) for side in shape))))
        for key, shape in LISTS[name].items()
    }
    for key in ("final_layers.0.weight", "final_layers.0.bias") if name.startswith("hrnet_ae") else ():
        tensors[key] = torch.from_numpy(formula_array(key, (34, *LISTS[name][key][1:])))  # their number tells it
    start, away, back = tmp_path / "start.pth", tmp_path / "away.safetensors", tmp_path / "back.safetensors"
    torch.save(tensors, start)
    first = recognise(start)
    convert(first, away, to)
    assert recognise(away).network == first.network
    home = first.layout.code if first.layout.code in CODES else "published"
    convert(recognise(away), back, home)
    prefix = first.network.prefix if home == "published" else ""
    returned = load_file(back)
    assert returned.keys() == {f"{prefix}{key}" for key in tensors}
    for key, tensor in tensors.items():
        assert tensor.numpy().tobytes() == returned[f"{prefix}{key}"].numpy().tobytes(), key


def test_a_bias_without_a_place_goes_into_the_running_mean(tmp_path):
    """Ours has a bias before the batch norm, mmsegmentation none: the norm sees the same difference."""
    tensors = {
        key: torch.rand([min(side, 2) for side in shape]) for key, shape in LISTS["seg_hrnet_w18_small_v2"].items()
    }
    torch.save(tensors, tmp_path / "ours.pth")
    done = convert(recognise(tmp_path / "ours.pth"), tmp_path / "theirs.safetensors", "mmseg")
    theirs = load_file(tmp_path / "theirs.safetensors")
    assert done.folded == ("last_layer.0.bias",)
    mean = tensors["last_layer.1.running_mean"] - tensors["last_layer.0.bias"]
    torch.testing.assert_close(theirs["decode_head.convs.0.bn.running_mean"], mean)
    assert not any("convs.0.conv.bias" in key for key in theirs)


def test_gains_of_inplace_abn_are_made_plain_once(tmp_path):
    shapes = {key: shape for key, shape in LISTS["seg_hrnet_w18_small_v2"].items() if not key.endswith(BATCH_COUNTER)}
    tensors = {f"model.{key}": torch.full([min(side, 2) for side in shape], -0.25) for key, shape in shapes.items()}
    torch.save(tensors, tmp_path / "torch04.pth")
    found = recognise(tmp_path / "torch04.pth")
    assert found.inplace_abn and any("InPlaceABN" in note for note in found.notes)
    convert(found, tmp_path / "plain.safetensors")
    plain = load_file(tmp_path / "plain.safetensors")
    torch.testing.assert_close(plain["model.bn1.weight"], torch.full((2,), 0.25001), rtol=0, atol=1e-9)
    assert torch.equal(plain["model.conv1.weight"], tensors["model.conv1.weight"])  # a convolution has no gain
    assert not recognise(tmp_path / "plain.safetensors").inplace_abn
    convert(found, tmp_path / "kept.safetensors", gains="plain")
    assert torch.equal(load_file(tmp_path / "kept.safetensors")["model.bn1.weight"], tensors["model.bn1.weight"])


def test_names_that_a_layout_has_not_are_refused(w32, tmp_path):
    save_file({key: value[:1] if value.ndim else value for key, value in w32.items()}, tmp_path / "pose.safetensors")
    found = recognise(tmp_path / "pose.safetensors")
    with pytest.raises(
        UsageError, match=r"timm has no names for HRNet, top-down pose: choose one of published, mmpose0"
    ):
        convert(found, tmp_path / "out.pth", "timm")
    with pytest.raises(UsageError, match="no layout 'mmpose' to write: did you mean 'mmpose"):
        convert(found, tmp_path / "out.pth", "mmpose")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(HRNetError, match="in no layout that is known"):
        convert(recognise(tmp_path / "other.safetensors"), tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()
