"""Sizes, windows, aggregation and the whole path are the published ones."""

import json
from dataclasses import replace

import numpy as np
import pytest
from formula import filled, formula_input
from tasks.pose_bottomup.test_samples import picture

from hrnet.datasets.skeleton import COCO
from hrnet.engines.torch_engine import TorchEngine
from hrnet.errors import HRNetError
from hrnet.geometry import extent_of
from hrnet.results.pose import Pose
from hrnet.tasks.pose_bottomup.aggregation import Aggregate, Layout
from hrnet.tasks.pose_bottomup.agreement import agreement
from hrnet.tasks.pose_bottomup.inference import BottomUpInference, distinct, input_size
from hrnet.tasks.pose_bottomup.recipes import higher_w32_512


def answers(case, scale, size):
    """The maps of a golden case at a scale: of the picture, and of its mirror image where it was shown."""
    height, width = size
    return [
        [
            formula_input(f"{case['case']}.scale{scale}.{view}.{i}", (1, c, height * 2**i, width * 2**i))[0]
            for i, c in enumerate(case["channels"])
        ]
        for view in ("plain", "mirror")[: 1 + case["flip"]]
    ]


def inference(engine=None, **testing):
    return BottomUpInference(higher_w32_512.but(**{f"testing__{k}": v for k, v in testing.items()}), engine)


def maps(path, image):
    """Heatmaps, tags and frame of a picture."""
    frame, crops = path.prepare((image, None, None))
    answers = [tuple(each[0] for each in path.run(crop[None])) for crop in crops]
    return *path.maps(frame, answers), frame


def test_input_sizes_and_windows_are_the_published_ones(reference):
    golden = reference("bottomup_resize")
    rows = zip(
        golden["size/args_h_w_input_scale_min"],
        golden["size/resized_wh"],
        golden["size/matrix"],
        golden["size/matrix_inverse"],
        strict=True,
    )
    for (height, width, short, scale, least), size, matrix, inverse in rows:
        height, width, short = int(height), int(width), int(short)
        assert input_size(width, height, short, scale, least) == tuple(size)
        frame = inference(input_size=short, scales=(scale, least)).frame(width, height, scale)
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
        np.testing.assert_allclose(corners @ frame.matrix.T, corners @ matrix.T, atol=0.01)
        np.testing.assert_allclose(frame.inverse, inverse, rtol=1e-4, atol=0.01)


@pytest.mark.parametrize("number", range(6))
def test_pictures_are_resized_as_published(number, reference):
    golden = reference("bottomup_resize")
    height, width, short, scale, least = golden[f"warp{number}/args"]
    frame = inference(input_size=int(short), scales=(scale, least)).frame(int(width), int(height), scale)
    warped = frame.warp(picture(int(height), int(width)))
    assert (np.abs(warped.astype(int) - golden[f"warp{number}/image"]) > 1).mean() < 0.01


def test_map_pixels_become_picture_pixels_as_published(reference):
    golden = reference("bottomup_resize")
    for number in range(15):
        height, width, short, map_width, map_height = golden[f"final{number}/args_h_w_input_mapw_maph"]
        frame = inference(input_size=int(short)).frame(int(width), int(height), 1.0)
        cells = np.array(frame.size) / [map_width, map_height]
        people = frame.to_picture(golden["final/input"][..., :2] * cells)
        np.testing.assert_allclose(people, golden[f"final{number}/people"][..., :2], atol=1e-3)


@pytest.mark.parametrize("number", range(15))
def test_maps_are_aggregated_as_published(number, reference):
    golden = reference("bottomup_aggregate")
    case = json.loads(str(golden["settings"]))[number]
    order = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13] if case["num_joints"] == 14 else COCO.flip_order
    layout = Layout(
        joints=case["num_joints"],
        tags=case["num_joints"] if case["tag_per_joint"] else 1,
        heatmap_maps=tuple(np.flatnonzero(np.array(case["with_heatmaps"]) & case["loss_heatmaps"])),
        tag_maps=tuple(np.flatnonzero(np.array(case["with_ae"]) & case["loss_ae"])),
        flip_order=np.concatenate([order, [17] * case["with_center"]]).astype(int),
        drop_centre=case["with_center"] and case["ignore_center"],
    )
    scales = sorted(case["scales"], reverse=True)
    aggregate = Aggregate(layout, tuple(case["base_size"]) if case["project2image"] else None)
    for scale, size in zip(scales, case["map_hw_per_scale_descending"], strict=True):
        aggregate.add(answers(case, scale, size), tags=scale == 1)
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(aggregate.heatmaps, golden[f"{case['case']}/final_heatmaps"][0], **close)
    np.testing.assert_allclose(aggregate.tags, golden[f"{case['case']}/tags"][0], **close)


