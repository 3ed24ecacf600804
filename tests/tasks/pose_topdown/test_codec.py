"""Targets, decoding, flip test and losses answer as the published code; both kinds of codec are their own inverse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.datasets.skeleton import COCO, MPII
from hrnet.geometry import Frame
from hrnet.tasks.pose_topdown.codec import Codec, flip_back, gaussian_maps, highest, softmax
from hrnet.tasks.pose_topdown.loss import mean_squares
from hrnet.tasks.pose_topdown.recipes import small_256x192, w32_256x192


@pytest.mark.parametrize("group", ["c256x192", "c384x288", "m256x256", "c256x192_sigma1p5"])
def test_targets_are_the_published_ones(group, reference):
    """Borders, out of frame on each side, unlabelled joints, a sigma whose patch is off its centre."""
    prefix = f"{group}/"
    golden = {k.removeprefix(prefix): v for k, v in reference("msra_targets").items() if k.startswith(prefix)}
    cells = golden["joints"][:, :2] / (golden["image_size"] / golden["heatmap_size"])
    maps, weights = gaussian_maps(
        cells, golden["vis"][:, 0], tuple(golden["heatmap_size"].tolist()), float(golden["sigma"])
    )
    np.testing.assert_allclose(maps, golden["target"], atol=1e-6)
    np.testing.assert_array_equal(weights, golden["target_weight"][:, 0])


def test_highest_cells_are_the_published_ones(reference):
    """Zero and negative maps, ties, corners and borders are among them."""
    golden = reference("decode")
    cells, values = highest(golden["heatmaps"])
    np.testing.assert_array_equal(cells, golden["max_preds"])
    np.testing.assert_array_equal(values, golden["maxvals"][..., 0])


def test_a_map_without_a_positive_value_answers_the_first_cell_as_published():
    maps = np.full((1, 1, 8, 6), -1.0)
    maps[0, 0, 5, 4] = -0.5
    cells, values = highest(maps)
    assert cells.tolist() == [[[0, 0]]] and values.tolist() == [[-0.5]]


@pytest.mark.parametrize("quarter_shift, answer", [(True, "final_preds"), (False, "final_preds_nopost")])
def test_decoding_is_the_published_one(quarter_shift, answer, reference):
    golden = reference("decode")
    codec = Codec(w32_256x192.but(codec__quarter_shift=quarter_shift))
    points, scores = codec.decode(golden["heatmaps"])
    for n, (center, scale) in enumerate(zip(golden["center"], golden["scale"], strict=True)):
        frame = Frame.around(center, 200 * float(scale[0]), codec.size)
        np.testing.assert_allclose(frame.to_picture(points[n]), golden[answer][n], atol=1e-3)
    np.testing.assert_array_equal(scores, golden["maxvals"][..., 0])


@pytest.mark.parametrize("skeleton", [COCO, MPII], ids=lambda skeleton: skeleton.name)
def test_flip_test_is_the_published_one(skeleton, reference):
    golden = {k[:-3]: v for k, v in reference("flip").items() if k.endswith(f"_{len(skeleton)}")}
    order, plain, mirrored = skeleton.flip_order, golden["out"], golden["out_flipped"]
    for left, right in golden["pairs"]:
        assert (order[left], order[right]) == (right, left)
    np.testing.assert_array_equal(flip_back(mirrored, order, shift=False), golden["flip_back"])
    np.testing.assert_array_equal(flip_back(mirrored, order, shift=True), golden["shifted"])
    for shift, average in ((True, "average_shift"), (False, "average_noshift")):
        np.testing.assert_array_equal((plain + flip_back(mirrored, order, shift)) * 0.5, golden[average])


@pytest.mark.parametrize(
    "name, weighted, hardest",
    [
        ("mse_weighted", True, 0),
        ("mse_plain", False, 0),
        ("ohkm_weighted_k3", True, 3),
        ("ohkm_weighted_k8", True, 8),
        ("ohkm_weighted_k17", True, 17),
        ("ohkm_plain_k8", False, 8),
    ],
)
def test_losses_and_gradients_are_the_published_ones(name, weighted, hardest, reference):
    golden = {key: torch.from_numpy(value) for key, value in reference("losses").items()}
    weights = golden["target_weight"][..., 0] if weighted else torch.ones(golden["output"].shape[:2])
    maps = golden["output"].requires_grad_()
    loss = mean_squares(maps, golden["target"], weights, hardest)
    loss.backward()
    torch.testing.assert_close(loss.double(), golden[name], rtol=1e-5, atol=0)
    torch.testing.assert_close(maps.grad, golden[f"{name}_grad"], rtol=1e-5, atol=1e-9)
    if f"b1_{name}" in golden:
        alone = mean_squares(maps[:1], golden["target"][:1], weights[:1], hardest)
        torch.testing.assert_close(alone.double(), golden[f"b1_{name}"], rtol=1e-5, atol=0)


CODECS = {recipe.codec.kind: Codec(recipe) for recipe in (w32_256x192, small_256x192)}


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(16, 175), st.floats(16, 239)), min_size=1, max_size=4))
def test_gaussian_round_trip_stays_within_half_a_cell(points):
    codec = CODECS["gaussian"]
    maps, weights = codec.encode(np.array(points), np.ones(len(points)))
    back, scores = codec.decode(maps[None])
    assert weights.all() and (scores == 1).all()
    assert (np.abs(back[0] - points) / codec.stride <= 0.5 + 1e-9).all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(20, 171), st.floats(20, 235)), min_size=1, max_size=4))
def test_distribution_round_trip_stays_within_a_tenth_of_a_cell(points):
    codec = CODECS["distribution"]
    maps, weights = codec.encode(np.array(points), np.ones(len(points)))
    back, scores = codec.decode(maps[None])
    assert weights.all() and (scores > 0.9).all()
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert (np.abs(back[0] - points) / codec.stride).max() < 0.1


def test_a_joint_beyond_the_map_is_taught_as_absent():
    codec = CODECS["distribution"]
    maps, weights = codec.encode(np.array([[-300.0, 100.0], [90.0, 100.0], [90.0, 100.0]]), np.array([1, 1, 0]))
    np.testing.assert_allclose(maps[0], 1 / maps[0].size, rtol=1e-6)
    np.testing.assert_allclose(weights, [small_256x192.codec.absent_weight, 1, 0])


def test_activation_makes_maps_comparable_between_views():
    maps = np.random.default_rng(0).normal(0, 100, (2, 3, 8, 6)).astype(np.float32)
    np.testing.assert_allclose(CODECS["distribution"].activate(maps).sum(axis=(2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(softmax(maps), softmax(maps + 1000), atol=1e-4)
    assert CODECS["gaussian"].activate(maps) is maps
