"""What every recipe keeps: it builds, answers in maps, learns, and its weights carry everything to predict with."""

import numpy as np
import pytest
import torch

import hrnet
from hrnet.datasets.synthetic import figures
from hrnet.training.fit import normalised
from hrnet.weights.files import load_weights, save_weights


@pytest.mark.parametrize("name", hrnet.recipes())
def test_every_recipe_builds_learns_saves_loads_and_predicts(name, tmp_path):
    recipe = hrnet.recipe(name).but(
        model__backbone__width=8,
        model__backbone__stage1_planes=8,
        model__backbone__modules=(1, 1, 1),
        model__backbone__blocks=1,
        model__input_size=(64, 96),
    )
    torch.manual_seed(0)
    network = recipe.model.build()
    samples = recipe.samples([figures(4)])
    batch = [torch.from_numpy(np.stack(each)) for each in zip(*(samples[0, k] for k in range(4)), strict=True)]
    images, (targets, weights) = normalised(batch[0]), batch[1:]

    loss, optimizer = recipe.criterion(), torch.optim.Adam(network.parameters(), lr=1e-4)
    maps = network(images)
    assert maps.shape == targets.shape == (4, len(recipe.model.keypoints), 24, 16)
    before = loss(maps, targets, weights)
    before.backward()
    optimizer.step()
    assert loss(network(images), targets, weights) < before

    path = tmp_path / "weights.safetensors"
    save_weights(path, network, recipe.to_yaml(), {}, half=False)
    again = recipe.model.build()
    load_weights(again, path)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(images), network.eval()(images), rtol=0, atol=0)

    predictor = hrnet.Predictor(path, device="cpu")
    assert predictor.recipe == recipe
    (pose,) = predictor(np.zeros((40, 30, 3), np.uint8))
    assert pose.skeleton is recipe.model.keypoints and np.isfinite(pose.keypoints).all()
