"""Evaluation as users call it: a detector's boxes, results files with and without truth, and the page."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY, coco_file
from scipy.io import loadmat

import hrnet
from hrnet.datasets.coco import read_coco
from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import MPII
from hrnet.errors import HRNetError, UsageError
from hrnet.results.pose import Pose
from hrnet.scoring.analysis import analysis
from hrnet.scoring.protocol import Answers, score
from hrnet.scoring.report import write_report
from hrnet.scoring.results_files import write_results
from hrnet.weights.files import save_weights


@pytest.fixture
def predictor(tmp_path):
    torch.manual_seed(3)
    recipe = TINY.but(testing__score_threshold=0.0)  # random weights are sure of nothing
    save_weights(tmp_path / "tiny.safetensors", TINY.model.build(), recipe.to_yaml(), {"licence": "none"})
    return hrnet.Predictor(tmp_path / "tiny.safetensors", device="cpu")


def detections(path, **more):
    """A detector's file with the set's own boxes, beside it; returns where it lies."""
    found = []
    for record in read_coco(path).records:
        for x1, y1, x2, y2 in record.boxes.tolist():
            found.append({"image_id": record.id, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": 0.5} | more)
    (path.parent / "detections.json").write_text(json.dumps(found))
    return path.parent / "detections.json"


def test_boxes_and_scores_of_a_detector_stand_in_for_the_sets_own(predictor, tmp_path):
    path = coco_file(tmp_path / "set.json")
    own, theirs = tmp_path / "own.json", tmp_path / "theirs.json"
    hrnet.evaluate(predictor, path, results=own)
    figures = hrnet.evaluate(predictor, path, boxes=detections(path), results=theirs)
    assert figures["boxes"].endswith("detections.json")
    for one, other in zip(json.loads(own.read_text()), json.loads(theirs.read_text()), strict=True):
        assert set(other) == {"image_id", "category_id", "keypoints", "score"}
        assert (one["image_id"], one["keypoints"]) == (other["image_id"], other["keypoints"])
        assert other["score"] == pytest.approx(one["score"] / 2) and other["score"] > 0


def test_results_are_written_without_truth_too(predictor, tmp_path):
    path = coco_file(tmp_path / "set.json")
    boxes = detections(path)
    content = json.loads(path.read_text()) | {"annotations": []}
    path.write_text(json.dumps(content))
    with pytest.raises(HRNetError, match=r"no labels.*--results FILE"):
        hrnet.evaluate(predictor, path, boxes=boxes)
    figures = hrnet.evaluate(predictor, path, boxes=boxes, results=tmp_path / "results.json", html=tmp_path / "a.html")
    assert figures["metrics"] == {} and figures["poses"] == 3
    assert [each["image_id"] for each in json.loads((tmp_path / "results.json").read_text())] == [0, 1, 2]
    assert "no labels" in (tmp_path / "a.html").read_text()


def test_a_network_that_finds_everybody_needs_no_truth_and_takes_no_boxes(tmp_path):
    path = coco_file(tmp_path / "set.json")
    boxes = detections(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": []}))
    changes = {"testing.detection_threshold": -1, "testing.score_threshold": 0, "testing.fewest_joints": 1}
    predictor = hrnet.Predictor(task="pose_bottomup", engine="torch", precision="fp32", changes=changes)
    figures = hrnet.evaluate(predictor, path, results=str(tmp_path / "results.json"))
    assert figures["metrics"] == {} and figures["poses"] == len(json.loads((tmp_path / "results.json").read_text())) > 0
    with pytest.raises(UsageError, match="takes no boxes"):
        hrnet.evaluate(predictor, path, boxes=str(boxes))


def test_a_boxes_file_of_another_set_and_an_unknown_ending_are_refused(predictor, tmp_path):
    path = coco_file(tmp_path / "set.json")
    with pytest.raises(HRNetError, match=r"detections\.json names none of the pictures of set"):
        hrnet.evaluate(predictor, path, boxes=detections(path, image_id=99))
    with pytest.raises(UsageError, match=r"results\.csv: results are written as \.json .* or \.mat"):
        hrnet.evaluate(predictor, path, results=tmp_path / "results.csv")
    with pytest.raises(UsageError, match=r"pred\.mat is for MPII"):
        hrnet.evaluate(predictor, path, results=tmp_path / "pred.mat")
    assert not list(tmp_path.glob("results*")) + list(tmp_path.glob("pred*"))


def test_pred_mat_has_mpiis_rows_and_counts_pixels_from_1(tmp_path):
    def person(row, labelled=True):
        return Person(np.zeros(4), np.zeros((16, 2)), np.full(16, 2 * labelled), 1.0, id=row)

    def pose(place):
        return Pose(np.full((16, 2), place), np.ones(16), 1.0, np.zeros(4), MPII)

    people = ((person(2), person(0)), (person(1),))
    data = PoseData("mpii", MPII, tuple(Record(Path("a"), 9, 9, k, each) for k, each in enumerate(people)), "PCKh")
    write_results(tmp_path / "pred.mat", data, Answers([0, 1], [[pose(20.0), pose(0.0)], [pose(10.0)]], assigned=True))
    rows = loadmat(tmp_path / "pred.mat")["preds"]
    assert rows.shape == (3, 16, 2) and rows.dtype == np.float32
    assert rows[:, 0, 0].tolist() == [1, 11, 21]
    test_set = replace(data, records=(Record(Path("a"), 9, 9, 0, (person(0, labelled=False),)),))
    write_results(tmp_path / "pred.mat", test_set, Answers([0], [[pose(5.0)]], assigned=True))
    assert loadmat(tmp_path / "pred.mat")["preds"][0, 0].tolist() == [6, 6]


class Page(HTMLParser):
    """What a page is made of: headings, addresses that it loads, and how many plots."""

    def __init__(self, text):
        super().__init__()
        self.headings, self.loaded, self.plots, self.inside = [], [], 0, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.plots += tag == "svg"
        self.loaded += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data", "srcset")]

    def handle_data(self, data):
        if self.inside in ("h1", "h2") and data.strip():
            self.headings.append(data)


@pytest.mark.parametrize("metric, plots", [("AP", 5), ("PCK", 3)])
def test_the_page_needs_nothing_but_itself(metric, plots, tmp_path):
    data = replace(read_coco(coco_file(tmp_path / "set.json")), metric=metric)
    rng = np.random.default_rng(0)
    poses = [
        [
            Pose(person.keypoints + rng.normal(0, 1, (17, 2)), rng.uniform(size=17), 0.5, person.box, data.skeleton)
            for person in record.people
        ]
        for record in data.records
    ]
    figures = score(data, [record.id for record in data.records], poses, assigned=True)
    answers = figures.pop("answers")
    figures |= {"recipe": "by hand", "weights": "none", "data": "set.json"} | analysis(data, answers)
    write_report(tmp_path / "page.html", figures, data, answers)
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.plots == plots and {"Figures", "Joints", "Worst people"} <= set(page.headings)
    assert ("Errors" in page.headings) == (metric == "AP")
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.loaded)
    assert not re.search(r"url\((?!#)|@import|<script|<link", text)
    for name, value in figures["metrics"].items():
        assert f"<td>{name}</td>" in text and f"{value:.4f}" in text
    write_report(tmp_path / "again.html", figures, data, answers)
    assert (tmp_path / "again.html").read_text() == text


def test_recipe_fields_change_the_protocol(tmp_path, predictor):
    changed = hrnet.Predictor(predictor.weights, changes={"testing.nms": "none", "testing.flip": "true"})
    assert (changed.recipe.testing.nms, changed.inference.recipe.testing.flip) == ("none", True)
    with pytest.raises(UsageError, match=r"testing\.nms"):
        hrnet.Predictor(predictor.weights, changes={"testing.nms": "hard"})
