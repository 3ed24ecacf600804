"""Results keep their numbers through every format, and drawing touches what it should and nothing else."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.datasets.skeleton import COCO, MPII, Skeleton
from hrnet.errors import HRNetError
from hrnet.results.drawing import contact_sheet, draw_poses, stroke
from hrnet.results.pose import Pose
from hrnet.results.writing import FORMATS, PictureResult, to_coco, to_csv, to_json

PAIR = Skeleton("pair", ("left_knee", "left_ankle"), limbs=(("left_knee", "left_ankle"),))


def make(keypoints, scores, score=0.5, box=(10, 10, 90, 90), skeleton=PAIR):
    array = np.array(keypoints, np.float32), np.array(scores, np.float32)
    return Pose(*array, score, np.array(box, np.float32), skeleton)


@st.composite
def poses(draw):
    pixels = st.floats(-1e4, 1e4, width=32)
    shares = st.floats(0, 1, width=32)
    keypoints = draw(st.lists(st.tuples(pixels, pixels), min_size=2, max_size=2))
    scores = draw(st.tuples(shares, shares))
    return make(keypoints, scores, draw(shares), draw(st.tuples(pixels, pixels, pixels, pixels)))


runs = st.lists(
    st.builds(
        PictureResult,
        st.text("7a é漢,;'\"\n", min_size=1),
        st.just(100),
        st.just(80),
        st.lists(poses(), max_size=2),
    ),
    max_size=3,
)


def approx(array, decimals):
    return pytest.approx(np.asarray(array, np.float64), abs=0.5001 * 10**-decimals, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(runs)
def test_json_holds_what_was_found(results):
    read = json.loads(to_json(results))
    found = [pose for result in results for pose in result.poses]
    expected = {"name": "pair", "keypoints": list(PAIR.keypoints), "limbs": [list(limb) for limb in PAIR.limbs]}
    assert read["skeleton"] == (expected if found else None)
    assert [image["file_name"] for image in read["images"]] == [result.file_name for result in results]
    assert [len(image["poses"]) for image in read["images"]] == [len(result.poses) for result in results]
    for plain, pose in zip((pose for image in read["images"] for pose in image["poses"]), found, strict=True):
        check(pose, plain["keypoints"].values(), plain["score"], plain["bbox"])


@settings(max_examples=40, deadline=None)
@given(runs)
def test_coco_holds_what_was_found(results):
    read = json.loads(to_coco(results))
    for plain, pose in zip(read, (pose for result in results for pose in result.poses), strict=True):
        assert plain["category_id"] == 1
        check(pose, np.reshape(plain["keypoints"], (-1, 3)), plain["score"], plain["bbox"])


@settings(max_examples=40, deadline=None)
@given(runs)
def test_csv_holds_what_was_found(results):
    read = list(csv.DictReader(io.StringIO(to_csv(results), newline="")))
    found = [(result.file_name, i, pose) for result in results for i, pose in enumerate(result.poses)]
    for row, (file_name, person, pose) in zip(read, found, strict=True):
        assert (row["file_name"], row["person"]) == (file_name, str(person))
        keypoints = [[float(row[f"{name}_{value}"]) for value in ("x", "y", "score")] for name in PAIR.keypoints]
        x1, y1, x2, y2 = (float(row[name]) for name in ("x1", "y1", "x2", "y2"))
        assert [x1, y1, x2, y2] == approx(pose.box, 2)
        check(pose, keypoints, float(row["score"]), pose.bbox)


def check(pose, keypoints, score, bbox):
    keypoints = np.array(list(keypoints))
    assert keypoints[:, :2] == approx(pose.keypoints, 2)
    assert keypoints[:, 2] == approx(pose.scores, 4)
    assert score == approx(pose.score, 4)
    assert bbox == approx([*pose.box[:2], *(np.float64(pose.box[2:]) - pose.box[:2])], 2)


@pytest.mark.parametrize(
    ("file_name", "image_id"),
    [
        ("000000000785.jpg", 785),
        ("val/42.png", 42),
        ("one/fine.png", "one/fine"),
        ("me, at 3.jpg", "me, at 3"),
        ("²٣.jpg", "²٣"),
    ],
)
def test_coco_image_id_is_the_number_in_the_file_name_or_the_name(file_name, image_id):
    pose = make(np.ones((2, 2)), np.ones(2))
    assert json.loads(to_coco([PictureResult(file_name, 9, 9, [pose])]))[0]["image_id"] == image_id


def test_values_that_are_not_finite_stay_valid_in_every_format():
    pose = make([[np.nan, 1], [2, np.inf]], [0.5, np.nan], np.nan, [np.nan] * 4)
    run = [PictureResult("a.jpg", 9, 9, [pose])]
    assert json.loads(to_json(run))["images"][0]["poses"][0]["keypoints"]["left_knee"] == [None, 1.0, 0.5]
    assert json.loads(to_coco(run))[0]["keypoints"] == [0] * 6
    assert to_csv(run).splitlines()[1] == "a.jpg,0,,,,,,,1.0,0.5,2.0,,"


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_a_name_that_is_no_valid_text_can_be_written(write):
    run = [PictureResult("caf\udce9, 1.jpg", 9, 9, [make(np.ones((2, 2)), np.ones(2))])]
    assert write(run).encode("utf-8")


def test_json_keeps_one_pose_per_line():
    run = [PictureResult("a.jpg", 9, 9, [make(np.ones((2, 2)), np.ones(2))] * 3)]
    assert sum(line.lstrip().startswith('{"score"') for line in to_json(run).splitlines()) == 3


def test_a_keypoint_is_found_by_name_and_an_unknown_one_names_the_nearest():
    pose = make(np.arange(34).reshape(17, 2), np.full(17, 0.25), skeleton=COCO)
    assert pose["left_eye"] == (2.0, 3.0, 0.25)
    with pytest.raises(KeyError, match="did you mean 'left_shoulder'"):
        pose["left_sholder"]


def test_a_pose_refuses_keypoints_of_another_skeleton():
    with pytest.raises(HRNetError, match=r"shape \(16, 2\), expected \(17, 2\) .* 'coco'"):
        make(np.zeros((16, 2)), np.zeros(16), skeleton=COCO)


def noise(height=100, width=120):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_drawing_leaves_its_input_alone_and_marks_limb_and_joints():
    image = noise()
    before = image.copy()
    drawn = draw_poses(image, [make([[30, 30], [60, 60]], [0.9, 0.9])])
    assert np.array_equal(image, before)
    assert (drawn[30, 30] == drawn[60, 60]).all() and (drawn[45, 45] == drawn[30, 30]).all()


@pytest.mark.parametrize("scores", [(0.29, 0.1), (np.nan, 0.2)])
def test_low_scores_leave_every_pixel_untouched(scores):
    image = noise()
    assert np.array_equal(draw_poses(image, [make([[30, 30], [60, 60]], scores)], boxes=False), image)


def test_a_limb_with_one_low_end_is_left_out_but_its_other_joint_is_drawn():
    image = noise()
    drawn = draw_poses(image, [make([[30, 30], [60, 60]], [0.9, 0.1])], boxes=False)
    changed = (drawn != image).any(axis=2)
    assert changed[30, 30] and not changed[45, 45] and not changed[60, 60]


anywhere = st.floats(width=32) | st.sampled_from([-1e9, -3.0, 0.0, 119.5, 3e38, np.nan, np.inf])


@settings(max_examples=50, deadline=None)
@given(st.lists(anywhere, min_size=8, max_size=8), st.sampled_from([(1, 1), (20, 30), (100, 120)]))
def test_coordinates_anywhere_draw_without_error(values, size):
    image = noise(*size)
    drawn = draw_poses(image, [make(np.reshape(values[:4], (2, 2)), [1, 1], box=values[4:])])
    assert drawn.shape == image.shape and drawn.dtype == np.uint8


def test_every_skeleton_draws():
    for skeleton in (COCO, MPII):
        points = np.random.default_rng(1).uniform(0, 100, (len(skeleton), 2))
        pose = make(points, np.ones(len(skeleton)), skeleton=skeleton)
        assert (draw_poses(noise(), [pose]) != noise()).any()


def test_a_stroke_covers_its_area_around_its_own_centre():
    canvas = np.zeros((60, 60, 3), np.uint8)
    stroke(canvas, (20.3, 25.7), (20.3, 25.7), 5.0, (255, 255, 255))
    cover = canvas[..., 0] / 255
    y, x = np.mgrid[:60, :60]
    assert cover.sum() == pytest.approx(np.pi * 25, rel=0.02)
    assert ((cover * x).sum() / cover.sum(), (cover * y).sum() / cover.sum()) == pytest.approx((20.3, 25.7), abs=0.02)


@pytest.mark.parametrize("image", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((5, 5, 4), np.uint8)])
def test_other_pictures_are_refused(image):
    with pytest.raises(HRNetError, match=r"expected .height, width, 3. and uint8"):
        draw_poses(image, [])


def test_a_contact_sheet_centres_each_picture_in_its_cell():
    pictures = [np.full((h, w, 3), 200, np.uint8) for h, w in ((10, 40), (300, 100), (50, 50))]
    sheet = contact_sheet(pictures, columns=2, cell=(100, 80))
    assert sheet.shape == (2 * 84 + 4, 2 * 104 + 4, 3)
    for row, column in ((0, 0), (0, 1), (1, 0)):
        assert (sheet[4 + row * 84 + 40, 4 + column * 104 + 50] == 200).all()
    assert (sheet[4 + 84 + 40, 4 + 104 + 50] != 200).all()
    labelled = contact_sheet(pictures, 2, (100, 80), ["", "a very long name that no cell can hold.jpg", "ß"])
    assert labelled.shape[0] > sheet.shape[0] and labelled.shape[1] == sheet.shape[1]
