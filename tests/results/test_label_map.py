"""Label maps as files: run lengths bring the mask back and are COCO's, palette PNGs hold the labels."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from hrnet.datasets.classes import CITYSCAPES, own_classes
from hrnet.errors import HRNetError
from hrnet.images import read_values
from hrnet.results.label_map import LabelMap, mask_of, overlaid, run_lengths, write_label_png

ABC = own_classes(("sky", "road", "tree"))


@settings(deadline=None)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)))
def test_run_lengths_bring_the_mask_back_and_are_cocos(mask):
    from pycocotools import mask as coco

    counts = run_lengths(mask)
    assert all(counts[1:]) and sum(counts) == mask.size
    np.testing.assert_array_equal(mask_of(counts, mask.shape), mask)
    theirs = coco.decode(coco.frPyObjects({"size": list(mask.shape), "counts": counts}, *mask.shape))
    np.testing.assert_array_equal(theirs, mask)


@given(arrays(np.uint8, (5, 7), elements=st.integers(0, 2)))
def test_shares_and_masks_cover_the_picture(labels):
    found = LabelMap(labels, ABC)
    assert sum(found.areas.values()) == pytest.approx(1)
    plain = json.loads(json.dumps(found.to_dict()))["classes"]
    whole = np.full((5, 7), 255)
    for each in plain:
        mask = mask_of(each["segmentation"]["counts"], (5, 7))
        assert (whole[mask] == 255).all() and each["share"] == pytest.approx(mask.mean(), abs=1e-6)
        whole[mask] = each["id"]
    np.testing.assert_array_equal(whole, labels)
    with pytest.raises(KeyError, match="did you mean 'road'"):
        found.mask("raod")


def test_palette_pngs_hold_the_labels_and_show_the_colours(tmp_path):
    labels = np.array([[0, 13], [18, 10]], np.uint8)
    found = LabelMap(labels, CITYSCAPES)
    write_label_png(tmp_path / "a.png", found)
    write_label_png(tmp_path / "b.png", found, file_values=True)
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), labels)
    assert read_values(tmp_path / "b.png").tolist() == [[7, 26], [33, 23]]
    for name in ("a.png", "b.png"):
        shown = np.array(Image.open(tmp_path / name).convert("RGB"))
        assert shown[0, 1].tolist() == [0, 0, 142]


def test_an_overlay_keeps_the_pictures_size_and_adds_a_legend():
    image = np.zeros((60, 90, 3), np.uint8)
    labels = np.zeros((60, 90), np.uint8)
    labels[30:] = 1
    drawn = overlaid(image, LabelMap(labels, ABC))
    assert drawn.shape[1] == 90 and drawn.shape[0] > 60
    assert drawn[50, 50].tolist() == [round(0.55 * value) for value in ABC.palette[1]]
    with pytest.raises(HRNetError, match="90 x 60 pixels, its label map 90 x 59"):
        overlaid(image, LabelMap(labels[1:], ABC))
