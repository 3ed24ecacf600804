"""Losses and their gradients are the published ones."""

import numpy as np
import pytest
import torch
from formula import formula_input

from hrnet.tasks.pose_bottomup.loss import counted_cells, heatmap_loss, tag_loss

CLOSE = {"rtol": 1e-5, "atol": 1e-7}
GRADIENT = {"rtol": 1e-4, "atol": 1e-8}


def test_heatmap_loss_is_the_published_one(reference):
    golden = reference("bottomup_loss")
    maps = torch.from_numpy(formula_input("loss.pred", (3, 5, 12, 10))).requires_grad_()
    targets = torch.from_numpy(formula_input("loss.gt", (3, 5, 12, 10)))
    mask = torch.from_numpy(golden["heatmap/mask"]).float()[:, None]
    loss = heatmap_loss(maps, targets, mask)
    np.testing.assert_allclose(loss.detach(), golden["heatmap/loss_per_image"], **CLOSE)
    loss.mean().backward()
    np.testing.assert_allclose(maps.grad, golden["heatmap/grad_of_batch_mean"], **GRADIENT)


@pytest.mark.parametrize("kind", ["exp", "max"])
@pytest.mark.parametrize("tags, channels", [("per_joint", 4), ("shared", 1)])
def test_tag_loss_is_the_published_one(kind, tags, channels, reference):
    golden = reference("bottomup_loss")
    maps = torch.from_numpy(0.8 * formula_input(f"loss.tags.{channels}", (8, channels, 16, 16))).requires_grad_()
    table = torch.from_numpy(golden[f"ae/{tags}/joints"]).long()
    push, pull = tag_loss(maps, table[..., 0], table[..., 1] > 0, kind)
    name = f"ae/{tags}/{kind}"
    np.testing.assert_allclose(push.detach(), golden[f"{name}/push"], **CLOSE)
    np.testing.assert_allclose(pull.detach(), golden[f"{name}/pull"], **CLOSE)
    (push.sum() + pull.sum()).backward()
    gradient = np.zeros(maps.numel(), np.float32)
    gradient[golden[f"{name}/grad_index"]] = golden[f"{name}/grad_value"]
    np.testing.assert_allclose(maps.grad.flatten(), gradient, **GRADIENT)


def test_the_sum_over_maps_is_the_published_one(reference):
    golden = reference("bottomup_loss")
    outputs = [
        torch.from_numpy(formula_input(f"loss.out{k}", shape)).requires_grad_()
        for k, shape in enumerate([(2, 34, 16, 16), (2, 17, 32, 32)])
    ]
    total = torch.zeros(())
    for k, output in enumerate(outputs):
        shape = (2, 17, *output.shape[2:])
        targets = torch.from_numpy(np.abs(formula_input(f"loss.hm{k}", shape)))
        mask = torch.from_numpy(formula_input(f"loss.m{k}", (2, *output.shape[2:])) > -1).float()[:, None]
        total = total + heatmap_loss(output[:, :17], targets, mask).mean()
    table = torch.from_numpy(golden["multi/joints0"]).long()
    push, pull = tag_loss(outputs[0][:, 17:], table[..., 0], table[..., 1] > 0)
    total = total + 0.001 * (push + pull).mean()
    np.testing.assert_allclose(total.item(), golden["multi/total"], **CLOSE)
    total.backward()
    np.testing.assert_allclose(outputs[0].grad, golden["multi/grad0"], **GRADIENT)
    np.testing.assert_allclose(outputs[1].grad[:, :, ::2, ::2], golden["multi/grad1"], **GRADIENT)


def test_what_counts_depends_on_the_kind_of_ground():
    ground = torch.tensor([[[0, 1, 2], [1, 1, 2]]], dtype=torch.uint8)
    counted = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])  # nothing, everything, the second joint alone
    weights = counted_cells(ground, counted)
    assert weights[0, 0].tolist() == [[0, 1, 0], [1, 1, 0]]
    assert weights[0, 1].tolist() == [[0, 1, 1], [1, 1, 1]]


def test_a_missing_peak_costs_more_where_the_recipe_says_so():
    maps, weights = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    targets = torch.tensor([[[[1.0, 0.5], [0.0, 0.0]]]])
    plain, weighted = (heatmap_loss(maps, targets, weights, f).item() for f in (1.0, 5.0))
    assert plain == pytest.approx(1.25 / 4) and weighted == pytest.approx((5 * 1 + 3 * 0.25) / 4)
