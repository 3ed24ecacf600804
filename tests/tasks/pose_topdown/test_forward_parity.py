"""With the same weights, the pose network, the whole test path and the first training steps answer as published."""

import numpy as np
import pytest
import torch
from formula import filled, formula_input
from taps import Taps, stat

from hrnet.engines.torch_engine import TorchEngine
from hrnet.tasks.pose_topdown.inference import TopDownInference
from hrnet.tasks.pose_topdown.loss import mean_squares
from hrnet.tasks.pose_topdown.recipes import mpii_w32_256x256, w32_256x192, w48_256x192

MAPS = {"rtol": 1e-4, "atol": 2e-3}


def by_formula(recipe):
    with torch.device("meta"):
        network = recipe.model.build()
    return filled(network)


@pytest.fixture(scope="module")
def w32():
    return by_formula(w32_256x192)


# Sizes settle nothing in a network, so W32 with 17 keypoints is filled only once.
FORWARDS = {
    "w32_128x96": w32_256x192,
    "w32_256x192": w32_256x192,
    "w32_384x288": w32_256x192,
    "w32_mpii_256x256": mpii_w32_256x256,
    "w48_256x192": w48_256x192,
}
QUICK = ("w32_128x96", "w32_256x192")


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in FORWARDS if name not in QUICK)]
)
def test_forward_is_the_published_one(name, w32, reference):
    """The first tensor that differs, from the stem on, is named."""
    network = w32 if FORWARDS[name] is w32_256x192 else by_formula(FORWARDS[name])
    golden = reference(f"pose_hrnet_{name}")
    height, width = 4 * golden["shape"][2:]
    image = torch.from_numpy(formula_input("image", (1, 3, height, width)))
    taps = sorted({key.split("/")[1] for key in golden if key.startswith("tap/")})
    with torch.inference_mode(), Taps(network, taps) as seen:
        output = network(image)

    assert set(taps) <= set(seen)
    for place, tap in ((place, tap) for place, tap in seen.items() if place in taps):
        np.testing.assert_allclose(tap[0, :4, ::5, ::5], golden[f"tap/{place}/sample"], **MAPS, err_msg=place)
        np.testing.assert_allclose(stat(tap), golden[f"tap/{place}/stat"], **MAPS, err_msg=place)

    step = golden["step"]
    assert tuple(output.shape) == tuple(golden["shape"])
    np.testing.assert_allclose(output[:, :, ::step, ::step], golden["sample"], **MAPS)
    np.testing.assert_allclose([stat(map_) for map_ in output[0]], golden["stat"], **MAPS)


@pytest.fixture
def people(reference):
    """The picture of the golden test path, its boxes x1, y1, x2, y2, and the published answers."""
    golden = reference("pipeline_w32_256x192")
    image = np.ascontiguousarray(reference("joints_dataset_getitem")["image_bgr"][..., ::-1])
    boxes = golden["boxes_xywh"].copy()
    boxes[:, 2:] += boxes[:, :2]
    return image, boxes, golden


@pytest.mark.parametrize("flip, count", [(True, 3), (False, 1)], ids=["flip", "noflip"])
def test_predicted_poses_are_the_published_ones(flip, count, w32, people):
    image, boxes, golden = people
    inference = TopDownInference(w32_256x192.but(testing__flip=flip), TorchEngine(w32, device="cpu"))
    (poses,) = inference.predict([(image, boxes[:count], None)])
    points, scores = (
        golden["preds_flip" if flip else "preds_noflip"],
        golden["maxvals_flip" if flip else "maxvals_noflip"],
    )
    np.testing.assert_allclose([pose.keypoints for pose in poses], points[:count], rtol=0, atol=1e-2)
    np.testing.assert_allclose([pose.scores for pose in poses], scores[:count, :, 0], **MAPS)


def test_crops_and_averaged_maps_are_the_published_ones(w32, people):
    image, boxes, golden = people
    inference = TopDownInference(w32_256x192, TorchEngine(w32, device="cpu"))
    crops = [inference.frame(box).warp(image) for box in boxes]
    for crop, published, mean in zip(crops, golden["crops_stride4"], golden["crop_mean"], strict=True):
        assert np.abs(crop[::4, ::4].astype(int) - published).max() <= 1
        np.testing.assert_allclose(crop.mean(), mean, atol=0.1)
    maps = inference.maps(crops[1][None])
    np.testing.assert_allclose(maps[0, :, ::4, ::4], golden["heatmap_avg_sample"][1], **MAPS)


@pytest.mark.slow
def test_first_training_steps_are_the_published_ones(reference):
    """Four steps in float64, where the losses must agree to the last digits: forward, gradients and Adam are the same.

    Gradients and weights are stored from the published float32 run, whose own rounding is half a percent at the stem:
    stage 4 sees 2 x 2 maps of two pictures, so its batch norm divides by the deviation of eight numbers; and Adam
    moves a weight whose gradient is close to zero a whole step either way. So most weights must agree, not each.
    """
    golden = reference("train_steps_w32_64x64")
    network = by_formula(w32_256x192).double().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.Adam(network.parameters(), lr=w32_256x192.optim.lr)
    images = torch.from_numpy(formula_input("train", (2, 3, 64, 64))).double()
    targets = torch.from_numpy(formula_input("target", (2, 17, 16, 16))).double().abs().clip(0, 1)
    weights = torch.ones(2, 17).double()
    weights[0, 3], weights[1, 10:] = 0, 0

    losses, gradients = [], {}
    for _ in range(4):
        loss = mean_squares(network(images), targets, weights)
        optimiser.zero_grad()
        loss.backward()
        losses.append(loss.item())
        gradients = gradients or {name: p.grad.clone() for name, p in network.named_parameters()}
        optimiser.step()

    np.testing.assert_allclose(losses, golden["loss_float64"], rtol=1e-6)
    norm = sum(gradient.square().sum() for gradient in gradients.values()).sqrt()
    np.testing.assert_allclose(norm, golden["grad0_norm"], rtol=1e-3)
    after = network.state_dict()
    assert after["bn1.num_batches_tracked"] == golden["after4/num_batches_tracked"]
    for key, published in golden.items():
        part, _, name = key.partition("/")
        if part == "grad0":
            ours, atol = gradients[name].flatten()[:64], 1e-2 * np.abs(published).max()
            np.testing.assert_allclose(ours, published, rtol=0, atol=atol, err_msg=name)
        elif name in after:
            ours, start = after[name].flatten()[:64].numpy(), before[name].flatten()[:64].numpy()
            assert np.median(np.abs(ours - published)) < 0.25 * np.median(np.abs(published - start)), name
