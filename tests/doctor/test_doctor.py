"""The data doctor: a clean set yields nothing, and every planted fault is named by its ids."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY
from PIL import Image

import hrnet
from hrnet.cli.main import app
from hrnet.datasets.skeleton import COCO
from hrnet.datasets.synthetic import figures
from hrnet.doctor.examination import examine
from hrnet.doctor.findings import KINDS
from hrnet.doctor.report import to_text, to_values, worst_cases
from hrnet.errors import HRNetError
from hrnet.weights.files import save_weights

PEOPLE = {"train": (60, 5), "val": (8, 6)}
PICTURE, ANNOTATION = 7, 107  # whose labels the faults below are planted in


def write_split(folder: Path, split: str) -> None:
    """A COCO-style file of drawn figures, ids from 1 and from 101, and its pictures."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number, record in enumerate(figures(PEOPLE[split][0], PEOPLE[split][1], (72, 96)).records, start=1):
        Image.fromarray(record.image).save(folder / f"images/{split}_{number}.png")
        images.append({"id": number, "file_name": f"{split}_{number}.png", "width": 72, "height": 96})
        (person,) = record.people
        box = [*person.box[:2].tolist(), *(person.box[2:] - person.box[:2]).tolist()]
        points = np.column_stack([person.keypoints, person.visibility]).ravel().tolist()
        annotation = {"id": 100 + number, "image_id": number, "category_id": 1, "bbox": box, "iscrowd": 0}
        annotation |= {"area": 0.5 * box[2] * box[3], "keypoints": points}
        annotations.append(annotation | {"num_keypoints": sum(v > 0 for v in points[2::3])})
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / f"set_{split}.json").write_text(json.dumps(content))


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    for split in PEOPLE:
        write_split(folder, split)
    return folder


@pytest.fixture
def planted(clean, tmp_path):
    """`planted(harm)` is a copy of the clean set whose training labels `harm(content, annotation, folder)` changed."""

    def planted(harm):
        folder = shutil.copytree(clean, tmp_path / "set")
        content = json.loads((folder / "set_train.json").read_text())
        (annotation,) = (each for each in content["annotations"] if each["id"] == ANNOTATION)
        harm(content, annotation, folder)
        (folder / "set_train.json").write_text(json.dumps(content))
        return folder

    return planted


def change(**values):
    return lambda content, annotation, folder: annotation.update(values)


def change_picture(**values):
    return lambda content, annotation, folder: content["images"][PICTURE - 1].update(values)


def at(point, *values):
    """Set x, y and perhaps visibility of one keypoint."""

    def harm(content, annotation, folder):
        annotation["keypoints"][3 * point : 3 * point + len(values)] = values
        annotation["num_keypoints"] = sum(v > 0 for v in annotation["keypoints"][2::3])

    return harm


def without_labels(content, annotation, folder):
    annotation.update(keypoints=[0] * 51, num_keypoints=0)


def with_visibility(value):
    def harm(content, annotation, folder):
        annotation["keypoints"][2::3] = [value] * 17

    return harm


def exchange(*names):
    """Exchange left and right of some pairs, coordinates and visibility."""

    def harm(content, annotation, folder):
        points = np.array(annotation["keypoints"]).reshape(-1, 3)
        for left, right in COCO.flip_pairs:
            if not names or left.removeprefix("left_") in names:
                pair = [COCO.index(left), COCO.index(right)]
                points[pair] = points[pair[::-1]]
        annotation["keypoints"] = points.ravel().tolist()

    return harm


def twice(kind):
    def harm(content, annotation, folder):
        if kind == "person":
            content["annotations"].append(annotation | {"id": 999})
        else:
            content["annotations"].append(content["annotations"][0] | {"id": ANNOTATION, "keypoints": [0] * 51})

    return harm


def picture_file(action):
    return lambda content, annotation, folder: action(folder / f"images/train_{PICTURE}.png")


def a_val_picture_again(content, annotation, folder):
    picture = Image.open(folder / "images/val_3.png")
    picture.resize((69, 92)).save(folder / f"images/train_{PICTURE}.png")
    content["images"][PICTURE - 1].update(width=69, height=92)


