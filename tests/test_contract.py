"""What every recipe keeps: it builds, answers in maps, learns, and its weights carry everything to predict with."""

import numpy as np
import pytest
import torch
from PIL import Image

import hrnet
from hrnet.datasets.synthetic import figures
from hrnet.training.loading import normalised
from hrnet.weights.files import load_weights, save_weights


def learns(network, loss, images, targets):
    """Whether one of ten steps lowers the loss; OCR's batch norms over two pictures make single steps jump."""

    def value():
        torch.manual_seed(1)  # of the dropout
        return loss(network(images), *targets)

    optimizer, before = torch.optim.Adam(network.parameters(), lr=1e-4), value()
    for _ in range(10):
        optimizer.zero_grad()
        value().backward()
        optimizer.step()
        if value() < before:
            return True
    return False


@pytest.mark.parametrize("name", [name for name in hrnet.recipes() if name.startswith("pose_")])
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
    images, targets = normalised(batch[0]), batch[1:]

    assert learns(network, recipe.criterion(), images, targets)

    path = tmp_path / "weights.safetensors"
    save_weights(path, network, recipe.to_yaml(), {}, half=False)
    again = recipe.model.build()
    load_weights(again, path)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(images), network.eval()(images), rtol=0, atol=0)

    predictor = hrnet.Predictor(path, device="cpu")
    assert predictor.recipe == recipe
    for pose in predictor(np.zeros((40, 30, 3), np.uint8)):
        assert pose.skeleton is recipe.model.keypoints and np.isfinite(pose.keypoints).all()


@pytest.fixture
def dense_data(tmp_path):
    """Two pictures of odd sizes with labels, and two classes of two pictures each."""
    rng = np.random.default_rng(0)
    for part in ("images", "labels", "train/one", "train/two"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "classes.txt").write_text("sky\nroad\ntree\n")
    for k, size in enumerate([(70, 90), (64, 96)]):
        picture = rng.integers(0, 255, (*size, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / f"images/{k}.png")
        Image.fromarray(picture[..., 0] % 3).save(tmp_path / f"labels/{k}.png")
        for name in ("one", "two"):
            Image.fromarray(picture).save(tmp_path / f"train/{name}/{k}.png")
    return tmp_path


SMALLER = {
    "model.backbone.width": 8,
    "model.backbone.stage1_planes": 8,
    "model.backbone.modules": (1, 1, 1),
    "model.backbone.blocks": 1,
}
SEGMENTATION = {
    "augmentation.crop": (64, 64),
    "augmentation.long_side": 96,
    "augmentation.short_side": 0,
    "testing.base": 96,
    "testing.scales": (1.0, 1.25),
    "testing.window": (64, 64),
    "testing.side": 64,
    "model.input_size": (96, 64),
    "model.classes": ("sky", "road", "tree"),
}
CLASSIFICATION = {"model.input_size": (64, 64), "model.classes": ("one", "two")}
DENSE = {
    **{f"segmentation/{name}": SEGMENTATION for name in ("w48", "w48_ocr_pascal_context", "w48_lip", "camvid_small")},
    **{f"classification/{name}": CLASSIFICATION for name in ("w18", "w25_cii", "w27_ci")},
}


@pytest.mark.parametrize("name", DENSE)
def test_every_kind_of_dense_recipe_keeps_the_same(name, dense_data, tmp_path):
    recipe = hrnet.recipe(name).override(SMALLER | DENSE[name])
    torch.manual_seed(0)
    network = recipe.model.build()
    data = recipe.read(dense_data, "train")
    samples = recipe.samples([data])
    batch = [torch.from_numpy(np.stack(each)) for each in zip(*(samples[0, k] for k in range(2)), strict=True)]
    images, targets = normalised(batch[0]), batch[1:]

    assert learns(network, recipe.criterion(), images, targets)

    path = tmp_path / "weights.safetensors"
    save_weights(path, network, recipe.to_yaml(), {}, half=False)
    predictor = hrnet.Predictor(path, device="cpu")
    assert predictor.recipe == recipe
    assert 0 <= hrnet.evaluate(predictor, dense_data, "train")["metrics"][data.headline] <= 1
    image, _ = recipe.shown(data.records[0])
    (found,) = predictor(image)
    assert predictor.draw(image, [found]).shape[0] > len(image)
    assert found.to_dict()["classes"]
