"""Data sets on disk become records; what cannot be read is refused in one sentence that names file and entry."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hrnet.datasets.coco import read_coco
from hrnet.datasets.lspet import read_lspet
from hrnet.datasets.opening import open_data
from hrnet.datasets.pictures import PLACES
from hrnet.datasets.skeleton import COCO, LSPET
from hrnet.errors import HRNetError, UsageError

# number of a picture of LSPET -> where it belongs: lspet_val.txt names 4, lspet_unused.txt names 1764
LSPET_PICTURES = {1: "train", 2: "too few joints", 4: "val", 5: "train", 1764: "unused"}


def lspet_joints():
    """Joints (14, 3) of each picture, half pixels among them; picture 5 lacks an ankle, picture 2 all but five."""
    rng = np.random.default_rng(0)
    joints = {
        number: np.column_stack([rng.integers(0, 80, (14, 2)) / 2, np.ones(14)]).astype(float)
        for number in LSPET_PICTURES
    }
    joints[2][5:] = joints[5][0] = 0
    return joints


def write_pictures(folder, ending):
    (folder / "images").mkdir(parents=True)
    for number in LSPET_PICTURES:
        Image.new("RGB", (40 + number % 7, 50)).save(folder / "images" / f"im{number:05d}.{ending}")


@pytest.fixture
def original(tmp_path):
    folder = tmp_path / "original"
    write_pictures(folder, "jpg")
    table = np.zeros((14, 3, max(LSPET_PICTURES)))
    for number, joints in lspet_joints().items():
        table[:, :, number - 1] = joints
    savemat(folder / "joints.mat", {"joints": table})
    return folder


@pytest.fixture
def crops(tmp_path):
    folder = tmp_path / "crops"
    write_pictures(folder, "webp")
    names = [name.replace("right_", "r_").replace("left_", "l_") for name in LSPET.keypoints]
    with (folder / "joints.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["file", "width", "height", *(f"{name}_{axis}" for name in names for axis in "xyv")])
        for number, joints in lspet_joints().items():
            writer.writerow([f"im{number:05d}.webp", 40 + number % 7, 50, *joints.ravel()])
    return folder


@pytest.mark.parametrize("split", ["train", "val"])
def test_both_layouts_of_lspet_give_the_same_records(split, original, crops):
    one, other = open_data(original, split), open_data(crops, split)
    expected = [number for number, place in LSPET_PICTURES.items() if place == split]
    for data, ending in ((one, "jpg"), (other, "webp")):
        assert [record.name for record in data.records] == [f"im{number:05d}.{ending}" for number in expected]
        assert data.skeleton is LSPET and data.metric == "PCK"
        for number, record in zip(expected, data.records, strict=True):
            joints, (person,) = lspet_joints()[number], record.people
            labelled = joints[:, 2] > 0
            assert (record.width, record.height) == (40 + number % 7, 50) == record.read().shape[1::-1]
            np.testing.assert_array_equal(person.keypoints, joints[:, :2])
            np.testing.assert_array_equal(person.visibility, 2 * labelled)
            low, high = joints[labelled, :2].min(0), joints[labelled, :2].max(0)
            np.testing.assert_array_equal(person.box, [*low, *high])
            assert person.area == np.prod(high - low)


def without_column(folder):
    table = folder / "joints.csv"
    table.write_text(table.read_text().replace("l_knee_y", "l_kneee_y"))


def with_word(folder):
    table = folder / "joints.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:2], lines[2].replace(",1.0,", ",one,", 1), *lines[3:]]))


@pytest.mark.parametrize(
    "layout, harm, words",
    [
        ("crops", without_column, ["joints.csv, line 2", "l_knee_y", "is missing"]),
        ("crops", with_word, ["joints.csv, line 3", "'one'", "not a number"]),
        ("original", lambda folder: (folder / "joints.mat").write_bytes(b"no matrix"), ["joints.mat cannot be read"]),
        ("original", lambda folder: savemat(folder / "joints.mat", {"x": 1}), ["joints.mat cannot be read", "joints"]),
        (
            "original",
            lambda folder: savemat(folder / "joints.mat", {"joints": np.zeros((3, 14, 9))}),
            ["joints.mat holds joints of shape (3, 14, 9), expected (14, 3, pictures)"],
        ),
    ],
)
def test_damaged_lspet_is_refused(layout, harm, words, original, crops):
    folder = {"crops": crops, "original": original}[layout]
    harm(folder)
    with pytest.raises(HRNetError) as refusal:
        read_lspet(folder, "train")
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_an_unknown_split_is_wrong_use(crops):
    with pytest.raises(UsageError, match="no split 'trian': did you mean 'train'"):
        open_data(crops, "trian")


def points(count=17):
    return [value for k in range(count) for value in (k + 0.5, 2 * k, k % 3)]


def coco(**changes):
    """A file of one picture of 100 x 80 with one person."""
    person = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40], "area": 600.0, "keypoints": points()}
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}],
    } | changes


def annotated(**changes):
    content = coco()
    content["annotations"][0] |= changes
    return content


@pytest.fixture
def write(tmp_path):
    """`write(content)` gives the path of the file, beside which its picture lies."""
    Image.new("RGB", (100, 80)).save(tmp_path / "a.png")

    def write(content):
        (tmp_path / "set.json").write_text(json.dumps(content))
        return tmp_path / "set.json"

    return write


def people(path):
    (record,) = read_coco(path).records
    return record.people


def test_a_coco_file_becomes_records(write):
    data = open_data(write(coco()))
    (record,) = data.records
    (person,) = record.people
    assert (data.name, data.metric, data.skeleton) == ("set", "AP", COCO)
    assert (record.id, record.name, record.width, record.height) == (1, "a.png", 100, 80)
    assert (person.id, person.area, person.crowd, person.pseudo) == (7, 600.0, False, False)
    np.testing.assert_array_equal(np.column_stack([person.keypoints, person.visibility]).ravel(), points())


@pytest.mark.parametrize(
    "bbox, box",
    [
        ([10, 20, 30, 40], [10, 20, 39, 59]),
        ([10.5, 20, 30, 40], [10.5, 20, 39.5, 59]),
        ([-5, -8, 30, 40], [0, 0, 29, 39]),
        ([90, 70, 30, 40], [90, 70, 99, 79]),
        ([10, 20, 0.5, 1], [10, 20, 10, 20]),
        ([100, 20, 30, 40], None),
        ([10, 80, 30, 40], None),
    ],
)
def test_boxes_are_cleaned_as_published(bbox, box, write):
    found = people(write(annotated(bbox=bbox)))
    assert [person.box.tolist() for person in found] == ([] if box is None else [box])


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"area": 0}, []),
        ({"category_id": 2}, []),
        ({"iscrowd": 1}, [{"crowd": True}]),
        ({"pseudo": True}, [{"pseudo": True}]),
        ({"keypoints": []}, [{"crowd": False}]),
    ],
)
def test_who_counts_as_a_person(changes, expected, write):
    found = people(write(annotated(**changes)))
    assert len(found) == len(expected)
    for person, values in zip(found, expected, strict=True):
        assert all(getattr(person, name) == value for name, value in values.items())
        assert person.visibility.any() == bool(changes.get("keypoints", True))


def test_names_of_another_being_make_a_skeleton_of_their_own(write):
    category = {"id": 1, "name": "bee", "keypoints": ["head", "left_wing", "right_wing"], "skeleton": [[1, 2], [1, 3]]}
    path = write(annotated(keypoints=points(3)) | {"categories": [{"id": 2, "name": "hive"}, category]})
    skeleton = read_coco(path).skeleton
    assert (skeleton.name, skeleton.keypoints) == ("bee", ("head", "left_wing", "right_wing"))
    assert skeleton.limbs == (("head", "left_wing"), ("head", "right_wing"))
    assert skeleton.flip_order.tolist() == [0, 2, 1]


@pytest.mark.parametrize("place", [*PLACES, "elsewhere"])
def test_where_pictures_are_looked_for(place, tmp_path):
    file, folder = tmp_path / "1/2/3/sets/set.json", tmp_path / "1/2/3/sets" / place
    for made in (file.parent, folder):
        made.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(coco()))
    with pytest.raises(HRNetError) as refusal:
        read_coco(file)
    assert f"{file}: its picture a.png was not found; looked in " in str(refusal.value)
    assert str(file.parent / "images") in str(refusal.value) and "--images DIR" in str(refusal.value)

    Image.new("RGB", (100, 80)).save(folder / "a.png")
    (record,) = read_coco(file, [folder] if place == "elsewhere" else ()).records
    assert record.image.samefile(folder / "a.png")


def test_a_named_folder_goes_before_the_usual_places(write, tmp_path):
    (tmp_path / "named").mkdir()
    Image.new("RGB", (100, 80)).save(tmp_path / "named/a.png")
    (record,) = read_coco(write(coco()), [Path(tmp_path / "named")]).records
    assert record.image == tmp_path / "named/a.png"


@pytest.mark.parametrize(
    "content, words",
    [
        ([], "is not COCO-style: it has no list 'images'; expected images, annotations, categories"),
        ({"images": []}, "is not COCO-style: it has no list 'categories'"),
        (coco(annotations={}), "is not COCO-style: it has no list 'annotations'"),
        (coco(categories={}), "is not COCO-style: it has no list 'categories'"),
        (coco(images=[]), "lists no pictures"),
        (coco(images=[{"id": 1, "width": 9}]), "entry 1 of 'images': expected an object with id, file_name"),
        (
            coco(images=[{"id": 1, "file_name": "a.png", "width": "wide", "height": 1}]),
            "picture a.png: expected width and height in pixels, found 'wide' and 1",
        ),
        (coco(annotations=[3]), "entry 1 of 'annotations': expected an object"),
        (coco(categories=[{"id": 1, "name": "person"}]), "names no keypoints"),
        (annotated(image_id=9), "annotation 7: image_id 9 is not among the pictures"),
        (coco(images=[{"id": [1], "file_name": "a.png"}]), "entry 1 of 'images': expected an id, a number or text"),
        (annotated(image_id=[1]), "annotation 7: image_id [1] is not among the pictures"),
        (annotated(area="big"), "annotation 7: expected bbox [x, y, w, h], 17 keypoints"),
        (annotated(bbox=[1, 2, 3, float("nan")]), "annotation 7: expected bbox [x, y, w, h]"),
        (annotated(keypoints=points(16)), "annotation 7: expected bbox [x, y, w, h], 17 keypoints"),
        (annotated(bbox=[1, 2, 3]), "annotation 7: expected bbox [x, y, w, h]"),
        (annotated(bbox=None), "annotation 7: expected bbox [x, y, w, h]"),
    ],
)
def test_what_is_no_coco_file_is_refused_by_file_and_entry(content, words, write):
    path = write(content)
    with pytest.raises(HRNetError, match=f"^{re.escape(str(path))}.*{re.escape(words)}"):
        read_coco(path)


@pytest.mark.shared
@pytest.mark.parametrize("split, count", [("train", 9683), ("val", 300)])
def test_the_real_lspet(split, count, shared):
    data = open_data(shared / "data/lspet", split)
    assert len(data.records) == count == len({record.id for record in data.records})
    assert all(record.image.suffix == ".webp" and len(record.people) == 1 for record in data.records)
    assert data.records[0].read().shape[1::-1] == (data.records[0].width, data.records[0].height)


@pytest.mark.shared
def test_the_real_coco_people(shared):
    data = open_data(shared / "data/coco_people/annotations/person_keypoints_val.json")
    assert (len(data.records), data.skeleton) == (40, COCO)
    assert all(record.read().shape[1::-1] == (record.width, record.height) for record in data.records)
    assert any(person.crowd for record in data.records for person in record.people)
