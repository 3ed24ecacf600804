"""Training samples, class lists and losses are the published ones, and hold on any picture."""

import random

import numpy as np
import pytest
import torch
from formula import formula_input
from hypothesis import given, settings
from hypothesis import strategies as st

import hrnet
from hrnet.datasets.classes import CITYSCAPES, CONTEXT_ORIGINAL, LIP, PASCAL_CONTEXT_59, PASCAL_CONTEXT_60, bit_palette
from hrnet.tasks.segmentation.loss import cross_entropy, hard_cross_entropy
from hrnet.tasks.segmentation.network import enlarged
from hrnet.tasks.segmentation.samples import (
    augmented,
    cut,
    label_order,
    long_side_size,
    mirrored,
    padded,
    resized,
    short_side_size,
)
from hrnet.tasks.segmentation.settings import Augmentation, LossSettings
from hrnet.training.fit import rate


@pytest.fixture(scope="module")
def golden(reference):
    return reference("segmentation")


class Fixed(random.Random):
    """Draws that were made beforehand."""

    def __init__(self, *numbers):
        super().__init__()
        self.numbers = list(numbers)

    def randint(self, a, b):
        number = self.numbers.pop(0)
        assert a <= number <= b
        return number


@pytest.mark.parametrize("shape", ["wide", "tall"])
def test_scaled_pictures_and_labels_are_the_published_ones(shape, golden):
    image, labels = golden[f"in/{shape}_image"], golden[f"in/{shape}_label"]
    for k, scale in enumerate(golden["scale_aug/scales"]):
        size = long_side_size(image.shape[:2], int(64 * scale + 0.5))
        found, found_labels = resized(image, labels, size)
        np.testing.assert_array_equal(found, golden[f"scale_aug/{shape}{k}_image"])
        np.testing.assert_array_equal(found_labels, golden[f"scale_aug/{shape}{k}_label"])


@pytest.mark.parametrize("k", range(3))
def test_crops_are_the_published_ones(k, golden):
    image, labels = golden["in/wide_image"], golden["in/wide_label"]
    scale, (x, y) = golden[f"crop/{k}_scale"], golden[f"crop/{k}_xy"]
    pair = resized(image, labels, long_side_size(image.shape[:2], int(64 * scale + 0.5)))
    found, found_labels = cut(*padded(*pair, (48, 32)), (48, 32), Fixed(int(x), int(y)))
    np.testing.assert_array_equal(found, golden[f"crop/{k}_image"])
    np.testing.assert_array_equal(found_labels, golden[f"crop/{k}_label"])


def test_shorter_sides_are_the_published_ones(golden):
    for name, shape in (("wide", (40, 70)), ("tall", (70, 40)), ("square", (40, 40))):
        width, height = short_side_size(shape, 52)
        assert [height, width] == golden[f"short/{name}_nopad_hw"].tolist()
        assert [-height % 8, -width % 8] == golden[f"short/{name}_pad_hw"].tolist()


