"""PCK of hand-made poses, and AP as pycocotools computes it."""

import contextlib
import io
import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from drawn import TINY
from pycocotools.coco import COCO as ReferenceCOCO
from pycocotools.cocoeval import COCOeval

from hrnet.datasets.coco import read_coco
from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import COCO, LSPET
from hrnet.datasets.synthetic import figures
from hrnet.engines.torch_engine import TorchEngine
from hrnet.errors import HRNetError
from hrnet.results.pose import Pose
from hrnet.tasks.pose_topdown.inference import TopDownInference
from hrnet.tasks.pose_topdown.scoring import as_coco_result, average_precision, evaluate, pck

TORSO = [LSPET.index("right_shoulder"), LSPET.index("left_hip")]
SHARED_JOINTS = [name for name in LSPET.keypoints if name in COCO.keypoints]


def person(unlabelled=()):
    """Someone of LSPET, 50 px from right shoulder to left hip: 10 px from the truth is as far as PCK@0.2 allows."""
    keypoints = np.random.default_rng(0).uniform(100, 200, (14, 2))
    keypoints[TORSO] = [[100, 100], [130, 140]]
    visibility = np.array([0 if name in unlabelled else 2 for name in LSPET.keypoints])
    return Person(np.array([90, 90, 210, 210.0]), keypoints, visibility, 1e4, id=1)


def found(someone, moved, skeleton=LSPET):
    """A pose of the truth's joints, some moved right by so many pixels."""
    points = [
        someone.keypoints[LSPET.index(name)] + (moved.get(name, 0), 0) if name in LSPET.keypoints else (0, 0)
        for name in skeleton.keypoints
    ]
    return Pose(np.array(points), np.ones(len(skeleton)), 1.0, someone.box, skeleton)


def score(*people_and_poses):
    people, poses = zip(*people_and_poses, strict=True)
    return pck(PoseData("hand-made", LSPET, (), "PCK"), [people], [poses])


@pytest.mark.parametrize(
    "unlabelled, moved, skeleton, hits, joints",
    [
        ((), {}, LSPET, 14, 14),
        ((), {"left_knee": 9.99, "neck": -9.99}, LSPET, 14, 14),
        ((), {"left_knee": 10.01, "neck": -9.99}, LSPET, 13, 14),
        ((), dict.fromkeys(LSPET.keypoints, 10.01), LSPET, 0, 14),
        (("left_knee", "neck"), {"left_knee": 500}, LSPET, 12, 12),
        (("left_knee",), {"right_knee": 500}, LSPET, 12, 13),
        ((), {"right_ankle": 500}, COCO, len(SHARED_JOINTS) - 1, len(SHARED_JOINTS)),
    ],
)
def test_pck_counts_labelled_joints_closer_than_a_fifth_of_the_torso(unlabelled, moved, skeleton, hits, joints):
    someone = person(unlabelled)
    figures = score((someone, found(someone, moved, skeleton)))
    share = round(hits / joints, 4)
    assert (figures["metrics"], figures["joints"], figures["people"]) == ({"PCK@0.2": share}, joints, 1)
    assert figures["interval"] == {"PCK@0.2": [share, share]}
    missed = {name for name, joint in figures["per_joint"].items() if joint["value"] == 0}
    assert missed == {name for name, by in moved.items() if by > 10 and name not in unlabelled}
    assert not set(unlabelled) & set(figures["per_joint"])


def test_pck_leaves_people_without_a_torso_out():
    whole, without = person(), person(["left_hip"])
    far = dict.fromkeys(LSPET.keypoints, 500)
    figures = score((whole, found(whole, {})), (without, found(without, far)))
    assert (figures["metrics"]["PCK@0.2"], figures["people"], figures["joints"]) == (1.0, 1, 14)
    with pytest.raises(HRNetError, match="hand-made has no person with a labelled torso"):
        score((without, found(without, {})))


def test_pck_pools_joints_over_people():
    one, other = person(), person(["head_top", "neck", "left_wrist", "right_wrist"])
    figures = score((one, found(one, {"left_knee": 20})), (other, found(other, {})))
    assert figures["metrics"] == {"PCK@0.2": round(23 / 24, 4)}
    assert figures["per_joint"]["left_knee"]["value"] == 0.5
    low, high = figures["interval"]["PCK@0.2"]
    assert low == round(13 / 14, 4) and high == 1.0


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
    results = [as_coco_result(k, 1, pose) for k, found in zip(ids, poses, strict=True) for pose in found]
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


def test_only_labelled_people_that_are_no_crowd_are_predicted():
    (record,) = figures(1, size=(48, 64)).records
    (known,) = record.people
    crowd, unlabelled = replace(known, crowd=True), replace(known, visibility=0 * known.visibility)
    people = ((known, crowd, unlabelled, known), (crowd,), (unlabelled,))
    records = tuple(replace(record, people=each) for each in people)
    inference = TopDownInference(TINY, TorchEngine(TINY.model.build(), "cpu"))
    found = evaluate(inference, PoseData("drawn", COCO, (Record("no file", 1, 1, 0, ()), *records), "PCK"))
    assert found["people"] == 2 and found["joints"] == 2 * (known.visibility > 0).sum()
