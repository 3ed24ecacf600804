"""Who is predicted when a data set is scored, and which poses count: the published protocol's selection, rescoring and
suppression."""

import json
from dataclasses import replace

import numpy as np
import pytest
from drawn import TINY
from PIL import Image

import hrnet
from hrnet.datasets.coco import read_coco
from hrnet.datasets.records import PoseData, Record
from hrnet.datasets.skeleton import COCO
from hrnet.datasets.synthetic import figures
from hrnet.engines.torch_engine import TorchEngine
from hrnet.errors import HRNetError
from hrnet.evaluator import with_boxes
from hrnet.geometry import center_and_extent
from hrnet.results.pose import Pose
from hrnet.scoring.coco_ap import match_poses, size_metrics
from hrnet.scoring.curves import curves_of
from hrnet.tasks.pose_topdown.scoring import boxes_in, evaluate, suppressed

RECIPE = hrnet.recipe("w32_256x192")
STATS = ("AP", "Ap .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")


@pytest.fixture
def inference():
    return TINY.inference(TorchEngine(TINY.model.build(), "cpu"))


def test_only_labelled_people_that_are_no_crowd_are_predicted(inference):
    (record,) = figures(1, size=(48, 64)).records
    (known,) = record.people
    crowd, unlabelled = replace(known, crowd=True), replace(known, visibility=0 * known.visibility)
    people = ((known, crowd, unlabelled, known), (crowd,), (unlabelled,))
    records = tuple(replace(record, id=k, people=each) for k, each in enumerate(people, start=1))
    found = evaluate(inference, PoseData("drawn", COCO, (Record("no file", 1, 1, 0, ()), *records), "PCK"))
    assert found["people"] == 2 and found["joints"] == 2 * (known.visibility > 0).sum()


def test_a_set_without_labels_is_predicted_and_not_scored(inference):
    (record,) = figures(1, size=(48, 64)).records
    unlabelled = tuple(replace(person, visibility=0 * person.visibility) for person in record.people)
    found = evaluate(inference, PoseData("test", COCO, (replace(record, people=unlabelled),), "PCK"))
    assert found["metrics"] == {} and found["poses"] == 1
    with pytest.raises(HRNetError, match="test has no boxes to look for people in: name a detector's file"):
        evaluate(inference, PoseData("test", COCO, (replace(record, people=()),), "PCK"))


def test_a_detectors_boxes_are_taken_as_they_are_but_for_those_without_score_or_size(inference):
    data = figures(2, size=(48, 64))
    boxes = np.array([[5, 5, 40, 60], [-9, 2, 30, 70], [5, 5, 5, 60], [0, 0, 48, 64.0]])
    detected = replace(data, boxes={data.records[1].id: (boxes, np.array([0.9, 0.2, 0.9, 0.19]))})
    recipe = TINY.but(testing__box_threshold=0.2)
    kept, scores = boxes_in(data.records[1], detected, recipe)
    np.testing.assert_array_equal(kept, boxes[:2])
    np.testing.assert_array_equal(scores, [0.9, 0.2])
    assert not len(boxes_in(data.records[0], detected, recipe)[0])
    inference.recipe = recipe
    found = evaluate(inference, detected)
    assert list(found["answers"].image_ids) == [data.records[1].id]
    (poses,) = found["answers"].poses
    assert {tuple(pose.box) for pose in poses} <= {tuple(box) for box in boxes[:2].astype(np.float32)}


@pytest.fixture
def published(reference, tmp_path):
    """The published records, and the annotation file they were made from as we read it; detections lie beside it."""
    golden = reference("coco_dataset")
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(golden["annotations"]))
    (tmp_path / "detections.json").write_text(json.dumps(golden["detections"]))
    for image in golden["annotations"]["images"]:
        Image.new("L", (image["width"], image["height"])).save(tmp_path / image["file_name"])
    return golden, read_coco(truth)


def test_people_and_boxes_are_those_of_the_published_code(published, tmp_path):
    golden, data = published
    for expected, given in (
        (golden["db_gt"], data),
        (golden["db_det"], with_boxes(data, tmp_path / "detections.json")),
    ):
        frames = [
            center_and_extent(box, RECIPE.model.input_size)
            for record in given.records
            for box in boxes_in(record, given, RECIPE)[0]
        ]
        size = (np.array([record["scale"][0] for record in expected]) * 200).tolist()
        assert len(frames) == len(expected)
        np.testing.assert_allclose([center for center, _ in frames], [r["center"] for r in expected], rtol=1e-6)
        np.testing.assert_allclose([extent for _, extent in frames], size, rtol=1e-6)
    surer = with_boxes(data, tmp_path / "detections.json"), RECIPE.but(testing__box_threshold=0.3)
    counted = sum(len(boxes_in(record, *surer)[0]) for record in data.records)
    assert counted == golden["num_det_image_thre_0p3"]


@pytest.mark.parametrize("nms", ["oks", "soft_oks"])
@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_rescoring_suppression_and_ap_are_those_of_the_published_code(nms, threshold, reference):
    golden = reference("coco_dataset")
    case = golden["evaluate"]
    recipe = RECIPE.but(
        testing__nms=nms, testing__nms_threshold=threshold, testing__score_threshold=case["in_vis_thre"]
    )
    inference = recipe.inference(TorchEngine(TINY.model.build(), "cpu"))
    found = {}
    for points, (x, y, w, h, _, box_score), image_id in zip(
        np.array(case["preds"]), case["all_boxes"], case["image_ids"], strict=True
    ):
        center, half = np.array([x, y]), np.array([w, h]) * 200 / recipe.framing.padding / 2
        box = np.concatenate([center - half, center + half])
        score = box_score * inference.person_score(points[:, 2])
        found.setdefault(image_id, []).append(Pose(points[:, :2], points[:, 2], score, box, COCO))
    kept = {image_id: suppressed(poses, recipe) for image_id, poses in found.items()}
    expected = case["results"][f"soft={nms == 'soft_oks'},oks_thre={threshold}"]
    ours = [(image_id, pose.score) for image_id, poses in kept.items() for pose in poses]
    assert [image_id for image_id, _ in ours] == [image_id for image_id, _ in expected["order"]]
    np.testing.assert_allclose([score for _, score in ours], [score for _, score in expected["order"]], atol=1e-6)
    annotations = [
        annotation | {"num_keypoints": sum(v > 0 for v in annotation["keypoints"][2::3])}
        for annotation in golden["annotations"]["annotations"]
    ]
    data = PoseData("golden", COCO, (), "AP", golden["annotations"] | {"annotations": annotations})
    metrics = size_metrics(curves_of(match_poses(data, list(kept), list(kept.values()))))
    assert list(metrics.values()) == pytest.approx([expected["stats"][name] for name in STATS], abs=1e-9)
