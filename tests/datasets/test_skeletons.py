"""Skeletons: the known ones hold together, own ones are read, refused in one sentence, and travel in recipes."""

import re

import numpy as np
import pytest

import hrnet
from hrnet.catalogue import recipe_from_yaml
from hrnet.datasets.skeleton import SKELETONS, Skeleton
from hrnet.datasets.skeleton_files import guessed_pairs, read_skeleton, skeleton_text
from hrnet.errors import HRNetError, UsageError

BEE = Skeleton(
    "bee",
    ("head", "left_wing", "right_wing"),
    (("head", "left_wing"),),
    (("left_wing", "right_wing"),),
    (0.1, 0.2, 0.2),
)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_known_skeletons_mirror_onto_themselves(skeleton):
    order = skeleton.flip_order
    np.testing.assert_array_equal(order[order], np.arange(len(skeleton)))
    middle = [name for k, name in enumerate(skeleton.keypoints) if order[k] == k]
    assert not any("left" in name or "right" in name for name in middle)
    assert 0 < skeleton.upper.sum() < len(skeleton)


@pytest.mark.parametrize("skeleton", [*SKELETONS.values(), BEE], ids=lambda skeleton: skeleton.name)
def test_a_skeleton_file_holds_all_of_a_skeleton(skeleton, tmp_path):
    path = tmp_path / "skeleton.yaml"
    path.write_text(skeleton_text(skeleton))
    assert read_skeleton(path) == skeleton


def test_names_alone_are_enough(tmp_path):
    (tmp_path / "s.yaml").write_text("keypoints: [a, 2]")
    assert read_skeleton(tmp_path / "s.yaml") == Skeleton("own", ("a", "2"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: bee", "is no skeleton: expected 'keypoints', a list of names"),
        ("[head]", "is no skeleton"),
        ("keypoints: head", "expected names as text"),
        ("keypoints: []", "has no keypoints"),
        ("keypoints: [a, a]", "names the keypoint 'a' 2 times"),
        ("keypoints: [head, tail]\nlimbs: [[head, tial]]", "limbs names 'tial', no keypoint: did you mean 'tail'?"),
        ("keypoints: [head, tail]\nlimbs: [[head]]", "limbs and flip_pairs as pairs of names"),
        ("keypoints: [l, r]\nflip_pairs: [[l, l]]", "must be two different keypoints"),
        ("keypoints: [l, r, m]\nflip_pairs: [[l, r], [r, m]]", "'r' stands in 2 flip_pairs"),
        ("keypoints: [a, b]\nsigmas: [0.1]", "has 1 sigmas for 2 keypoints"),
        ("keypoints: [a, b]\nsigmas: [0.1, 0]", "give one positive number each"),
        ("keypoints: [a, b]\nlimb: []", "a skeleton has no 'limb': did you mean 'limbs'?"),
        ("keypoints: [a", "cannot be read as YAML"),
    ],
)
def test_what_does_not_fit_is_refused_by_file(text, words, tmp_path):
    path = tmp_path / "skeleton.yaml"
    path.write_text(text)
    with pytest.raises(HRNetError, match=f"^{re.escape(str(path))}.*{re.escape(words)}"):
        read_skeleton(path)


def test_left_and_right_are_told_by_name():
    names = [
        "left_ear",
        "right_ear",
        "pawL",
        "pawR",
        "l_eye",
        "r_eye",
        "LHip",
        "RHip",
        "wing-left",
        "wing-right",
        "tail",
    ]
    pairs = guessed_pairs(names)
    assert pairs == tuple((names[k], names[k + 1]) for k in range(0, 10, 2))
    assert guessed_pairs(["left", "Loop", "lower", "rower"]) == ()


def test_an_own_skeleton_travels_in_the_recipe(tmp_path):
    (tmp_path / "bee.yaml").write_text(skeleton_text(BEE))
    recipe = hrnet.recipe("small_256x192").override({"model.skeleton": str(tmp_path / "bee.yaml")})
    (tmp_path / "bee.yaml").unlink()
    carried = recipe_from_yaml(recipe.to_yaml(), "weights")
    assert carried == recipe and carried.model.keypoints == BEE
    assert carried.model.build().final_layer.out_channels == 3
    assert carried.but(model__skeleton="mpii").model.skeleton == "mpii"
    assert recipe.but(model__skeleton=SKELETONS["aic"]).model.skeleton == "aic"
    with pytest.raises(UsageError, match="no skeleton 'cocoo', and it is no YAML file: did you mean 'coco'"):
        recipe.override({"model.skeleton": "cocoo"})
    with pytest.raises(HRNetError, match=r"bee.yaml does not exist: write one with hrnet init-skeleton"):
        recipe.override({"model.skeleton": str(tmp_path / "bee.yaml")})
