"""AP: the published evaluators' figures, on their golden file and on drawn sets."""

import contextlib
import io
import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from pycocotools.coco import COCO as ReferenceCOCO
from pycocotools.cocoeval import COCOeval

from hrnet.datasets.coco import read_coco
from hrnet.datasets.records import PoseData
from hrnet.datasets.skeleton import COCO, LSPET, Skeleton
from hrnet.errors import HRNetError
from hrnet.results.pose import Pose
from hrnet.results.writing import coco_results
from hrnet.scoring.bootstrap import ap_intervals, area_under
from hrnet.scoring.coco_ap import average_precision, match_poses, size_metrics
from hrnet.scoring.curves import curves_of
from hrnet.scoring.protocol import score


@pytest.fixture
def crowded(tmp_path):
    """A COCO-style set of six pictures: people small and large, some joints hidden, a crowd, someone unlabelled."""
    rng = np.random.default_rng(4)
    annotations = []
    for number in range(16):
        x, y, side = *rng.uniform(0, 200, 2), rng.uniform(40, 240)
        visibility = rng.choice([0, 1, 2], 17, p=[0.2, 0.2, 0.6]) if number != 5 else np.zeros(17)
        keypoints = np.column_stack([rng.uniform((x, y), (x + side, y + side), (17, 2)), visibility])
        keypoints[visibility == 0] = 0
        annotations.append(
            {
                "id": number + 1,
                "image_id": number % 6,
                "category_id": 1,
                "iscrowd": int(number == 9),
                "bbox": [x, y, side, side],
                "area": 0.5 * side**2,
                "keypoints": keypoints.ravel().tolist(),
                "num_keypoints": int((visibility > 0).sum()),
            }
        )
    images = [{"id": k, "file_name": f"{k}.jpg", "width": 500, "height": 500} for k in range(6)]
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}]
    (tmp_path / "0.jpg").touch()
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def answers(data, spread, seed=0):
    """Poses for whom the evaluation predicts, each joint off by `spread` of the box's side."""
    rng = np.random.default_rng(seed)
    poses = []
    for record in data.records:
        people = [person for person in record.people if not person.crowd and person.visibility.any()]
        noise = [spread * (p.box[2] - p.box[0]) * rng.standard_normal((17, 2)) for p in people]
        poses.append(
            [Pose(p.keypoints + n, np.ones(17), rng.uniform(), p.box, COCO) for p, n in zip(people, noise, strict=True)]
        )
    return [record.id for record in data.records], poses


def test_perfect_poses_have_an_ap_of_one(crowded):
    data = read_coco(crowded)
    figures = average_precision(data, *answers(data, 0))
    assert (figures["people"], figures["pictures"]) == (14, 6)
    assert figures["metrics"] == dict.fromkeys(
        ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"), 1.0
    )


@pytest.mark.parametrize("spread", [0.02, 0.05, 0.1])
def test_ap_is_that_of_pycocotools(spread, crowded):
    data = read_coco(crowded)
    ids, poses = answers(data, spread, seed=1)
    results = coco_results(ids, poses)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = ReferenceCOCO(crowded)
        reference = COCOeval(truth, truth.loadRes(results), "keypoints")
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    metrics = average_precision(data, ids, poses)["metrics"]
    assert list(metrics.values()) == [round(float(value), 4) for value in reference.stats]
    assert 0 < metrics["AP"] < 1


def test_ap_does_without_what_small_files_leave_out(crowded):
    content = json.loads(crowded.read_text())
    del content["annotations"][9], content["annotations"][5]
    for annotation in content["annotations"]:
        annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    metrics = []
    for fields in ((), ("area", "iscrowd", "num_keypoints"), ("id",)):
        for annotation, field in product(content["annotations"], fields):
            del annotation[field]
        crowded.write_text(json.dumps(content))
        data = read_coco(crowded)
        metrics.append(average_precision(data, *answers(data, 0.05))["metrics"])
    assert metrics[0] == metrics[1] == metrics[2] and 0 < metrics[0]["AP"] < 1


def test_ap_needs_a_coco_file_and_sigmas(crowded):
    data = read_coco(crowded)
    with pytest.raises(HRNetError, match="lspet is no COCO-style file"):
        average_precision(PoseData("lspet", LSPET, (), "PCK"), [], [])
    with pytest.raises(HRNetError, match="no OKS sigmas"):
        average_precision(replace(data, skeleton=LSPET), [], [])


def as_data(ground_truth):
    """The golden file's truth as a data set."""
    return PoseData("golden", COCO, (), "AP", ground_truth)


def as_poses(results):
    """COCO results as image ids and the poses of each."""
    found = {}
    for result in results:
        values = np.array(result["keypoints"], float).reshape(17, 3)
        pose = Pose(values[:, :2], values[:, 2], result["score"], np.zeros(4), COCO)
        found.setdefault(result["image_id"], []).append(pose)
    return list(found), list(found.values())