@pytest.mark.slow
@pytest.mark.parametrize("name, scales", [("single", (1.0,)), ("multi", (0.5, 1.0))])
def test_the_whole_path_is_the_published_one(name, scales, reference):
    golden = reference("bottomup_pipeline")
    engine = TorchEngine(filled(higher_w32_512.model.build()), "cpu")
    path = inference(engine, input_size=128, scales=scales)
    heatmaps, tags, frame = maps(path, picture(60, 90))
    assert frame.size == tuple(golden[f"{name}/base_size_wh"])
    close = {"rtol": 1e-3, "atol": 5e-3}
    np.testing.assert_allclose(heatmaps[:, ::5, ::5], golden[f"{name}/heatmaps"][0], **close)
    np.testing.assert_allclose(tags[:, ::5, ::5], golden[f"{name}/tags"][0], **close)


def pose(x, score, joints=17):
    points = np.column_stack([np.linspace(x, x + 40, joints), np.linspace(0, 100, joints)]).astype(np.float32)
    return Pose(points, np.ones(joints, np.float32), score, np.array([x, 0, x + 40, 100], np.float32), COCO)


def test_who_is_there_twice_is_dropped_once():
    sure, again, other = pose(0, 0.9), pose(1, 0.5), pose(200, 0.4)
    assert distinct([sure, again, other], 0.3) == [sure, other]
    assert distinct([sure, again, other], 0) == [sure, again, other]


def test_joints_of_which_nothing_was_found_make_nobody_alike():
    people = crowd(2)
    for pose in people:
        pose.keypoints[4:], pose.scores[4:] = 0, 0
    assert len(distinct(people, 0.3)) == 2


class Answers:
    """An engine that puts out the same number everywhere."""

    name, precision, decodes = "constant", "fp32", False

    def __init__(self, value):
        self.value = value

    def run(self, pictures):
        count, height, width = pictures.shape[:3]
        shapes = [(count, 34, height // 4, width // 4), (count, 17, height // 2, width // 2)]
        return tuple(np.full(shape, self.value, np.float32) for shape in shapes)


@pytest.mark.parametrize("size", [(30, 40), (64, 64), (200, 31), (1, 1)])
def test_pictures_of_any_size_with_nobody_have_nobody(size):
    image = np.zeros((*size, 3), np.uint8)
    for grouping in ("exact", "fast", "gated", "near"):
        assert list(inference(Answers(0.0), input_size=64, grouping=grouping).predict([(image, None, None)])) == [[]]


class Means(Answers):
    """An engine that puts out the mean of each picture's left half."""

    def run(self, pictures):
        self.value = pictures[:, :, : pictures.shape[2] // 2].mean(axis=(1, 2, 3))[:, None, None, None] / 255
        return super().run(pictures)


def test_large_pictures_are_looked_at_one_by_one_with_the_same_answer(monkeypatch):
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    at_once = maps(inference(Means(0), input_size=64), image)
    monkeypatch.setattr("hrnet.tasks.pose_bottomup.inference.LARGE", 1)
    one_by_one = maps(inference(Means(0), input_size=64), image)
    assert len(np.unique(at_once[1])) == 2  # tags of the picture and of its mirror image
    for ours, theirs in zip(one_by_one[:2], at_once[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_numbers_that_are_none_are_refused_in_a_sentence():
    with pytest.raises(HRNetError, match="not finite: use precision fp32"):
        next(inference(Answers(np.nan), input_size=64).predict([(np.zeros((64, 64, 3), np.uint8), None, None)]))


def crowd(count=6, seed=0):
    """Poses of people apart from one another."""
    draws = np.random.default_rng(seed)
    points = [draws.uniform(0, 90, (17, 2)) + np.array([200 * k, 0]) for k in range(count)]
    return [Pose(p.astype(np.float32), np.ones(17, np.float32), 0.9, extent_of(p), COCO) for p in points]


def test_two_runs_agree_where_they_find_the_same_people():
    people = crowd()
    moved = [replace(pose, keypoints=pose.keypoints + np.float32([0.05, 0])) for pose in people]
    assert agreement([moved], [people], "bf16").holds
    lost = agreement([people[1:]], [people], "bf16")
    invented = agreement([[*people, people[0]]], [people], "bf16")
    assert lost.faults == invented.faults == ("people lost is 0.1667, the budget 0.05",)
    apart = agreement([[replace(pose, keypoints=pose.keypoints + 4) for pose in people]], [people], "bf16")
    assert [fault.split(" is ")[0] for fault in apart.faults] == ["1 - OKS"]
    assert agreement([[]], [people[:3]], "bf16") is None  # too few to tell
