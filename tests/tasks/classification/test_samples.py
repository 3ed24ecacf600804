"""What a classifier is shown, which folders it reads, and how its answers are counted."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import hrnet
from hrnet.datasets.image_folder import open_image_folder
from hrnet.errors import HRNetError
from hrnet.tasks.classification.codec import decode, softmax
from hrnet.tasks.classification.inference import ClassificationInference
from hrnet.tasks.classification.samples import augmented, centre, random_piece
from hrnet.tasks.classification.scoring import evaluate
from hrnet.tasks.classification.settings import Augmentation


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 10**6))
def test_a_random_piece_lies_in_the_picture(width, height, seed):
    left, top, w, h = random_piece(width, height, Augmentation(), random.Random(seed))
    assert 0 <= left <= left + w <= width and 0 <= top <= top + h <= height and w > 0 and h > 0


def test_pieces_have_the_published_areas_and_proportions():
    options, draws = Augmentation(), random.Random(0)
    pieces = np.array([random_piece(1000, 1000, options, draws)[2:] for _ in range(2000)], float)
    shares, proportions = pieces.prod(axis=1) / 1e6, pieces[:, 0] / pieces[:, 1]
    assert 0.079 < shares.min() < 0.1 and 0.9 < shares.max() <= 1
    assert proportions.min() > 0.74 and proportions.max() < 1.34
    assert (proportions > 1).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("size, fitted", [((300, 500), (256, 426)), ((500, 300), (426, 256)), ((256, 400), (256, 400))])
def test_the_centre_is_torchvisions(size, fitted):
    """Shorter side to 256, the longer cut down to whole pixels, then 224 x 224 around the middle."""
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    whole = np.asarray(Image.fromarray(image).resize(fitted, Image.Resampling.BILINEAR))
    top, left = round((fitted[1] - 224) / 2), round((fitted[0] - 224) / 2)
    np.testing.assert_array_equal(centre(image, (224, 224), 0.875), whole[top : top + 224, left : left + 224])


def test_a_sample_depends_on_its_draws_alone():
    image = np.random.default_rng(0).integers(0, 255, (90, 70, 3), np.uint8)
    options = Augmentation(colour=0.3)
    one, again, other = (augmented(image, options, (64, 48), random.Random(seed)) for seed in (1, 1, 2))
    assert one.shape == (48, 64, 3) and one.dtype == np.uint8
    assert (one == again).all() and not (one == other).all()


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "val"):
        for k, name in enumerate(("bees", "ants")):
            for number in range(2):
                path = tmp_path / split / name / f"{number}.JPEG"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (60, 50), (200 * k, 90, 10 * number)).save(path, "JPEG")
    return tmp_path


def test_classes_are_the_folders_in_sorted_order(folder):
    data = open_image_folder(folder, "val", 2)
    assert data.classes == ("ants", "bees") and [record.label for record in data.records] == [0, 0, 1, 1]
    assert open_image_folder(folder / "val", "train", ("ants", "bees")).records == data.records


@pytest.mark.parametrize(
    "spoil, classes, words",
    [
        (lambda f: None, ("bees", "wasps"), ["2 classes, ants, bees", "has 2, bees, wasps", "model.classes=[ants"]),
        (lambda f: None, 1000, ["has 2 classes", "the network has 1000"]),
        (lambda f: [path.unlink() for path in (f / "val/bees").iterdir()], 2, ["val/bees holds no pictures"]),
        (lambda f: (f / "val").rename(f / "test"), 2, ["has no folder val"]),
    ],
)
def test_faults_are_named(folder, spoil, classes, words):
    spoil(folder)
    with pytest.raises(HRNetError) as refusal:
        open_image_folder(folder, "val", classes)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


class Red:
    """An engine that finds ants in red pictures, bees elsewhere."""

    name, precision, decodes = "stand-in", "fp32", False

    def run(self, pictures):
        red = pictures[..., 0].mean(axis=(1, 2)) / 255
        return (np.stack([red, 1 - red], axis=1).astype(np.float32),)


def test_accuracy_counts_the_first_answer(folder):
    recipe = hrnet.recipe("classification/w18").but(model__classes=2, testing__flip=True)
    figures = evaluate(ClassificationInference(recipe, Red()), open_image_folder(folder, "val", 2))
    assert figures["metrics"] == {"top-1": 1.0} and figures["pictures"] == 4
    assert figures["per_class"] == {"ants": 1.0, "bees": 1.0}


def test_top_5_needs_five_answers(tmp_path):
    class Rising(Red):
        def run(self, pictures):
            return (np.tile(np.arange(7, dtype=np.float32), (len(pictures), 1)),)

    for name in "abcdefg":
        (tmp_path / "val" / name).mkdir(parents=True)
        Image.new("RGB", (60, 50)).save(tmp_path / "val" / name / "1.png")
    data = open_image_folder(tmp_path, "val", 7)
    for top, expected in ((5, {"top-1": 0.1429, "top-5": 0.7143}), (1, {"top-1": 0.1429})):
        recipe = hrnet.recipe("classification/w18").but(model__classes=7, testing__top=top)
        assert evaluate(ClassificationInference(recipe, Rising()), data)["metrics"] == expected


def test_answers_are_listed_by_probability():
    scores = np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 0.0]])
    first, second = decode(softmax(scores), ("a", "b", "c"), 2)
    assert first.names == ("b", "c") and second.labels == (0, 1)
    assert first.scores == pytest.approx((0.6652, 0.2447), abs=1e-4)
    assert first.to_dict()["classes"][0] == {"id": 1, "name": "b", "score": 0.6652}