def short_and_empty(content, annotation, folder):
    annotation.update(keypoints=annotation["keypoints"][:-3])


FAULTS = {
    "picture-missing": (picture_file(Path.unlink), None),
    "picture-unreadable": (picture_file(lambda path: path.write_bytes(path.read_bytes()[:200])), None),
    "size-mismatch": (change_picture(width=96, height=128), None),
    "duplicate-id": (twice("id"), ANNOTATION),
    "unknown-picture": (change(image_id=777), ANNOTATION),
    "keypoint-count": (short_and_empty, ANNOTATION),
    "not-numbers": (change(bbox=["left", 0, 1, 1]), ANNOTATION),
    "visibility-unset": (with_visibility(0), ANNOTATION),
    "box-empty": (change(bbox=[10, 10, 0, 30]), ANNOTATION),
    "area-zero": (change(area=0), ANNOTATION),
    "box-outside": (change(bbox=[-20, 10, 80, 80]), ANNOTATION),
    "keypoint-outside": (at(9, 90, 40, 2), ANNOTATION),
    "keypoint-at-origin": (at(9, 0, 0, 2), ANNOTATION),
    "keypoints-off-box": (change(bbox=[0, 0, 6, 6], area=20), ANNOTATION),
    "visibility-value": (with_visibility(3), ANNOTATION),
    "keypoint-total": (change(num_keypoints=3), ANNOTATION),
    "area-beyond-box": (change(area=6000), ANNOTATION),
    "person-twice": (twice("person"), 999),
    "sides-swapped": (exchange(), ANNOTATION),
    "near-duplicate": (a_val_picture_again, None),
    "no-keypoints": (without_labels, ANNOTATION),
}


def test_every_kind_has_its_planted_fault():
    assert list(FAULTS) == list(KINDS)


def test_a_clean_set_yields_nothing(clean):
    report = examine([clean])
    assert [labels.name for labels in report.parts] == ["set_train", "set_val"]
    assert not report.findings and not report.sigmas and worst_cases(report) is None
    assert to_text(report)[-1] == "nothing found" and to_text(report)[0].startswith("set_train: 60 pictures, 60 people")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_is_named_by_its_ids(kind, planted):
    harm, annotation = FAULTS[kind]
    report = examine([planted(harm)])
    found = {(finding.kind, finding.annotation) for finding in report.findings}
    assert (kind, annotation) in found, found
    fitting = [finding for finding in report.findings if (finding.kind, finding.annotation) == (kind, annotation)]
    if kind == "near-duplicate":  # told where it is met second, in val, with the twin that it has in train
        assert [finding.image for finding in fitting] == [3] and f"train_{PICTURE}.png" in fitting[0].says
    elif kind != "unknown-picture":
        assert {finding.image for finding in fitting} <= {PICTURE, 1}
    companions = {"duplicate-id": {"no-keypoints"}, "keypoint-at-origin": {"sides-swapped"}}.get(kind, set())
    assert {each for each, _ in found} <= {kind} | companions, found
    text = "\n".join(to_text(report))
    assert kind in text and str(PICTURE) in text


def test_one_exchanged_pair_is_named(planted):
    report = examine([planted(exchange("shoulder"))])
    (finding,) = report.findings
    assert (finding.kind, finding.annotation) == ("sides-swapped", ANNOTATION)
    assert finding.says.startswith("left_shoulder and right_shoulder: exchanged they lie ")


def test_duplicate_pictures_of_a_file_are_told(planted):
    def harm(content, annotation, folder):
        content["images"].append(content["images"][PICTURE - 1] | {"id": 500})
        content["images"].append(content["images"][0] | {"file_name": "train_2.png"})

    found = {(finding.image, finding.says) for finding in examine([planted(harm)]).findings}
    assert found == {
        (1, "2 pictures have this id"),
        (1, "train_2.png is listed 2 times, as [2, 1]"),
        (500, f"train_{PICTURE}.png is listed 2 times, as [{PICTURE}, 500]"),
    }


