"""Every format becomes the same records: parity with the published readers, tiny files of each kind, real samples."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hrnet.datasets.boxes import read_boxes
from hrnet.datasets.coco import read_coco
from hrnet.datasets.mpii import read_mpii
from hrnet.datasets.opening import has_split, open_data
from hrnet.datasets.skeleton import AIC, COCO, COCO_WHOLEBODY, CROWDPOSE, MPII, POSETRACK18, Skeleton
from hrnet.datasets.skeleton_files import skeleton_text
from hrnet.errors import HRNetError
from hrnet.geometry import center_and_extent

REFERENCE = Path(__file__).parents[1] / "reference"
SIZE = (100, 80)


def picture(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def triples(count, visible=2):
    return [value for k in range(count) for value in (10 + k, 20 + k, visible)]


def coco_style(names, annotation, file_name="a.png", **image):
    return {
        "images": [{"id": 3, "file_name": file_name, "width": 100, "height": 80} | image],
        "annotations": [{"id": 7, "image_id": 3, "category_id": 1, "bbox": [10, 20, 30, 40]} | annotation],
        "categories": [{"id": 1, "name": "person", "keypoints": list(names)}],
    }


def test_coco_records_are_the_published_ones(tmp_path):
    golden = json.loads((REFERENCE / "coco_dataset.json").read_text())
    for image in golden["annotations"]["images"]:
        (tmp_path / image["file_name"]).touch()
    data = read_coco(write(tmp_path / "set.json", golden["annotations"]))
    people = [
        (record.name, person)
        for record in data.records
        for person in record.people
        if not person.crowd and person.keypoints.any()
    ]
    assert len(people) == len(golden["db_gt"])
    for (name, person), expected in zip(people, golden["db_gt"], strict=True):
        center, extent = center_and_extent(person.box, (192, 256))
        assert name == Path(expected["image"]).name
        np.testing.assert_allclose(center, expected["center"], rtol=1e-6)
        np.testing.assert_allclose(extent, 200 * expected["scale"][0], rtol=1e-6)
        np.testing.assert_array_equal(person.keypoints, np.array(expected["joints_3d"])[:, :2])
        np.testing.assert_array_equal(person.visibility > 0, np.array(expected["joints_3d_vis"])[:, 0] > 0)


def test_a_detectors_boxes_are_the_published_ones(tmp_path):
    golden = json.loads((REFERENCE / "coco_dataset.json").read_text())
    boxes = read_boxes(write(tmp_path / "boxes.json", golden["detections"]))
    found = [
        (Path(image["file_name"]).name, *pair)
        for image in golden["annotations"]["images"]
        for pair in zip(*(boxes.of(Path(image["file_name"])) or ((), ())), strict=True)
    ]
    expected = sorted(golden["db_det"], key=lambda each: each["image"])
    assert len(found) == len(expected)
    for name, box, score in found:
        center, extent = center_and_extent(box, (192, 256))
        assert any(
            np.allclose([*center, extent, score], [*e["center"], 200 * e["scale"][0], e["score"]], rtol=1e-6)
            and Path(e["image"]).name == name
            for e in expected
        )


def test_mpii_records_are_the_published_ones(tmp_path):
    golden = json.loads((REFERENCE / "mpii_records.json").read_text())
    for row in golden["annotations"]:
        picture(tmp_path / "images" / row["image"])
    data = read_mpii(write(tmp_path / "annot/valid.json", golden["annotations"]))
    people = sorted((person for record in data.records for person in record.people), key=lambda person: person.id)
    assert (data.skeleton, data.metric, len(people)) == (MPII, "PCK", len(golden["db_valid"]))
    for person, expected in zip(people, golden["db_valid"], strict=True):
        center, extent = center_and_extent(person.box, (256, 256))
        np.testing.assert_allclose(center, expected["center"], rtol=1e-9)
        np.testing.assert_allclose(extent, 200 * expected["scale"][0], rtol=1e-9)
        np.testing.assert_allclose(person.keypoints, np.array(expected["joints_3d"])[:, :2], rtol=1e-9)
        np.testing.assert_array_equal(person.visibility > 0, np.array(expected["joints_3d_vis"])[:, 0] > 0)


def test_mpii_has_head_boxes_and_test_sets(tmp_path):
    row = {"image": "a.png", "center": [50, 40], "scale": 0.2}
    picture(tmp_path / "images/a.png")
    path = write(tmp_path / "annot/test.json", [row, row])
    (record,) = open_data(path).records
    assert (record.width, record.height) == SIZE and [person.id for person in record.people] == [0, 1]
    assert not record.people[0].visibility.any()

    heads = np.array([[[1.0, 2], [11, 21]], [[5, 6], [7, 8]]])  # two people: x1 y1, x2 y2
    savemat(tmp_path / "annot/gt_test.mat", {"headboxes_src": heads.transpose(1, 2, 0)})
    data = read_mpii(path)
    assert data.metric == "PCKh"
    np.testing.assert_array_equal(data.records[0].people[0].head, [0, 1, 10, 20])
    np.testing.assert_array_equal(data.records[0].people[1].head, [4, 5, 6, 7])
    savemat(tmp_path / "annot/gt_test.mat", {"headboxes_src": heads[:1].transpose(1, 2, 0)})
    with pytest.raises(HRNetError, match=r"gt_test.mat holds head boxes of shape \(2, 2, 1\), expected \(2, 2, 2\)"):
        read_mpii(path)


AIC_NAMES = [name.replace("_", " ").title() for name in AIC.keypoints]
CROWDPOSE_NAMES = ["head" if name == "head_top" else name for name in CROWDPOSE.keypoints]


@pytest.mark.parametrize(
    ("names", "annotation", "skeleton", "area"),
    [
        (COCO.keypoints, {"keypoints": triples(17), "area": 500}, COCO, 500),
        (AIC_NAMES, {"keypoints": triples(14)}, AIC, 1200),
        (CROWDPOSE_NAMES, {"keypoints": triples(14)}, CROWDPOSE, 0.53 * 1200),
        (POSETRACK18.keypoints, {"keypoints": triples(17, 1), "bbox_head": [10, 20, 5, 6]}, POSETRACK18, 1200),
    ],
)
def test_layouts_are_told_by_the_names_of_their_keypoints(names, annotation, skeleton, area, tmp_path):
    picture(tmp_path / "a.png")
    data = open_data(write(tmp_path / "set.json", coco_style(names, annotation)))
    ((person,),) = (record.people for record in data.records)
    assert data.skeleton is skeleton and data.metric == "AP" and person.area == pytest.approx(area)
    np.testing.assert_array_equal(person.keypoints[:, 0], 10 + np.arange(len(skeleton)))
    assert person.visibility.all() and data.truth["annotations"][0]["num_keypoints"] == len(skeleton)
    assert ("bbox_head" in annotation) == (person.head is not None)


def test_ai_challenger_joins_coco_by_name():
    positions = COCO.positions_in(AIC)
    assert {COCO.keypoints[k]: AIC.keypoints[p] for k, p in enumerate(positions) if p >= 0} == {
        name: name for name in COCO.keypoints[5:]
    }


def test_wholebody_puts_its_parts_in_order(tmp_path):
    parts = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    values = np.column_stack([np.arange(133.0), 200 + np.arange(133.0), np.ones(133)])
    annotation, start = {}, 0
    for name, count in parts.items():
        annotation[name] = values[start : start + count].ravel().tolist()
        start += count
    picture(tmp_path / "a.png")
    data = open_data(write(tmp_path / "set.json", coco_style(COCO.keypoints, annotation)))
    assert data.skeleton is COCO_WHOLEBODY
    np.testing.assert_array_equal(data.records[0].people[0].keypoints, values[:, :2])
    assert COCO_WHOLEBODY.keypoints[23] == "face-0" and COCO_WHOLEBODY.keypoints[112] == "right_hand_root"


def test_a_folder_of_videos_is_one_set(tmp_path):
    for number, video in enumerate(("one", "two")):
        content = coco_style(POSETRACK18.keypoints, {"keypoints": triples(17, 1)}, f"images/val/{video}/0.png")
        content["images"][0]["id"] = content["annotations"][0]["image_id"] = 100 + number
        content["images"].append({"id": 200 + number, "file_name": "images/val/no.png", "is_labeled": False})
        picture(tmp_path / content["images"][0]["file_name"])
        write(tmp_path / f"annotations/val/{video}.json", content)
    data = open_data(tmp_path / "annotations/val")
    assert [record.id for record in data.records] == [100, 101] and not has_split(tmp_path / "annotations/val")
    assert [each["id"] for each in data.truth["annotations"]] == [1, 2]
    assert len(data.truth["images"]) == 2


def test_files_of_a_folder_are_told_apart_by_split(tmp_path):
    for name, file in (("a", "bees_train"), ("b", "bees_val")):
        picture(tmp_path / f"images/{name}.png")
        write(tmp_path / f"{file}.json", coco_style(["head", "tail"], {"keypoints": triples(2)}, f"{name}.png"))
    assert [open_data(tmp_path, split).records[0].name for split in ("train", "val")] == ["a.png", "b.png"]
    assert has_split(tmp_path)


def test_what_labelling_tools_leave_out_or_add(tmp_path):
    """CVAT: folders of subsets, ids of categories with several skeletons. Label Studio: upload paths, no area."""
    picture(tmp_path / "images/default/a.png")
    cvat = coco_style(["head", "tail"], {"keypoints": triples(2), "attributes": {"occluded": False}})
    cvat["categories"].insert(0, {"id": 5, "name": "cat", "keypoints": ["ear"], "skeleton": []})
    cvat["categories"][1]["skeleton"] = [[1, 2]]
    data = open_data(write(tmp_path / "annotations/person_keypoints_default.json", cvat))
    assert data.skeleton.limbs == (("head", "tail"),) and data.records[0].image.is_file() and data.metric == "PCK"

    studio = coco_style(["head", "tail"], {"keypoints": triples(2), "id": 0}, "../../upload\\1\\a.png", width=None)
    del studio["annotations"][0]["bbox"]
    data = open_data(write(tmp_path / "studio/result.json", studio), images=[tmp_path / "images/default"])
    (record,) = data.records
    assert (record.width, record.height) == SIZE
    np.testing.assert_allclose(record.people[0].box, [9.85, 19.85, 10.15, 20.15])


def test_ids_that_are_no_numbers_become_numbers(tmp_path):
    picture(tmp_path / "a.png")
    content = coco_style(COCO.keypoints, {"keypoints": triples(17), "image_id": "frame a"}, id="frame a")
    data = open_data(write(tmp_path / "set.json", content))
    assert data.records[0].id == data.truth["images"][0]["id"] == data.truth["annotations"][0]["image_id"] == 1


def test_a_test_set_has_pictures_and_no_people(tmp_path):
    picture(tmp_path / "a.png")
    content = coco_style(COCO.keypoints, {})
    del content["annotations"], content["categories"][0]["keypoints"]
    data = open_data(write(tmp_path / "image_info_test.json", content))
    assert (data.skeleton, data.truth, data.records[0].people) == (COCO, None, ())


def deeplabcut(folder, individuals, index):
    """A table of two frames with snout and tail; the tail of the second frame is not labelled."""
    parts = [(name, part, axis) for name in individuals for part in ("snout", "tail") for axis in "xy"]
    names = (["scorer"], ["individuals"], ["bodyparts"], ["coords"])
    blank = [""] * (index - 1)
    rows = [
        names[0] + blank + ["me"] * len(parts),
        names[1] + blank + [part[0] for part in parts],
        names[2] + blank + [part[1] for part in parts],
        names[3] + blank + [part[2] for part in parts],
    ]
    for number in (1, 2):
        picture(folder / f"img{number}.png")
        where = ["labeled-data", folder.name, f"img{number}.png"]
        values = [str(10 * number + k) for k in range(len(parts))]
        values = values if number == 1 else [*values[:-2], "", ""]
        rows.append((where if index == 3 else ["/".join(where)]) + values)
    with (folder / "CollectedData_me.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows(row for row in rows if individuals != [""] or row[0] != "individuals")
    return folder / "CollectedData_me.csv"


@pytest.mark.parametrize("index", [1, 3])
@pytest.mark.parametrize("individuals", [[""], ["mouse1", "mouse2"]])
def test_deeplabcut(index, individuals, tmp_path):
    table = deeplabcut(tmp_path / "labeled-data/run", individuals, index)
    first, second = open_data(table).records
    assert open_data(tmp_path).skeleton.keypoints == ("snout", "tail")
    assert first.name == "img1.png" and (first.width, first.height) == SIZE
    np.testing.assert_array_equal(first.people[0].keypoints, [[10, 11], [12, 13]])
    np.testing.assert_allclose(first.people[0].box, [9.7, 10.7, 12.3, 13.3])
    assert len(first.people) == len(individuals) and second.people[-1].visibility.tolist() == [2, 0]

    table.write_text(table.read_text().replace(",21,", ",one,"))
    with pytest.raises(HRNetError, match=r"CollectedData_me.csv, line \d: expected numbers or empty cells"):
        open_data(table)


def yolo(folder, line, **changes):
    content = {"path": ".", "train": "images/train", "val": "images/val", "kpt_shape": [2, 3], "names": {0: "cat"}}
    for split in ("train", "val"):
        picture(folder / f"images/{split}/{split}.png")
        write(folder / f"labels/{split}/{split}.txt", line)
    return write(folder / "data.yaml", content | changes)


def test_yolo_pose(tmp_path):
    path = yolo(tmp_path, "0 0.5 0.5 0.2 0.4 0.4 0.3 2 0 0 0\n\n", flip_idx=[1, 0])
    for data in (open_data(path, "val"), open_data(tmp_path, "val")):
        ((person,),) = (record.people for record in data.records)
        assert data.records[0].name == "val.png" and data.skeleton.flip_pairs == (("keypoint_1", "keypoint_2"),)
        np.testing.assert_allclose(person.box, [40, 24, 60, 56])
        np.testing.assert_allclose(person.keypoints, [[40, 24], [0, 0]])
        assert person.visibility.tolist() == [2, 0] and person.area == pytest.approx(20 * 32)
    assert has_split(path) and has_split(tmp_path)


def test_yolo_pose_of_people_is_scored_by_ap(tmp_path):
    line = "0 0.5 0.5 0.2 0.4 " + " ".join(["0.5 0.5"] * 16) + " 0 0"
    path = yolo(tmp_path, line, kpt_shape=[17, 2], flip_idx=COCO.flip_order.tolist())
    data = open_data(path, "train")
    assert (data.skeleton, data.metric, data.truth["annotations"][0]["num_keypoints"]) == (COCO, "AP", 16)


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        (
            {},
            "0 0.5 0.5 0.2 0.4 0.4 0.3 2",
            "val.txt, line 1: expected class, box x y w h and 2 keypoints of 3 numbers",
        ),
        ({"val": "gone"}, "", "data.yaml: the val pictures are not at "),
        ({"val": None}, "", "data.yaml has no 'val'"),
        ({"kpt_shape": "many"}, "", "data.yaml is no data.yaml of YOLO-pose"),
        ({"flip_idx": [0, 5]}, "", "do not fit 2 keypoints"),
    ],
)
def test_yolo_pose_that_cannot_be_read(changes, line, words, tmp_path):
    with pytest.raises(HRNetError) as refusal:
        open_data(yolo(tmp_path, line, **changes), "val")
    assert words in str(refusal.value)


def test_a_skeleton_beside_the_labels_adds_what_they_lack(tmp_path):
    path = yolo(tmp_path, "0 0.5 0.5 0.2 0.4 0.4 0.3 2 0 0 0")
    own = Skeleton("cat", ("nose", "tail"), (("nose", "tail"),), sigmas=(0.1, 0.2))
    assert open_data(path).metric == "PCK"
    assert open_data(path, skeleton=own).skeleton == own
    write(tmp_path / "skeleton.yaml", skeleton_text(own))
    assert open_data(path).skeleton == own and open_data(path).metric == "AP"
    assert open_data(path, skeleton=COCO).skeleton == own  # of other keypoints: joined by name, where they meet


def test_pictures_whose_names_are_missing_do_not_hide_the_others(tmp_path):
    content = coco_style(COCO.keypoints, {"keypoints": triples(17)}, "gone.png")
    content["images"].append({"id": 4, "file_name": "there.png", "width": 100, "height": 80})
    picture(tmp_path / "images/there.png")
    data = open_data(write(tmp_path / "set.json", content))
    assert [record.image.is_file() for record in data.records] == [False, True]


def test_boxes_are_found_by_id_name_or_number(tmp_path):
    entries = [
        {"image_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5, "category_id": 1},
        {"image_id": 3, "bbox": [9, 9, 9, 9], "score": 0.9, "category_id": 18},
        {"file_name": "in/b.png", "bbox": [5, 6, 7, 8]},
    ]
    boxes = read_boxes(write(tmp_path / "boxes.json", entries))
    picture(tmp_path / "a.png")
    (record,) = open_data(write(tmp_path / "set.json", coco_style(COCO.keypoints, {}))).records
    for found in (boxes.of_record(record), boxes.of(Path("000000000003.jpg")), boxes.of(Path("3.png"))):
        np.testing.assert_array_equal(found[0], [[1, 2, 4, 6]])
        assert found[1].tolist() == [0.5]
    assert boxes.of(Path("x/b.png"))[1].tolist() == [1.0] and boxes.of(Path("c.png")) is None


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "skeleton", "pictures", "people", "labelled"),
    [
        ("coco/test_coco.json", COCO, 4, 14, 181),
        ("coco/test_coco_wholebody.json", COCO_WHOLEBODY, 4, 14, 701),
        ("mpii/test_mpii.json", MPII, 5, 5, 76),
        ("aic/test_aic.json", AIC, 3, 9, 101),
        ("crowdpose/test_crowdpose.json", CROWDPOSE, 2, 5, 47),
        ("ochuman/test_ochuman.json", COCO, 3, 5, 73),
        ("posetrack18/annotations/test_posetrack18_val.json", POSETRACK18, 3, 14, 182),
        ("posetrack18/annotations/val", POSETRACK18, 3, 14, 182),
    ],
)
def test_real_samples(path, skeleton, pictures, people, labelled, shared):
    data = open_data(shared / "data/format_samples" / path)
    everybody = [person for record in data.records for person in record.people]
    assert data.skeleton is skeleton and (len(data.records), len(everybody)) == (pictures, people)
    assert sum(int((person.visibility > 0).sum()) for person in everybody) == labelled
    for record in data.records:
        assert record.read().shape[1::-1] == (record.width, record.height)
        points = np.concatenate([person.keypoints[person.visibility > 0] for person in record.people])
        inside = ((points >= 0) & (points <= [record.width, record.height])).all(axis=1)
        assert inside.mean() > 0.9  # PoseTrack labels some heads beyond the picture


@pytest.mark.shared
@pytest.mark.parametrize(
    ("boxes", "data", "count"),
    [
        ("coco/test_coco_det_AP_H_56.json", "coco/test_coco.json", 118),
        ("crowdpose/test_crowdpose_det_AP_40.json", "crowdpose/test_crowdpose.json", None),
        ("posetrack18/annotations/test_posetrack18_human_detections.json", "posetrack18/annotations/val", 278),
    ],
)
def test_real_detections_find_their_pictures(boxes, data, count, shared):
    samples = shared / "data/format_samples"
    file = read_boxes(samples / boxes)
    found = [file.of_record(record) for record in open_data(samples / data).records]
    assert all(each is not None for each in found)
    assert count is None or sum(len(each[0]) for each in found) == count
