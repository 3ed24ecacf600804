"""PCK of hand-made poses, and PCKh as the published code computes it."""

import numpy as np
import pytest

from hrnet.datasets.records import Person, PoseData
from hrnet.datasets.skeleton import COCO, LSPET, MPII, Skeleton
from hrnet.errors import HRNetError
from hrnet.results.pose import Pose
from hrnet.scoring.pck import assign, pck, pckh

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


def test_pck_at_the_side_of_the_box_where_there_is_no_torso():
    bee = Skeleton("bee", ("head", "tail"))
    someone = Person(np.array([0, 0, 100, 50.0]), np.array([[10, 10], [90, 40.0]]), np.array([2, 1]), 5e3, id=1)
    pose = Pose(np.array([[19.9, 10], [90, 34.9]]), np.ones(2), 1.0, someone.box, bee)
    found = pck(PoseData("bees", bee, (), "AP"), [[someone, someone]], [[pose, None]])
    assert found["metrics"] == {"PCK@0.1": 0.5, "PCK@0.05": 0.0}
    assert {name: joint["value"] for name, joint in found["per_joint"].items()} == {"head": 0.5, "tail": 0.5}


def test_pckh_is_the_published_codes(reference):
    answers = reference("mpii_eval")
    people, poses = [], []
    for n, points in enumerate(answers["preds"]):
        head = answers["headboxes_src"][:, :, n].ravel()
        visibility = 2 * (1 - answers["jnt_missing"][:, n].astype(int))
        truth = answers["pos_gt_src"][:, :, n] - 1
        people.append(Person(np.zeros(4), truth, visibility, 1.0, n, head=head))
        poses.append(Pose(points[:, :2], points[:, 2], 1.0, np.zeros(4), MPII))
    found = pckh(PoseData("mpii", MPII, (), "PCKh"), [people], [poses])
    published = dict(zip(answers["name"].tolist(), answers["value"] / 100, strict=True))
    ours = {part.capitalize(): value for part, value in found["parts"].items()}
    ours |= {"Mean": found["metrics"]["PCKh@0.5"], "Mean@0.1": found["metrics"]["PCKh@0.1_published"]}
    assert ours == pytest.approx(published, abs=5.1e-5)
    assert found["metrics"]["PCKh@0.1"] <= found["metrics"]["PCKh@0.1_published"]


def test_pckh_needs_head_boxes():
    someone = Person(np.zeros(4), np.ones((16, 2)), np.full(16, 2), 1.0, 1)
    with pytest.raises(HRNetError, match=r"gt_valid\.mat"):
        pckh(PoseData("mpii", MPII, (), "PCKh"), [[someone]], [[None]])


def test_people_get_the_poses_that_fit_them_best():
    one, other = person(), person()
    moved = Person(other.box + 300, other.keypoints + 300, other.visibility, other.area, id=2)
    near, far = found(one, {"neck": 3}), found(moved, {"neck": 5})
    assert assign(LSPET, [one, moved], [far, near]) == [near, far]
    assert assign(LSPET, [one, moved], [far]) == [None, far]
    assert assign(LSPET, [one], []) == [None]
