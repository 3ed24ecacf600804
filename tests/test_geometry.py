"""One map between picture and input: the published numbers, and pixels that travel with their keypoints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.geometry import Frame, center_and_extent

PICTURE = (200, 160)  # width, height
CONVENTIONS = ("published", "unbiased")


def published_frame(center, scale, rotation, size, shift=(0, 0)):
    """The frame of the published `get_affine_transform`: scale is in units of 200 pixels, and only its x counts."""
    extent = np.asarray(scale, float) * 200
    return Frame.around(center + extent * shift, extent[0], tuple(size), rotation)


@pytest.mark.parametrize("case", range(60))
def test_frame_is_the_published_transform(case, reference):
    golden = {name: values[case] for name, values in reference("affine").items() if len(values) == 60}
    frame = published_frame(*(golden[name] for name in ("center", "scale", "rot", "output_size", "shift")))
    matrix, move = (frame.inverse, frame.to_picture) if golden["inv"] else (frame.matrix, frame.to_input)
    np.testing.assert_allclose(matrix, golden["trans"], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(matrix[:, :2], golden["trans"][:, :2], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(move(golden["points"]), golden["points_out"], rtol=1e-5, atol=1e-3)


def test_points_come_back_as_published(reference):
    golden = reference("affine")
    for points, center, scale, there in zip(
        *(golden[f"tp_{name}"] for name in ("coords", "center", "scale", "out")), strict=True
    ):
        frame = published_frame(center, scale, 0, golden["tp_output_size"])
        np.testing.assert_allclose(frame.to_picture(points), there, rtol=1e-5, atol=1e-3)


def test_an_empty_window_is_the_zero_map_as_published(reference):
    frame = Frame.around((100, 80), 0, (192, 256), 20)
    np.testing.assert_array_equal(frame.matrix, reference("affine")["zero_scale_trans"])
    np.testing.assert_array_equal(frame.inverse, np.zeros((2, 3)))


@pytest.mark.parametrize("case", range(5))
def test_warp_is_the_published_crop(case, reference):
    golden = reference("warp")
    frame = published_frame(
        *(golden[name][case] for name in ("center", "scale", "rot")), golden["output_size"].tolist()
    )
    difference = np.abs(frame.warp(golden["image"]).astype(int) - golden["crops"][case])
    assert difference.max() <= 1


@pytest.mark.parametrize("size", [(192, 256), (256, 256)])
def test_windows_of_boxes_are_the_published_ones(size, reference):
    golden, name = reference("box_center_scale"), f"{size[1]}x{size[0]}"
    for (x, y, w, h), center, scale in zip(
        golden["boxes_xywh"], golden[f"center_{name}"], golden[f"scale_{name}"], strict=True
    ):
        # The published code marks people without a place by x = -1, and widens their windows by nothing.
        padding = 1.0 if center[0] == -1 else 1.25
        ours, extent = center_and_extent(np.array([x, y, x + w, y + h]), size, padding)
        np.testing.assert_allclose(ours, center, rtol=1e-6)
        np.testing.assert_allclose(extent / 200, scale[0], rtol=1e-6)


@st.composite
def frames(draw):
    """Any frame of a picture of PICTURE's size: either convention, turned, mirrored in either way."""
    number = lambda low, high: draw(st.floats(low, high))  # noqa: E731
    center = np.array([number(70, 130), number(60, 100)])
    size = draw(st.sampled_from([(96, 128), (128, 96), (112, 112)]))
    window = center, number(60, 140), size, number(-180, 180), draw(st.sampled_from(CONVENTIONS))
    frame = Frame.around_mirrored(PICTURE[0], *window) if draw(st.booleans()) else Frame.around(*window)
    return frame.mirror() if draw(st.booleans()) else frame


@given(frames(), st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 2), min_size=1, max_size=5))
def test_points_go_and_come_back(frame, points):
    np.testing.assert_allclose(frame.to_picture(frame.to_input(points)), points, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(frames(), st.tuples(*[st.floats(0.3, 0.7)] * 2))
def test_a_pixel_and_its_keypoint_travel_together(frame, place):
    point = frame.to_picture(np.array(place) * frame.size)
    crop = frame.warp(blob(point))
    np.testing.assert_allclose(centroid(crop), frame.to_input(point), atol=0.1)


def blob(point):
    """A picture of PICTURE's size with a smooth spot at a point."""
    x, y = (np.arange(length) - p for length, p in zip(PICTURE, point, strict=True))
    spot = 255 * np.exp(-(x**2 + y[:, None] ** 2) / (2 * 4.0**2))
    return np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8)


def centroid(crop):
    """The mean place (x, y) of a picture's light."""
    light = crop[..., 0] / crop[..., 0].sum(dtype=float)
    return np.array([light.sum(axis=0) @ np.arange(crop.shape[1]), light.sum(axis=1) @ np.arange(crop.shape[0])])


windows = st.tuples(
    st.tuples(*[st.floats(40, 120)] * 2).map(np.array), st.floats(50, 200), st.just((96, 128)), st.floats(-90, 90)
)


@settings(deadline=None)
@given(windows, st.sampled_from(CONVENTIONS))
def test_mirror_shows_the_crop_left_to_right(window, convention):
    frame = Frame.around(*window, convention)
    image = np.random.default_rng(0).integers(100, 150, (PICTURE[1], PICTURE[0], 3), np.uint8)
    plain, mirrored = frame.warp(image).astype(int), frame.mirror().warp(image).astype(int)
    assert np.abs(plain[:, ::-1] - mirrored).mean() < 1
    assert frame.mirror().mirrored and not frame.mirror().mirror().mirrored


@given(windows)
def test_unbiased_mirroring_of_picture_and_of_input_are_one(window):
    """The mirrored picture's window, turned the other way, is the mirrored input; published it lies a pixel beside."""
    *place, rotation = window
    for convention, beside in zip(CONVENTIONS, (1, 0), strict=True):
        in_picture = Frame.around_mirrored(PICTURE[0], *place, -rotation, convention)
        in_input = Frame.around(*place, rotation, convention).mirror()
        np.testing.assert_allclose(in_picture.matrix - in_input.matrix, [[0, 0, beside], [0, 0, 0]], atol=1e-9)