def test_lip_swaps_left_and_right_and_ignores_proportions(golden):
    """The published loader mirrors first and then resizes; its arrays are normalised, RGB and channels first."""
    image, labels = golden["in/lip_image"], golden["in/lip_label"]
    flipped, flipped_labels = resized(*mirrored(image, labels, label_order(LIP.flip_order)), (12, 12))
    np.testing.assert_array_equal(flipped_labels, golden["lip/flipped_label_12x12"])
    scaled = (flipped[..., ::-1] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(scaled.transpose(2, 0, 1), golden["lip/flipped_image_12x12"], atol=1e-5)
    _, plain = resized(image, labels, (12, 12))
    np.testing.assert_array_equal(plain, golden["lip/unflipped_label_12x12"])


def test_class_lists_are_the_published_ones(golden):
    table = CITYSCAPES.lookup()
    np.testing.assert_array_equal(table[golden["labelmap/cityscapes_id"]], golden["labelmap/cityscapes_train"])
    assert table[255] == 255 and (table[34:255] == -1).all()  # published: they stay, and the loss fails on them
    np.testing.assert_array_equal(CITYSCAPES.file_values()[:19], golden["labelmap/cityscapes_inverse_of_0_18"])
    np.testing.assert_allclose(CITYSCAPES.weights, golden["class_weights/cityscapes"], atol=1e-6)
    np.testing.assert_array_equal(CONTEXT_ORIGINAL, golden["labelmap/pascal_original_ids"])
    numbers = golden["labelmap/pascal_in"]
    for classes, key in ((PASCAL_CONTEXT_59, "pascal59_v11"), (PASCAL_CONTEXT_60, "pascal60_v11")):
        ours = classes.lookup()[np.where(numbers < 0, 255, numbers)]
        np.testing.assert_array_equal(np.where(ours == 255, -1, ours), golden[f"labelmap/{key}"])
    np.testing.assert_array_equal(bit_palette(256), golden["palette/all"])


@pytest.mark.parametrize("aligned", [False, True])
def test_losses_are_the_published_ones(aligned, golden):
    labels = torch.from_numpy(golden["in/loss_target"])
    scores = enlarged(torch.from_numpy(formula_input("loss_score", (2, 5, 6, 8))), (12, 16), aligned)
    found = cross_entropy(scores, labels)
    np.testing.assert_allclose(found, golden[f"loss/ce_ac{int(aligned)}"], rtol=1e-5)
    if aligned:
        return
    weights = torch.from_numpy(golden["loss/class_weights"])
    np.testing.assert_allclose(cross_entropy(scores, labels, weights), golden["loss/ce_upsampled_weighted"], rtol=1e-5)
    for k, (threshold, keep) in enumerate(golden["loss/ohem_cases"]):
        options = LossSettings.model_construct(ohem_threshold=float(threshold), ohem_keep=max(1, int(keep)))
        for name, chosen in (("ohem", None), ("ohem_weighted", weights)):
            loss = hard_cross_entropy(scores, labels, chosen, options)
            np.testing.assert_allclose(loss, golden[f"loss/{name}"][k], rtol=1e-5)


@pytest.mark.parametrize("aligned", [False, True])
def test_the_loss_of_two_outputs_is_the_published_one(aligned, golden):
    recipe = hrnet.recipe("segmentation/w48_ocr").override(
        {
            "model.classes": tuple("abcde"),
            "model.backbone.upsample": "bilinear_aligned" if aligned else "bilinear",
        }
    )
    outputs = tuple(torch.from_numpy(formula_input(f"loss_{name}", (2, 5, 6, 8))) for name in ("aux", "score"))
    criterion = recipe.criterion()
    criterion.weights = torch.from_numpy(golden["loss/class_weights"])
    labels = torch.from_numpy(golden["in/loss_target"])
    np.testing.assert_allclose(criterion(outputs, labels), golden[f"loss/ocr_ce_ac{int(aligned)}"], rtol=1e-5)


def test_hard_pixels_are_found_even_where_none_is_hard(golden):
    """Published: NaN for equal scores at or above the threshold, and an error without a pixel that counts."""
    labels = torch.from_numpy(golden["in/loss_target"])
    for threshold in (0.1, 0.2, 0.3):
        scores = torch.zeros(2, 5, 12, 16, requires_grad=True)
        options = LossSettings(ohem_threshold=threshold, ohem_keep=10)
        loss = hard_cross_entropy(scores, labels, None, options)
        assert loss.item() == pytest.approx(np.log(5))
        nothing = hard_cross_entropy(scores, torch.full_like(labels, 255), None, options)
        plain = cross_entropy(scores, torch.full_like(labels, 255))
        (loss + nothing + plain).backward()
        assert nothing.item() == plain.item() == 0 and scores.grad.isfinite().all()


def test_the_rate_is_the_published_one(golden):
    """The published loop sets the rate after a step, so step i + 1 learns at the rate of iteration i."""
    optim, steps = hrnet.recipe("segmentation/w48").optim, int(golden["lr/max_iters"])
    found = [optim.lr * rate(optim, int(step) + 1, steps, 1) for step in golden["lr/iters"]]
    np.testing.assert_allclose(found, golden["lr/poly"], rtol=1e-6)
    assert rate(optim, 0, steps, 1) == rate(optim, 1, steps, 1) == 1


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(32, 90), st.integers(32, 90)),
    crop=st.tuples(st.integers(24, 48), st.integers(24, 48)),
    stretch=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_any_picture_gives_a_crop_whose_labels_lie_on_their_pixels(size, crop, stretch, seed):
    """A picture whose red channel is its label: wherever a label is not ignored, the red channel still tells it.

    Labels take the nearest pixel and pictures the mean of neighbours, so two flat halves differ at their border alone,
    which the labels or the picture show, or both.
    """
    height, width = size
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    image = np.repeat((labels * 200 + 20)[..., None], 3, axis=2)
    options = Augmentation(stretch=stretch, long_side=40, crop=crop)
    found, found_labels = augmented(image, labels, options, label_order(np.arange(2)), random.Random(seed))
    assert found.shape == (crop[1], crop[0], 3) and found_labels.shape == (crop[1], crop[0])
    assert set(np.unique(found_labels)) <= {0, 1, 255}
    assert (found[found_labels == 255] == 0).all()
    inside = found_labels != 255
    bright, border = found[..., 0] > 120, np.zeros_like(inside)
    for shift in range(-10, 11):
        border |= (np.roll(found_labels, shift, axis=1) != found_labels) | (np.roll(bright, shift, axis=1) != bright)
    flat = inside & ~border
    np.testing.assert_array_equal(bright[flat], found_labels[flat] == 1)
