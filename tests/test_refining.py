"""Whom the package looks at where no boxes are given, and people passed from one network to the other."""

import numpy as np
import pytest
from drawn import coco_file

import hrnet
from hrnet.images import read_image
from hrnet.refining import widened
from hrnet.weights.files import save_weights

PHOTO = "examples/photos/codait_war0.jpg"
STREET = "examples/photos/coco_000000252219.jpg"
FP32 = {"engine": "torch", "precision": "fp32"}


@pytest.fixture(scope="module")
def everybody():
    return hrnet.Predictor(**FP32)


@pytest.fixture(scope="module")
def alone():
    return hrnet.Predictor(task="pose_bottomup", **FP32)


def test_without_boxes_everybody_is_found_and_looked_at_again(everybody, alone):
    found = everybody(STREET)
    assert len(found) == 3 and [pose.score for pose in found] == sorted((p.score for p in found), reverse=True)
    assert everybody.without_boxes.recipe.name == "pose_bottomup/small_512"
    given = everybody(STREET, boxes=[pose.box for pose in found])  # the same boxes, the same poses
    for pose, again in zip(found, given, strict=True):
        np.testing.assert_allclose(pose.keypoints, again.keypoints, atol=0.01)
        assert pose.score == pytest.approx(again.score, abs=1e-4)
    only = hrnet.Predictor(**FP32, refine=False)(STREET)
    assert [pose.score for pose in only] == [pose.score for pose in alone(STREET)] != [pose.score for pose in found]


def test_boxes_decide_who_looks():
    predictor = hrnet.Predictor(**FP32)
    assert predictor.recipe.name == "pose_topdown/small_256x192"
    assert len(predictor(PHOTO, boxes=[[260, 108, 621, 444]])) == 1
    assert "without_boxes" not in vars(predictor)  # loaded when first needed


def test_each_look_is_into_the_box_of_the_look_before(everybody):
    inference = everybody.without_boxes.inference
    image = read_image(STREET)
    ((candidates,),), margin = inference.first.predict([(image, None, None)]), inference.refining.margin
    boxes = widened(candidates.extents, margin)
    once, surest = (next(inference.second.predict([(image, each, None)])) for each in (boxes, None))
    looked = widened([inference.box(pose) for pose in once + surest], margin)
    for pose in next(inference.predict([(image, None, None)])):
        assert np.abs(looked - pose.box).max(axis=1).min() < 0.1


def test_a_picture_without_people_stays_empty(everybody):
    assert everybody(np.full((90, 120, 3), 127, np.uint8)) == []


def test_a_box_grows_by_a_share_of_its_longer_side():
    extents = [np.array([10.0, 20, 40, 120]), np.array([5.0, 5, 5, 5])]
    assert widened(extents, 0.1).tolist() == [[0, 10, 50, 130], [4, 4, 6, 6]]
    assert widened([], 0.1).shape == (0, 4)


def test_each_picture_of_a_group_gets_its_own_people(everybody):
    images = [
        read_image(STREET),
        np.zeros((20, 900, 3), np.uint8),
        read_image(PHOTO),
        np.full((90, 120, 3), 127, np.uint8),
    ]
    found = list(everybody.stream((image, None, None) for image in [*images, images[0]]))
    assert "too narrow" in str(found[1]) and found[3] == []
    for place in (0, 2, 4):
        alone = everybody(images[place % 4])
        assert len(found[place]) == len(alone) > 0
        for pose, same in zip(found[place], alone, strict=True):
            np.testing.assert_allclose(pose.keypoints, same.keypoints, atol=0.01)


def test_evaluation_looks_into_the_boxes_of_the_set_unless_told(everybody, tmp_path):
    data = coco_file(tmp_path / "set.json")
    assert hrnet.evaluate(everybody, data)["recipe"] == "pose_topdown/small_256x192"
    assert hrnet.evaluate(hrnet.Predictor(**FP32, refine=True), data)["recipe"] == "pose_bottomup/small_512"


def test_a_task_can_be_named(alone):
    assert alone.recipe.name == "pose_bottomup/small_512" and alone.without_boxes is alone
    one = hrnet.Predictor(task="pose_topdown", **FP32)
    assert one.without_boxes is one and len(one(STREET)) == 1
    with pytest.raises(hrnet.UsageError, match=r"no task 'pose_bottom'.*did you mean 'pose_bottomup'"):
        hrnet.Predictor(task="pose_bottom")
    with pytest.raises(hrnet.UsageError, match="is not of the task pose_bottomup"):
        hrnet.Predictor("small_256x192", task="pose_bottomup")


def test_boxes_refining_and_changes_go_with_what_can_use_them(alone, tmp_path):
    with pytest.raises(hrnet.HRNetError, match="takes no boxes"):
        alone(PHOTO, boxes=[[0, 0, 50, 50]])
    with pytest.raises(hrnet.UsageError, match="finds nobody to refine"):
        hrnet.Predictor(task="pose_topdown", **FP32, refine=True)
    with pytest.raises(hrnet.UsageError, match="two networks answer: name a task"):
        hrnet.Predictor(**FP32, changes={"testing.flip": False})
    recipe = hrnet.recipe("pose_bottomup/small_512").override({"model.skeleton": "crowdpose"})
    save_weights(tmp_path / "crowd.safetensors", recipe.model.build(), recipe.to_yaml(), {})
    with pytest.raises(hrnet.UsageError, match=r"keypoints of crowdpose, .* those of coco: leave refine out"):
        hrnet.Predictor(tmp_path / "crowd.safetensors", **FP32, refine=True)


def test_an_engine_that_fails_for_one_picture_fails_for_no_other(everybody):
    """While a person is looked for, as in the box that was found."""

    class Full:
        name, precision, decodes = "full", "fp32", False

        def run(self, pictures):
            if (pictures[:, 120:136, 90:102] == 200).all(axis=(1, 2, 3)).any():
                raise hrnet.HRNetError("the memory is full")
            return everybody.inference.engine.run(pictures)

    path = everybody.recipe.but(testing__batch_size=1, testing__search=True).inference(Full())
    image = read_image(STREET)
    found = list(path.attempt((each, None, None) for each in (image, np.full((90, 120, 3), 200, np.uint8), image)))
    assert [len(found[0]), str(found[1]), len(found[2])] == [1, "the memory is full", 1]
