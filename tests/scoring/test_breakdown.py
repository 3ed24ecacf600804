"""The error breakdown: the published code's labels, corrections and gains, and errors planted one by one."""

import numpy as np
import pytest

from hrnet.datasets.records import PoseData
from hrnet.datasets.skeleton import COCO
from hrnet.results.pose import Pose
from hrnet.scoring.breakdown import LABELS, ap_tables, breakdown, label_keypoints, optimal_scores
from hrnet.scoring.coco_ap import scorable

NAMES = {"background": "bckgd_false_pos", "unfound": "false_neg"}
THRESHOLDS = [f"{threshold:.2f}" for threshold in np.linspace(0.5, 0.95, 10)]


@pytest.fixture
def golden(reference):
    """The published answers; truth, poses, sigmas and the sizes of people that they are for."""
    content = reference("keypoint_error_breakdown")
    poses = []
    for result in content["detections"]:
        values = np.array(result["keypoints"], float).reshape(17, 3)
        poses.append([Pose(values[:, :2], values[:, 2], result["score"], np.zeros(4), COCO)])
    data = PoseData("golden", COCO, (), "AP", content["ground_truth"])
    arrays = scorable(data, [result["image_id"] for result in content["detections"]], poses)
    return content["expected"], arrays, tuple(content["settings"]["area_range"])


def test_labels_and_corrections_are_the_published_codes(golden):
    expected, (truths, found, sigmas), sizes = golden
    labelled = label_keypoints(truths, found, sigmas, COCO.flip_order, sizes)
    published = {match["det_index"]: match for match in expected["matches"]}
    assert sorted(labelled.pose) == sorted(published)
    for pose, person, label, repaired in zip(*vars(labelled).values(), strict=True):
        match = published[pose]
        assert truths.source[person] + 1 == match["gt_id"]
        for code, name in enumerate(LABELS):
            assert ((label == code) == np.array(match[name], bool)).all(), name
        np.testing.assert_allclose(repaired, np.reshape(match["corrected"], (17, 3))[:, :2], rtol=1e-9)
    totals = {name: int((labelled.label == code).sum()) for code, name in enumerate(LABELS)}
    assert totals == expected["totals"]


@pytest.mark.parametrize("cumulative", [False, True])
def test_repaired_errors_give_the_published_ap(cumulative, golden):
    expected, (truths, found, sigmas), sizes = golden
    labelled = label_keypoints(truths, found, sigmas, COCO.flip_order, sizes)
    tables = ap_tables(truths, found, sigmas, labelled, sizes, cumulative)
    published = expected["ap_cumulative" if cumulative else "ap"]
    assert {NAMES.get(name, name) for name in tables} == set(published)
    for name, values in tables.items():
        answer = [published[NAMES.get(name, name)][threshold] for threshold in THRESHOLDS]
        mirrored = name == "unfound"  # the published code stores this row the wrong way round
        np.testing.assert_allclose(values, answer[::-1] if mirrored else answer, rtol=1e-9, err_msg=name)


def test_best_scores_are_the_published_codes(golden):
    expected, (truths, found, sigmas), sizes = golden
    np.testing.assert_allclose(optimal_scores(truths, found, sigmas, sizes), expected["optimal_score"], rtol=1e-9)


def two_people():
    """A set of one picture with two people, far apart, and their true keypoints (2, 17, 2)."""
    corners = np.array([[[50, 50]], [[500, 50]]])
    points = corners + np.random.default_rng(0).uniform(0, 200, (2, 17, 2))
    annotations = [
        {"id": n + 1, "image_id": 1, "iscrowd": 0, "num_keypoints": 17, "area": 4e4, "bbox": [0, 0, 200, 200]}
        | {"keypoints": np.column_stack([person, np.full(17, 2)]).ravel().tolist()}
        for n, person in enumerate(points)
    ]
    return PoseData("drawn", COCO, (), "AP", {"images": [{"id": 1}], "annotations": annotations}), points


def broken(data, poses):
    return breakdown(data, [1], [[Pose(each, np.ones(17), 0.9, np.zeros(4), COCO) for each in poses]])


@pytest.mark.parametrize(
    "planted, joint, place",
    [
        ("miss", "left_wrist", lambda points: (400, 500)),
        ("inversion", "left_wrist", lambda points: points[0, COCO.index("right_wrist")]),
        ("swap", "left_wrist", lambda points: points[1, COCO.index("left_wrist")]),
        ("swap", "nose", lambda points: points[1, COCO.index("nose")]),
        ("jitter", "left_wrist", lambda points: points[0, COCO.index("left_wrist")] + (20, 0)),
        ("good", "left_wrist", lambda points: points[0, COCO.index("left_wrist")] + (3, 0)),
    ],
)
def test_a_planted_error_is_called_by_its_name(planted, joint, place):
    data, points = two_people()
    poses = points.copy()
    poses[0, COCO.index(joint)] = place(points)
    found = broken(data, poses)
    others = 34 - (planted != "good")  # of two people with seventeen keypoints each
    assert found["counts"] == dict.fromkeys(LABELS, 0) | {planted: 1} | {"good": others}
    assert found["per_joint"][joint][planted] >= 1
    if planted in ("miss", "inversion", "swap"):  # so large an error that it costs AP
        assert max(found["gains"], key=found["gains"].get) == planted
