"""Figures of label maps: the published confusion matrix, and Cityscapes' scores worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from formula import formula_input
from PIL import Image

from hrnet.datasets.classes import CITYSCAPES, own_classes
from hrnet.datasets.label_maps import LabelledPicture
from hrnet.tasks.segmentation.scoring import ThingScores, category_iou, confusion, figures


@pytest.fixture
def predictions(reference):
    golden = reference("segmentation")
    scores = formula_input("cm_pred", (2, 5, 10, 12))
    scores[0, 1, 0, :4] = scores[0, 3, 0, :4] = 9
    size = golden["cm/size"]
    truth = golden["in/cm_gt"][:, : size[1], : size[2]].astype(np.uint8)
    return scores, truth, golden


def test_figures_are_the_published_ones(predictions):
    scores, truth, golden = predictions
    matrix = confusion(truth, scores.argmax(axis=1), 5)
    np.testing.assert_array_equal(matrix, golden["cm/matrix"])
    found = figures(matrix, own_classes(tuple("abcde")))
    np.testing.assert_allclose(list(found["per_class"].values()), golden["cm/iou"], atol=5e-5)
    for name, key in (("mIoU", "miou"), ("pixel accuracy", "pixel_acc"), ("mean accuracy", "mean_acc")):
        assert found["metrics"][name] == pytest.approx(golden[f"cm/{key}"], abs=5e-5)
    assert "present mIoU" not in found["metrics"]


def test_an_absent_class_counts_zero_as_published_and_is_left_out_by_name(predictions):
    scores, truth, golden = predictions
    scores[:, 4] = -99
    matrix = confusion(np.where(truth == 4, 255, truth), scores.argmax(axis=1), 5)
    np.testing.assert_array_equal(matrix, golden["cm/matrix_absent_class"])
    found = figures(matrix, own_classes(tuple("abcde")))["metrics"]
    assert found["mIoU"] == pytest.approx(golden["cm/miou_absent_class"], abs=5e-5)
    assert found["present mIoU"] == pytest.approx(golden["cm/miou_absent_class"] * 5 / 4, abs=1e-4)


def test_confusions_within_a_category_are_no_fault():
    matrix = np.zeros((19, 19), np.int64)
    matrix[0, 1], matrix[0, 13], matrix[13, 13] = 30, 10, 60  # road as sidewalk, road as car, car as car
    scores = category_iou(matrix, CITYSCAPES)
    assert scores["flat"] == pytest.approx(30 / 40) and scores["vehicle"] == pytest.approx(60 / 70)


def test_small_instances_weigh_as_much_as_large_ones(tmp_path):
    """Two cars of 30 and 10 pixels, mean 20: the small one is missed half, the large one found but for 6 pixels that
    are called truck. iTP = 24 * 20/30 + 5 * 20/10 = 26; iTP + iFN = 2 * 20 = 40; 3 pixels of road are called car."""
    truth, found, ids = (np.zeros((10, 10), int) for _ in range(3))
    ids[:] = 7
    truth[:3], ids[:3] = 13, 26000
    truth[3], ids[3] = 13, 26001
    found[truth == 13] = 13
    found[0, :6] = 14
    found[3, :5] = 0
    found[9, :3] = 13
    Image.fromarray(ids.astype(np.uint16)).save(tmp_path / "ids.png")
    record = LabelledPicture(Path("x.png"), None, CITYSCAPES, tmp_path / "ids.png")
    scores = ThingScores(CITYSCAPES)
    scores.add(record, truth.astype(np.uint8), found.astype(np.uint8))
    assert scores.scores()["car"] == pytest.approx(26 / (40 + 3))
    # In the category vehicle the pixels called truck are hits: 30 * 20/30 + 5 * 20/10 = 30.
    assert scores.category_scores()["vehicle"] == pytest.approx(30 / (40 + 3))
    assert set(scores.category_scores()) == {"human", "vehicle"}


def test_ignored_pixels_do_not_count():
    truth = np.array([[0, 255], [1, 1]], np.uint8)
    assert confusion(truth, np.array([[0, 1], [1, 0]], np.uint8), 2).tolist() == [[1, 0], [1, 1]]
