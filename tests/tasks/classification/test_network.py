"""The classification networks carry the published names, counts and numbers."""

import json

import numpy as np
import pytest
import torch
from formula import filled, formula_input
from taps import Taps, agrees

import hrnet
from hrnet.nets.cost import GFLOP, cost
from hrnet.tasks.classification.recipes import RECIPES

PUBLISHED = ("w18_small_v1", "w18_small_v2", "w18", "w30", "w32", "w40", "w44", "w48", "w64")
# TPAMI tables 15 and 16, and the README: millions of parameters, multiply-adds / 1024**3.
COUNTS = {
    "w18_small_v1": (13.2, 1.49), "w18_small_v2": (15.6, 2.42), "w18": (21.3, 3.99), "w30": (37.7, 7.55),
    "w32": (41.2, 8.31), "w40": (57.6, 11.8), "w44": (67.1, 13.9), "w48": (77.5, 16.1), "w64": (128.1, 26.9),
    "w44_bottleneck": (21.9, 3.90), "w76_bottleneck": (40.8, 7.30), "w96_bottleneck": (57.5, 10.2),
    "w27_ci": (21.4, 5.55), "w36_ci": (37.5, 9.00), "w45_ci": (58.2, 13.4),
    "w25_cii": (21.7, 5.04), "w34_cii": (36.7, 8.29), "w43_cii": (56.3, 12.5),
}  # fmt: skip


def bare(name):
    """The network of a recipe without memory for its numbers."""
    with torch.device("meta"):
        return hrnet.recipe(f"classification/{name}").model.build()


def test_every_published_row_is_there():
    assert set(COUNTS) == {name.split("/")[1] for name, recipe in RECIPES.items() if recipe.published}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds_are_the_published_ones(name):
    parameters, multiply_adds = cost(bare(name), (224, 224))
    millions, gflops = COUNTS[name]
    assert parameters / 1e6 == pytest.approx(millions, abs=0.051)
    assert multiply_adds / GFLOP == pytest.approx(gflops, rel=0.005)


@pytest.mark.shared
@pytest.mark.parametrize("name", PUBLISHED)
def test_entries_are_the_published_ones(name, shared):
    published = json.loads((shared / f"golden/state_dicts/cls_hrnet_{name}.json").read_text())
    assert [[key, list(value.shape)] for key, value in bare(name).state_dict().items()] == published


def check_forward(network, golden):
    for prefix in sorted({key.split("/")[0] for key in golden}):
        height, width = map(int, prefix.split("x"))
        names = [key.split("/")[2] for key in golden if key.startswith(f"{prefix}/stat/")]
        image = torch.from_numpy(formula_input("image", (1, 3, height, width)))
        with torch.inference_mode(), Taps(network, names) as seen:
            logits = network(image)
        for name in names:
            agrees(seen[name], golden, prefix, name)
        pooled = seen["final_layer"].mean(dim=(2, 3))
        np.testing.assert_allclose(pooled, golden[f"{prefix}/pooled"], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(logits, golden[f"{prefix}/logits"], rtol=1e-4, atol=1e-4)


def test_forward_is_the_published_one(reference):
    check_forward(filled(bare("w18_small_v1")), reference("cls_hrnet_w18_small_v1"))


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("name", ["w18_small_v2", "w18", "w32", "w48"])
def test_forward_of_larger_networks_is_the_published_one(name, shared):
    check_forward(filled(bare(name)), dict(np.load(shared / f"golden/forward/cls_hrnet_{name}.npz")))


@pytest.mark.slow
def test_timm_answers_the_same_and_its_features_are_ours(reference, tmp_path):
    """timm's `features_only` with `feature_location=''` gives the stem's map and then the four streams."""
    golden = reference("timm_hrnet_w18")
    network = filled(bare("w18"))
    image = torch.from_numpy(formula_input("image", (1, 3, 128, 128)))
    torch.save(network.state_dict(), tmp_path / "w18.pth")
    backbone = hrnet.features("classification/w18", tmp_path / "w18.pth")
    with torch.inference_mode():
        logits, streams = network(image), backbone(image)
        wide = [module(x) for module, x in zip(network.incre_modules, streams, strict=True)]
    np.testing.assert_allclose(logits, golden["128x128/logits"], rtol=1e-4, atol=1e-4)
    for r in range(4):
        agrees(streams[r], golden, "128x128", f"features_plain.out{r + 1}")
        agrees(wide[r], golden, "128x128", f"features_incre.out{r + 1}")


def test_features_take_any_size():
    hrnet.features("segmentation/camvid_small")  # a second call answers like the first
    backbone = hrnet.features("classification/w18_small_v1")
    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, 97, 161))
    assert [tuple(x.shape) for x in maps] == [(1, 16, 25, 41), (1, 32, 13, 21), (1, 64, 7, 11), (1, 128, 4, 6)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["w18_small_v1", "w27_ci", "w25_cii"])
def test_every_head_learns(name):
    recipe = hrnet.recipe(f"classification/{name}").but(
        model__backbone__width=8, model__backbone__modules=(1, 1, 1), model__backbone__blocks=1, model__classes=3
    )
    network = recipe.model.build()
    scores = network(torch.randn(2, 3, 64, 64))
    assert scores.shape == (2, 3)
    recipe.criterion()(scores, torch.tensor([0, 2])).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
