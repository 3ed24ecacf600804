"""The published augmentation, number for number; what counts where; and people pasted with exact truth."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import COCO, LSPET
from hrnet.errors import HRNetError
from hrnet.images import write_image
from hrnet.tasks.pose_bottomup.recipes import higher_w32_512
from hrnet.tasks.pose_bottomup.samples import EVERYTHING, NOTHING, PEOPLE, Scene, Shown, counted_region, random_windows
from hrnet.tasks.pose_bottomup.settings import Augmentation


def picture(height, width):
    """The picture of the golden files."""
    y, x = np.indices((height, width))
    channels = [(3 * x + y) % 256, (5 * y + x) % 256, (200 * ((x // 8 + y // 8) % 2) + x % 50) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("case", range(24))
def test_windows_are_the_published_ones(case, reference):
    golden = reference("bottomup_transforms")
    height, width, long, reach, seed = golden[f"case{case:02d}/args"]
    golden = {k.partition("/")[2]: v for k, v in golden.items() if k.startswith((f"case{case:02d}/", "input/"))}
    options = Augmentation(side="long" if long else "short", shift=reach / 200)
    image = picture(height, width)
    sizes = [(64, 64), (16, 16), (32, 32)]
    frames = random_windows(image, sizes, options, np.random.RandomState(seed), random.Random(int(seed)))
    flipped = bool(golden["flipped"])
    assert all(frame.mirrored == flipped for frame in frames)
    joints = golden[f"joints_{height}x{width}"]
    for k, frame in enumerate(frames[1:]):
        points = frame.to_input(joints[..., :2])
        points = points[:, COCO.flip_order] if flipped else points
        np.testing.assert_allclose(points, golden[f"joints{k}_after_flip"][..., :2], atol=1e-6)
    plain = [frame.mirror() if flipped else frame for frame in frames]
    for frame, name in zip(plain, ("matrix_input", "matrix_out0", "matrix_out1"), strict=True):
        np.testing.assert_allclose(frame.matrix, golden[name], atol=1e-9)
    if "image" in golden:  # a few pixels differ between versions of OpenCV
        mask = np.full((height, width), 255, np.uint8)
        mask[height // 3 : height // 2, width // 4 : width // 2] = 0
        differing = (frames[2].warp(mask) > 127) != golden["mask1_after_flip"].astype(bool)
        assert differing.mean() < 0.005
        assert (np.abs(plain[0].warp(image).astype(int) - golden["image"]) > 1).mean() < 0.01


def test_annotations_give_the_published_joints_and_mask(reference, tmp_path):
    """Crowds and people without labels do not count, by their segments; the centre is the mean of what is labelled."""
    golden = reference("bottomup_targets")
    annotations = json.loads(str(golden["annotation/json"]))
    given = {
        "images": [{"id": 7, "file_name": "7.png", "height": 60, "width": 80}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}],
        "annotations": [{**each, "id": k, "image_id": 7, "category_id": 1} for k, each in enumerate(annotations)],
    }
    (tmp_path / "set.json").write_text(json.dumps(given))
    write_image(tmp_path / "7.png", picture(60, 80))
    recipe = higher_w32_512.but(model__centre=True, augmentation__flip=0)
    (record,) = recipe.read(tmp_path / "set.json").records
    np.testing.assert_array_equal(counted_region(record) > 0, golden["annotation/mask"])
    boxed = replace(record, people=tuple(replace(each, segment=None) for each in record.people))
    assert (counted_region(boxed) > 0).mean() < golden["annotation/mask"].mean()  # the boxes hide more

    learning = [each for each in record.people if each.visibility.any()]
    expected = golden["annotation/joints_with_center"]
    expected = expected[expected[:, :, 2].any(axis=1)]  # unlabelled people are rows of zeros there
    samples = recipe.samples([PoseData("set", COCO, (record,), "AP")])
    joints, *_ = samples.truth(
        Scene(
            record.read(),
            [np.zeros((60, 80), np.uint8)],
            np.ones(17, bool),
            [
                Shown(p.keypoints, p.keypoints[None], p.visibility > 0, p.visibility > 0, np.array(p.box))
                for p in learning
            ],
        )
    )
    seen = expected[..., 2] > 0
    np.testing.assert_array_equal(joints[0, : len(learning), :, 2] > 0, seen)
    np.testing.assert_allclose(joints[0, : len(learning), :, :2][seen], expected[..., :2][seen], rtol=1e-6)


def person(points, visibility, box, **more):
    return Person(np.array(box, float), np.array(points, float), np.array(visibility), 1000.0, id=1, **more)


def data(people, size=(96, 64), skeleton=COCO, complete=True, seed=0):
    image = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    record = Record(image, *size, id=seed, people=tuple(people))
    return PoseData("set", skeleton, (record,), metric="AP", complete=complete)


STILL = Augmentation(rotation=0, scale=(1, 1), shift=0, flip=0)
SMALL = higher_w32_512.but(model__input_size=(64, 64), augmentation=STILL)


def joints_at(x, y, count=17):
    """A person whose joints stand one beside the other."""
    return np.column_stack([np.linspace(x, x + 8, count), np.full(count, y)])


def test_crowds_and_people_without_labels_do_not_count_and_teach_no_tags():
    labelled = person(joints_at(50, 20), np.full(17, 2), (48, 15, 60, 25))
    crowd = person(np.zeros((17, 2)), np.zeros(17, int), (16, 0, 31, 63), crowd=True)
    unlabelled = person(np.zeros((17, 2)), np.zeros(17, int), (64, 0, 79, 63))
    samples = SMALL.samples([data([crowd, labelled, unlabelled])])
    _, joints, counted, _, ground = samples[0, 0]  # the window is the middle 64 of 96 columns, a cell is two pixels
    weights = counted[ground]
    assert weights[:, 8:23].all() and not weights[:, :7].any() and not weights[:, 25:].any()
    assert (joints[..., 2].sum(axis=2) > 0).sum() == 2  # one person on each of two maps
    np.testing.assert_allclose(joints[1, 0, :, 0], (labelled.keypoints[:, 0] - 16) / 2, atol=1e-5)
    np.testing.assert_allclose(joints[0, 0, :, 1], labelled.keypoints[:, 1] / 4, atol=1e-5)


def test_beyond_the_picture_nothing_counts():
    recipe = SMALL.but(augmentation__scale=(2, 2))
    someone = person(joints_at(40, 20), np.full(17, 2), (38, 15, 50, 25))
    *_, ground = recipe.samples([data([someone], size=(64, 64))])[0, 0]
    assert (ground[8:24, 8:24] == EVERYTHING).all() and (ground == NOTHING).sum() == 32 * 32 - 16 * 16


def test_joints_that_a_set_does_not_know_or_label_do_not_count():
    someone = person(joints_at(40, 20, 14), np.where(np.arange(14) == 3, 0, 2), (38, 10, 50, 30))
    samples = SMALL.but(codec__unlabelled="unknown").samples([data([someone], size=(64, 64), skeleton=LSPET)])
    _, joints, counted, _, ground = samples[0, 0]
    known = np.array([name in LSPET.keypoints for name in COCO.keypoints])
    np.testing.assert_array_equal(counted[ground[0, 0]], known)
    own = counted[ground[10, 22]]  # within the person's box
    np.testing.assert_array_equal(own, joints[1, 0, :, 2] > 0)
    assert not own[COCO.index(LSPET.keypoints[3])] and known[COCO.index(LSPET.keypoints[3])]


@pytest.fixture
def pasting(tmp_path):
    """A recipe and samples that paste people on a grey background."""
    write_image(tmp_path / "grey.png", np.full((80, 80, 3), 128, np.uint8))
    recipe = SMALL.but(
        augmentation=STILL.but(
            backgrounds=str(tmp_path), mosaics=8, people=(3, 3), hull=0, soft=0, inside=1, overlap=1, size=(0.3, 0.5)
        )
    )
    white = np.full((40, 40, 3), 255, np.uint8)
    corner = np.array([[10 + 2 * (k % 9), 10 + 3 * (k % 6)] for k in range(14)], float)
    someone = person(corner, np.full(14, 2), (10, 10, 26, 25))
    alone = PoseData("alone", LSPET, (Record(white, 40, 40, 1, (someone,)),), metric="PCK", complete=False)
    return recipe, [alone]


def test_pasted_people_are_where_their_pixels_are(pasting):
    recipe, sets = pasting
    samples = recipe.samples(sets)
    assert len(samples) == 8  # a picture with unlabelled people around is never shown as it is
    for index in range(8):
        image, joints, counted, _, ground = samples[0, index]
        seen = joints[1][joints[1, :, :, 2] > 0]
        assert len(seen) > 10
        x, y = np.rint(seen[:, :2] * 2).astype(int).T
        assert (image[y, x] == 255).all()
        own = ground >= PEOPLE
        assert (image[::2, ::2][own] == 255).mean() > 0.9 and (image[::2, ::2][~own] == 128).mean() > 0.9
        assert set(np.unique(ground[~own])) == {EVERYTHING} and counted[EVERYTHING].all()


def test_joints_beneath_somebody_else_are_not_taught(pasting):
    recipe, sets = pasting
    samples = recipe.samples(sets)
    hidden = 0
    for index in range(8):
        _, joints, counted, _, ground = samples[1, index]
        for p, someone in enumerate(joints[1]):
            cells = np.rint(someone[:, :2]).astype(int)
            taught = someone[:, 2] > 0
            if not taught.any():
                continue
            hidden += (counted[PEOPLE + p] > taught).sum()
            assert (ground[cells[taught, 1], cells[taught, 0]] == PEOPLE + p).mean() > 0.9
    assert hidden > 0


def test_a_sample_depends_on_seed_epoch_and_index_alone(pasting):
    recipe, sets = pasting
    one, other = recipe.samples(sets), recipe.samples(sets)
    other[5, 0], other[0, 1]  # what was asked for before does not matter
    for ours, theirs in zip(one[2, 1], other[2, 1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(one[3, 1][0], one[2, 1][0])


def test_folders_without_pictures_are_named(tmp_path):
    recipe = SMALL.but(augmentation__backgrounds=str(tmp_path), augmentation__mosaics=1)
    with pytest.raises(HRNetError, match="holds no pictures"):
        recipe.samples([])


def test_a_set_without_labels_teaches_nothing():
    unlabelled = person(np.zeros((17, 2)), np.zeros(17, int), [10, 10, 50, 60])
    assert len(higher_w32_512.samples([data([unlabelled])])) == 0