def exact(ground_truth, results):
    """The ten figures before they are rounded."""
    return list(size_metrics(curves_of(match_poses(as_data(ground_truth), *as_poses(results)))).values())


def test_crowds_unlabelled_people_ties_and_area_limits_count_as_in_the_published_evaluation(reference):
    golden = reference("coco_keypoint_ap")
    truth, results = golden["ground_truth"], golden["detections"]
    assert exact(truth, results) == pytest.approx(golden["result"]["stats"], abs=1e-9)
    curves = curves_of(match_poses(as_data(truth), *as_poses(results)))
    np.testing.assert_allclose(curves.precision[0], golden["result"]["precision_all"], atol=1e-8)
    np.testing.assert_allclose(curves.recall.T, golden["result"]["recall"], atol=1e-9)
    away = np.tile([5000.0, 5000.0, 0.0], 17)
    far = [result | {"keypoints": (np.array(result["keypoints"]) + away).tolist()} for result in results[:5]]
    assert exact(truth, far) == pytest.approx(golden["no_match_stats"], abs=1e-9)
    tiny = truth | {"annotations": [annotation | {"area": 50} for annotation in truth["annotations"]]}
    assert exact(tiny, results) == pytest.approx(golden["tiny_area_stats"], abs=1e-9)


def test_nothing_found_and_nobody_to_find(reference):
    golden = reference("coco_keypoint_ap")
    truth, results = golden["ground_truth"], golden["detections"]
    assert exact(truth, []) == [0.0] * 10
    assert exact(truth | {"annotations": []}, results) == [-1.0] * 10
    assert average_precision(as_data(truth | {"annotations": []}), *as_poses(results))["interval"] == {}


def test_poses_of_a_picture_that_the_truth_does_not_know_are_refused(reference):
    with pytest.raises(HRNetError, match="golden has no picture of the id 'elsewhere'"):
        average_precision(as_data(reference("coco_keypoint_ap")["ground_truth"]), ["elsewhere"], [[]])


def test_crowdpose_scores_easy_medium_and_hard_pictures_apart(crowded):
    data = read_coco(crowded)
    for image, index in zip(data.truth["images"], (0, 0.19, 0.2, 0.79, 0.8, 3.0), strict=True):
        image["crowdIndex"] = index
    ids, poses = answers(data, 0.05)
    metrics = average_precision(data, ids, poses)["metrics"]
    assert list(metrics) == ["AP", "AP50", "AP75", "AR", "AR50", "AR75", "AP_easy", "AP_medium", "AP_hard"]
    for name, chosen in (("AP_easy", (0, 1)), ("AP_medium", (2, 3)), ("AP_hard", (4, 5))):
        part = {
            key: [each for each in data.truth[key] if each.get("image_id", each["id"]) in chosen]
            for key in ("images", "annotations")
        }
        alone = replace(data, truth=data.truth | part)
        assert metrics[name] == average_precision(alone, chosen, [poses[ids.index(k)] for k in chosen])["metrics"]["AP"]


def test_the_interval_of_ap_is_that_of_drawing_people_anew(crowded):
    data = read_coco(crowded)
    ids, poses = answers(data, 0.05)
    figures = average_precision(data, ids, poses)
    low, high = figures["interval"]["AP"]
    assert 0 <= low < figures["metrics"]["AP"] < high <= 1
    matches = match_poses(data, ids, poses)
    assert figures["interval"] == ap_intervals(matches)
    right, kept = matches.right[0][:, matches.order], (matches.right | matches.wrong)[0][:, matches.order]
    once = [area_under(np.ones(r.sum()), np.cumsum(k)[r], 14) for r, k in zip(right, kept, strict=True)]
    assert np.mean(once) == pytest.approx(figures["metrics"]["AP"], abs=5.1e-5)
    everywhere = average_precision(data, *answers(data, 0))["interval"]
    assert everywhere == {name: [1.0, 1.0] for name in ("AP", "AP50", "AP75")}


def test_poses_of_a_network_with_more_keypoints_are_scored_by_name(crowded):
    data = read_coco(crowded)
    ids, poses = answers(data, 0.05)
    larger = Skeleton("larger", ("tail", *COCO.keypoints[::-1]))

    def as_larger(pose):
        points, scores = np.vstack([[0, 0], pose.keypoints[::-1]]), np.append(0, pose.scores[::-1])
        return Pose(points, scores, pose.score, pose.box, larger)

    found = score(data, ids, [[as_larger(pose) for pose in group] for group in poses])
    assert found["metrics"] == average_precision(data, ids, poses)["metrics"]
    winged = replace(data, skeleton=Skeleton("winged", (*COCO.keypoints[:16], "wing"), sigmas=COCO.sigmas))
    with pytest.raises(HRNetError, match=r"labels wing, which the network \(coco\) does not find"):
        score(winged, ids, poses)
