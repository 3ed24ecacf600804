"""Recipes by name, by dotted path and as YAML; parameters and multiply-adds are counted from the network itself."""

import json
import re
from pathlib import Path

import pytest

import hrnet
from hrnet.catalogue import recipe_from_yaml, row, weights_file
from hrnet.nets.cost import GFLOP

PUBLISHED = json.loads((Path(__file__).parent / "reference/complexity.json").read_text())["configs"]
NAMES = {
    "w32_256x192": "coco/hrnet/w32_256x192_adam_lr1e-3",
    "w48_256x192": "coco/hrnet/w48_256x192_adam_lr1e-3",
    "w32_384x288": "coco/hrnet/w32_384x288_adam_lr1e-3",
    "w48_384x288": "coco/hrnet/w48_384x288_adam_lr1e-3",
    "mpii_w32_256x256": "mpii/hrnet/w32_256x256_adam_lr1e-3",
    "mpii_w48_256x256": "mpii/hrnet/w48_256x256_adam_lr1e-3",
}


def test_embedded_weights_are_those_of_the_recipe_where_some_ship():
    for name, file in {
        "pose_bottomup/small_512": "pose_bottomup-small_512",
        "segmentation/camvid_small": "segmentation-camvid_small",
        "w32_256x192": "pose_topdown-small_256x192",
    }.items():
        assert weights_file("embedded", hrnet.recipe(name)).stem == file
    assert weights_file("embedded").stem == "pose_topdown-small_256x192"


@pytest.mark.parametrize("name", NAMES)
def test_cost_is_the_published_one(name):
    published, counted = PUBLISHED[NAMES[name]], row(hrnet.recipe(name))
    assert hrnet.recipe(name).model.input_size == tuple(published["input_hw"][::-1])
    assert counted.parameters == published["params"]
    assert counted.gflops * GFLOP == published["multiply_adds"]


def test_another_width_costs_otherwise():
    recipe = hrnet.recipe("small_256x192")
    one, wider = row(recipe), row(recipe.but(model__backbone__width=32))
    assert wider.parameters > one.parameters and wider.gflops > one.gflops


def test_every_recipe_has_a_name_to_call_it_by():
    assert len(hrnet.recipes()) == len(set(hrnet.recipes()))
    shorts = [name.split("/")[1] for name in hrnet.recipes()]
    for name, short in zip(hrnet.recipes(), shorts, strict=True):
        assert hrnet.recipe(name).name == name
        if shorts.count(short) == 1:
            assert hrnet.recipe(short) is hrnet.recipe(name)


def test_a_name_that_two_tasks_share_asks_for_the_task():
    with pytest.raises(hrnet.UsageError, match="name one of classification/w48, segmentation/w48"):
        hrnet.recipe("w48")


@pytest.mark.parametrize(
    "name, words",
    [
        ("w32_256x129", "did you mean 'w32_256x192'? Known: w32_256x192, w48_256x192"),
        ("pose_topdown/w48_256", "did you mean 'pose_topdown/w48_256x192'? Known: pose_topdown/w32"),
        ("", "no recipe '': Known: w32_256x192"),
    ],
)
def test_an_unknown_recipe_names_the_nearest(name, words):
    with pytest.raises(hrnet.UsageError, match=re.escape(words)):
        hrnet.recipe(name)


@pytest.mark.parametrize(
    "path, given, taken",
    [
        ("optim.lr", "1e-4", 1e-4),
        ("optim.lr", 0.5, 0.5),
        ("training.epochs", "3", 3),
        ("training.compile", "true", True),
        ("training.precision", "32", "32"),
        ("name", "1e5", "1e5"),
        ("model.input_size", "[96, 128]", (96, 128)),
        ("model.backbone.modules", (1, 2, 3), (1, 2, 3)),
        ("model.backbone.width", "18", 18),
        ("without", "[a, b]", ("a", "b")),
        ("published", "null", None),
    ],
)
def test_override_reads_text_by_the_type_of_the_field(path, given, taken):
    recipe = hrnet.recipe("w32_256x192")
    changed = recipe.override({path: given})
    assert dict(changed.paths())[path] == taken
    same = {name: value for name, value in recipe.paths() if not name.startswith(path)}
    assert same == {name: value for name, value in changed.paths() if not name.startswith(path)}


def test_a_list_for_a_field_that_takes_a_name_or_a_list():
    recipe = hrnet.recipe("segmentation/camvid_small")
    assert recipe.override({"model.classes": "[leaf, stem]"}).model.classes == ("leaf", "stem")
    assert recipe.override({"model.classes": "lip"}).model.classes == "lip"


@pytest.mark.parametrize(
    "path, given, words",
    [
        ("optim.rl", "1", "no recipe field 'optim.rl': did you mean 'optim.lr'? Known: optim.name, optim.lr"),
        ("lr", "1", "no recipe field 'lr'"),
        ("optim.lr.x", "1", "no recipe field 'optim.lr.x'"),
        ("Optim.LR", "1", "did you mean 'optim.lr'"),
        ("optim.lr", "fast", "optim.lr cannot be 'fast': input should be a valid number"),
        ("optim.lr", "-1", "optim.lr cannot be -1: input should be greater than 0"),
        ("optim", "3", "optim cannot be 3"),
        ("training.epochs", "1.5", "training.epochs cannot be 1.5: input should be a valid integer"),
        ("training.precision", "16", "training.precision cannot be '16': input should be '32' or 'bf16'"),
        ("model.input_size", "96", "model.input_size cannot be 96"),
        ("model.backbone.widht", "18", "did you mean 'model.backbone.width'"),
    ],
)
def test_override_refuses_by_name(path, given, words):
    with pytest.raises(hrnet.UsageError) as refusal:
        hrnet.recipe("w32_256x192").override({path: given})
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", hrnet.recipes())
def test_yaml_brings_back_the_recipe(name):
    recipe = hrnet.recipe(name)
    assert recipe_from_yaml(recipe.to_yaml(), "run/recipe.yaml") == recipe


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "holds no recipe: expected a name such as pose_topdown/small_256x192, found 'None'"),
        ("a: [", "is not YAML"),
        ("name: pose_topdown/x\noptim: {rate: 1}", "optim.rate is no field of it"),
        ("name: other/x", "found 'other/x'"),
        ("name: pose_topdown/x\noptim: {lr: fast}", "optim.lr cannot be 'fast'"),
    ],
)
def test_other_yaml_is_refused_by_file(text, words):
    with pytest.raises(hrnet.HRNetError) as refusal:
        recipe_from_yaml(text, "run/recipe.yaml")
    assert str(refusal.value).startswith("run/recipe.yaml ") and words in str(refusal.value)


def test_a_recipe_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(hrnet.HRNetError, match=r"gone\.yaml does not exist: check"):
        hrnet.recipe(str(tmp_path / "gone.yaml"))
