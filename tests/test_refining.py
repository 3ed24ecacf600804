"""Whom the package looks at where no boxes are given, and people passed from one network to the other."""

import numpy as np
import pytest

import hrnet
from hrnet.datasets.skeleton import COCO
from hrnet.refining import RefiningInference, widened
from hrnet.results.pose import Pose

PHOTO = "examples/photos/codait_war0.jpg"


class Finds:
    """An inference that finds the same people everywhere, and keeps what it was asked."""

    def __init__(self, boxes):
        self.boxes, self.asked = boxes, []

    def predict(self, items):
        for image, boxes, scores in items:
            self.asked.append((image, boxes, scores))
            here = self.boxes if boxes is None else boxes
            yield [
                Pose(np.zeros((17, 2), np.float32), np.ones(17, np.float32), 0.5, np.array(box, np.float32), COCO)
                for box in here
            ]


def test_each_person_found_is_looked_at_again_in_a_box_of_its_own():
    first, second = Finds([(10, 20, 40, 120), (60, 20, 70, 30)]), Finds([])
    image = np.zeros((200, 100, 3), np.uint8)
    (poses,) = RefiningInference(first, second).predict([(lambda: image, None, None)])
    assert len(poses) == 2
    seen, boxes, scores = second.asked[0]
    assert seen is image and scores.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(boxes, [widened(np.array(box, float)) for box in first.boxes])
    assert (boxes[0] == [0, 10, 50, 130]).all()


def test_a_picture_without_people_stays_empty():
    (poses,) = RefiningInference(Finds([]), Finds([])).predict([(np.zeros((9, 9, 3), np.uint8), None, None)])
    assert poses == []


def test_with_an_option_of_bottom_up_boxes_decide_who_looks():
    assert len(hrnet.Predictor(device="cpu")(PHOTO)) == 1
    predictor = hrnet.Predictor(device="cpu", refine=True)
    assert predictor.recipe.name == "pose_topdown/small_256x192"
    assert len(predictor(PHOTO, boxes=[[260, 108, 621, 444]])) == 1
    assert "without_boxes" not in vars(predictor)  # loaded when first needed
    found = predictor(PHOTO)
    assert predictor.without_boxes.recipe.name == "pose_bottomup/small_512"
    assert found and all(pose.skeleton is predictor.recipe.model.keypoints for pose in found)


def test_a_task_can_be_named():
    assert hrnet.Predictor(task="pose_bottomup", device="cpu").recipe.name == "pose_bottomup/small_512"
    one = hrnet.Predictor(task="pose_topdown", device="cpu")
    assert one.without_boxes is one and len(one(PHOTO)) == 1
    with pytest.raises(hrnet.UsageError, match=r"no task 'pose_bottom'.*did you mean 'pose_bottomup'"):
        hrnet.Predictor(task="pose_bottom")
    with pytest.raises(hrnet.UsageError, match="is not of the task pose_bottomup"):
        hrnet.Predictor("small_256x192", task="pose_bottomup")


def test_boxes_and_refining_go_with_what_can_use_them():
    with pytest.raises(hrnet.HRNetError, match="takes no boxes"):
        hrnet.Predictor(task="pose_bottomup", device="cpu")(PHOTO, boxes=[[0, 0, 50, 50]])
    with pytest.raises(hrnet.UsageError, match="finds nobody to refine"):
        hrnet.Predictor(task="pose_topdown", device="cpu", refine=True)
