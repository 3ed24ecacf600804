"""A training sample is the published one, number for number, and depends on seed, epoch and index alone."""

import random

import numpy as np
import pytest

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import COCO, LSPET
from hrnet.datasets.synthetic import figures
from hrnet.tasks.pose_topdown.codec import Codec
from hrnet.tasks.pose_topdown.recipes import w32_256x192
from hrnet.tasks.pose_topdown.samples import Draws, Pick, PoseSamples, augmented, half_body
from hrnet.tasks.pose_topdown.settings import Augmentation

STILL = Augmentation(half_body=0, scale=0, rotation_probability=0, flip=0)


def person(keypoints, visibility, box=(0, 0, 50, 100), **more):
    return Person(np.array(box, float), np.array(keypoints, float), np.array(visibility), 1000.0, id=1, **more)


def pick(image, joints, vis, box=(0, 0, 1, 1)):
    """A person of the golden files: joints (17, 3) and vis (17, 3), both with a column that says nothing."""
    someone = person(joints[:, :2], vis[:, 0], box)
    record = Record(image, image.shape[1], image.shape[0], id=1, people=(someone,))
    return Pick(record, someone, someone.keypoints, vis[:, 0] > 0)


@pytest.mark.parametrize(
    "part, case, augmentation",
    [*(("train", case, Augmentation()) for case in range(12)), *(("test", case, STILL) for case in range(2))],
)
def test_sample_is_the_published_one(part, case, augmentation, reference):
    golden = reference("joints_dataset_getitem")
    image = np.ascontiguousarray(golden["image_bgr"][..., ::-1])
    golden = {k.removeprefix(f"{part}/"): v[case] for k, v in golden.items() if k.startswith(part)}
    recipe = w32_256x192.but(augmentation=augmentation)
    half = golden["scale_in"].astype(float) * 200 / 1.25 / 2  # center and scale as the box they come from
    box = [*(golden["center_in"] - half), *(golden["center_in"] + half)]
    someone = pick(image, golden["joints_in"], golden["vis_in"], box)

    crop, points, labelled = augmented(image, someone, recipe, Draws(case))
    maps, weights = Codec(recipe).encode(points, labelled)

    seen = golden["joints_vis"][:, 0] > 0
    np.testing.assert_array_equal(labelled, seen)
    np.testing.assert_allclose(points[seen], golden["joints"][seen, :2], atol=1e-3)
    assert np.abs(crop[::8, ::8].astype(int) - golden["input_stride8"]).max() <= 1
    np.testing.assert_allclose(maps, golden["target"], atol=1e-6)
    np.testing.assert_array_equal(weights, golden["target_weight"][:, 0])


@pytest.mark.parametrize("case", range(40))
def test_half_body_is_the_published_one(case, reference):
    golden = {name: values[case] for name, values in reference("half_body").items() if values.ndim}
    someone = pick(np.zeros((1, 1, 3), np.uint8), golden["joints"], golden["vis"])
    draws = Draws(int(golden["np_random_seed"]))
    draws.uniform_numpy = random.Random(0).random  # the golden file begins after the choice whether to do it at all
    always = Augmentation(half_body=1, half_body_above=0)
    window = half_body(someone, COCO, w32_256x192.model.input_size, always, draws)
    assert (window is None) == golden["is_none"]
    if window is not None:
        np.testing.assert_allclose(window[0], golden["center"], rtol=1e-5)
        np.testing.assert_allclose(window[1] / 200, golden["scale"][0], rtol=1e-5)


def test_a_sample_depends_on_seed_epoch_and_index_alone():
    samples = lambda seed=0: PoseSamples(w32_256x192.but(training__seed=seed), [figures(3)])  # noqa: E731
    one, other = samples(), samples()
    other[5, 0], other[0, 1]  # what was asked for before does not matter
    for ours, theirs in zip(one[2, 1], other[2, 1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for different in (one[3, 1], one[2, 0], samples(seed=1)[2, 1]):
        assert not np.array_equal(one[2, 1][0], different[0])


def dataset(someone, skeleton, name="a"):
    image = np.random.default_rng(0).integers(0, 255, (120, 90, 3), np.uint8)
    return PoseData(name, skeleton, (Record(image, 90, 120, name, (someone,)),), metric="PCK")


def test_sets_join_by_keypoint_name():
    joints = np.column_stack([np.linspace(10, 40, 14), np.linspace(10, 90, 14)])
    visibility = np.full(14, 2)
    visibility[LSPET.index("left_knee")] = 0
    recipe = w32_256x192.but(augmentation=STILL)
    samples = PoseSamples(recipe, [dataset(person(joints, visibility), LSPET), figures(1)])

    known = samples.picks[0]
    for k, name in enumerate(COCO.keypoints):
        labelled = name in LSPET.keypoints and name != "left_knee"
        assert known.labelled[k] == labelled
        if labelled:
            np.testing.assert_array_equal(known.keypoints[k], joints[LSPET.index(name)])
    _, maps, weights = samples[0, 0]
    np.testing.assert_array_equal(weights, known.labelled)
    assert not maps[~known.labelled].any() and maps[known.labelled].any(axis=(1, 2)).all()
    assert len(samples) == 2 and samples[0, 1][1].shape == maps.shape


def test_labels_of_a_machine_weigh_less():
    joints = np.column_stack([np.linspace(10, 40, 17), np.linspace(10, 90, 17)])
    recipe = w32_256x192.but(augmentation=STILL, loss__pseudo_weight=0.25)
    sets = [dataset(person(joints, np.full(17, 2), pseudo=pseudo), COCO) for pseudo in (False, True)]
    samples = PoseSamples(recipe, sets)
    np.testing.assert_array_equal(samples[0, 1][2], 0.25 * samples[0, 0][2])
    assert samples[0, 0][2].any()


def test_crowds_unlabelled_people_and_held_back_pictures_are_passed_over():
    joints, seen = np.full((17, 2), 30.0), np.full(17, 2)
    sets = [
        dataset(person(joints, seen), COCO, "kept"),
        dataset(person(joints, seen), COCO, "held_back"),
        dataset(person(joints, seen, crowd=True), COCO, "crowd"),
        dataset(person(joints, 0 * seen), COCO, "unlabelled"),
    ]
    samples = PoseSamples(w32_256x192.but(without=("held_back",)), sets)
    assert [known.record.id for known in samples.picks] == ["kept"]