def test_sigmas_come_from_people_labelled_twice(clean, tmp_path):
    """A second labelling of the same pictures, both off by a known spread, gives that spread back."""
    rng, sigmas = np.random.default_rng(0), np.linspace(0.02, 0.1, 17)
    folder = shutil.copytree(clean, tmp_path / "set")
    truth = json.loads((folder / "set_train.json").read_text())
    for name in ("mine.json", "yours.json"):
        content = json.loads(json.dumps(truth))
        for annotation in content["annotations"]:
            points = np.array(annotation["keypoints"]).reshape(-1, 3)
            spread = sigmas[:, None] * np.sqrt(annotation["area"] / 2)  # sigma**2 is the variance of both axes together
            points[:, :2] += spread * rng.standard_normal((17, 2))
            annotation["keypoints"] = points.ravel().tolist()
        (folder / name).write_text(json.dumps(content))
    (estimate,) = examine([folder / "mine.json", folder / "yours.json"]).sigmas
    assert estimate.source == "60 people labelled twice"
    np.testing.assert_allclose(estimate.values, sigmas, rtol=0.5)
    assert abs(np.log(estimate.values / sigmas).mean()) < 0.1


@pytest.mark.slow
def test_sigmas_of_a_networks_residuals_are_an_upper_bound(clean, tmp_path):
    torch.manual_seed(0)
    save_weights(tmp_path / "tiny.safetensors", TINY.model.build(), TINY.to_yaml(), {})
    (estimate,) = examine([clean / "set_train.json"], predictor=hrnet.Predictor(tmp_path / "tiny.safetensors")).sigmas
    assert estimate.source == "residuals of tiny.safetensors on set_train.json, an upper bound"
    assert estimate.labels.sum() > 60 * 12 and (estimate.values > COCO.sigmas).all()  # it has learnt nothing yet


def test_check_prints_writes_and_exits(planted, clean, tmp_path):
    from typer.testing import CliRunner

    harmed = planted(FAULTS["keypoint-count"][0])
    files = [str(tmp_path / "findings.json"), str(tmp_path / "cases.png")]
    answer = CliRunner().invoke(app, ["check", str(harmed), "--json", files[0], "--sheet", files[1]])
    assert answer.exit_code == 1
    assert (
        "error: keypoint-count (1)" in answer.output and f"picture {PICTURE}, annotation {ANNOTATION}" in answer.output
    )
    values = json.loads(Path(files[0]).read_text())
    assert values["totals"] == {"error": 1, "warning": 0, "note": 0}
    assert values["findings"][0]["kind"] == "keypoint-count" and values["findings"][0]["annotation"] == ANNOTATION
    assert values == json.loads(json.dumps(to_values(examine([harmed]))))
    assert Image.open(files[1]).size[0] >= 240
    assert CliRunner().invoke(app, ["check", str(clean)]).exit_code == 0


def test_other_formats_are_examined_by_their_readers(tmp_path):
    for split, line in (
        ("train", "0 0.5 0.5 0.2 0.4 0.4 0.3 2 1.5 0.5 2"),
        ("val", "0 0.5 0.5 0.2 0.0 0.4 0.3 2 0.5 0.5 2"),
    ):
        for folder in ("images", "labels"):
            (tmp_path / folder / split).mkdir(parents=True)
        Image.new("RGB", (100, 80)).save(tmp_path / f"images/{split}/a.png")
        (tmp_path / f"labels/{split}/a.txt").write_text(line)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nkpt_shape: [2, 3]\nnames: {0: cat}\n")
    found = {(finding.kind, finding.part, finding.annotation) for finding in examine([tmp_path / "data.yaml"]).findings}
    assert {("keypoint-outside", "data.yaml_train", "a:1"), ("box-empty", "data.yaml_val", "a:1")} <= found


def test_what_holds_no_labels_is_refused(tmp_path):
    with pytest.raises(HRNetError, match="is no known data set"):
        examine([tmp_path])


@pytest.mark.shared
def test_real_sets_are_examined(shared):
    report = examine([shared / "data/bees"])
    assert report.errors == 0 and len(report.findings) <= 2
    kinds = examine([shared / "data/format_samples/crowdpose/test_crowdpose.json"]).counts
    assert kinds == {"keypoint-total": 4, "no-keypoints": 1}  # its totals leave head and neck out
