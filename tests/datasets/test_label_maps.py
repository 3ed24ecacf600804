"""Folders of pictures with labels: every layout is read, and what is wrong is named by file and value."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hrnet.datasets.classes import CAMVID, CITYSCAPES, LIP, PASCAL_CONTEXT_59, PASCAL_CONTEXT_60, own_classes
from hrnet.datasets.label_folders import open_label_maps
from hrnet.errors import HRNetError

ABC = own_classes(("sky", "road", "tree"))


def save(path, values, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8))
    if palette:
        image.putpalette(np.random.default_rng(0).integers(0, 255, 768, np.uint8).tobytes())
    image.save(path)


def picture(path, size=(6, 8)):
    save(path, np.full((*size, 3), 90))


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "val"):
        for k in range(2):
            picture(tmp_path / f"images/{split}/{k}.jpg")
            save(tmp_path / f"labels/{split}/{k}.png", np.full((6, 8), k), palette=k == 1)
    (tmp_path / "classes.txt").write_text("sky\nroad\ntree\n")
    return tmp_path


def test_a_folder_of_ones_own(folder):
    data = open_label_maps(folder, "val", ABC)
    assert [record.name for record in data.records] == ["0.jpg", "1.jpg"] and data.headline == "mIoU"
    image, labels = data.records[1].read_both()
    assert image.shape == (6, 8, 3) and (labels == 1).all()  # the palette's colours are not the labels


def test_pairs_may_be_listed(folder):
    (folder / "train.txt").write_text("images/val/0.jpg\tlabels/val/1.png\n")
    (record,) = open_label_maps(folder, "train", ABC).records
    assert (record.read_labels() == 1).all()
    (again,) = open_label_maps(folder / "train.txt", "train", ABC).records
    assert (again.image, again.label) == (record.image, record.label)


def test_numbers_and_void_come_from_the_class_list(folder):
    (folder / "classes.txt").unlink()
    (folder / "classes.csv").write_text("id,name,r,g,b\n0,Sky,1,2,3\n1,void,0,0,0\n5,road,4,5,6\n7,tree,7,8,9\n")
    data = open_label_maps(folder, "val", ABC)
    assert (data.records[1].read_labels() == 255).all() and (data.records[0].read_labels() == 0).all()


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda f: save(f / "labels/val/0.png", np.eye(6, 8) * 9), ["0.png holds the label 9", "x 0, y 0", "0 to 2"]),
        (lambda f: save(f / "labels/val/0.png", np.zeros((5, 8))), ["0.png is 8 x 5", "0.jpg 8 x 6"]),
        (lambda f: save(f / "labels/val/0.png", np.zeros((6, 8, 3))), ["0.png holds colours", "palette PNG"]),
        (lambda f: (f / "labels/val/0.png").unlink(), ["0.png does not exist", "complete the data set"]),
        (lambda f: (f / "classes.txt").write_text("sky\nroad\n"), ["the 2 classes sky, road", "model.classes=[sky, r"]),
        (lambda f: (f / "classes.txt").write_text("a\nb\na\n"), ["names 'a' twice"]),
        (lambda f: (f / "classes.txt").rename(f / "classes.csv"), ["classes.csv is no class list", "id, name"]),
    ],
)
def test_faults_are_named(folder, spoil, words):
    spoil(folder)
    with pytest.raises(HRNetError) as refusal:
        for record in open_label_maps(folder, "val", ABC).records:
            record.read_both()
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_a_folder_without_labels_is_told_what_is_expected(tmp_path):
    picture(tmp_path / "0.jpg")
    with pytest.raises(HRNetError, match="no known data set: expected images/ and labels/"):
        open_label_maps(tmp_path, "val", ABC)
    with pytest.raises(HRNetError, match="does not exist"):
        open_label_maps(tmp_path / "nowhere", "val", ABC)


@pytest.mark.shared
def test_camvid_as_it_lies(shared):
    counts = [len(open_label_maps(shared / "data/camvid", split, CAMVID).records) for split in ("train", "val", "test")]
    assert counts == [367, 101, 233]
    image, labels = open_label_maps(shared / "data/camvid", "val", CAMVID).records[0].read_both()
    assert image.shape == (360, 480, 3) and set(np.unique(labels)) <= {*range(11), 255}


@pytest.mark.shared
def test_published_lists_name_files_below_their_root(shared, tmp_path):
    source = shared / "data/format_samples/segmentation_lists/cityscapes_val.lst"
    first = source.read_text().splitlines()[0].split()
    for path in first:
        picture(tmp_path / path)
    save(tmp_path / first[1], np.full((6, 8), 26))
    (tmp_path / "val.lst").write_text("\t".join(first) + "\n")
    (record,) = open_label_maps(tmp_path / "val.lst", "val", CITYSCAPES).records
    assert (record.read_labels() == 13).all()


def test_cityscapes_as_it_unpacks(tmp_path):
    for part in ("train", "val"):
        stem = f"{part}/aachen/aachen_000000_000019"
        picture(tmp_path / f"leftImg8bit/{stem}_leftImg8bit.png")
        save(tmp_path / f"gtFine/{stem}_gtFine_labelIds.png", np.full((6, 8), 33))
    save(tmp_path / "gtFine/val/aachen/aachen_000000_000019_gtFine_instanceIds.png", np.full((6, 8), 7))
    (record,) = open_label_maps(tmp_path, "val", CITYSCAPES).records
    assert (record.read_labels() == 18).all() and record.instances is not None
    assert len(open_label_maps(tmp_path, "trainval", CITYSCAPES).records) == 2
    with pytest.raises(HRNetError, match="no pictures with labels in its part 'test'"):
        open_label_maps(tmp_path, "test", CITYSCAPES)


@pytest.mark.parametrize(
    "classes, expected", [(PASCAL_CONTEXT_60, [0, 1, 2, 0]), (PASCAL_CONTEXT_59, [255, 0, 1, 255])]
)
def test_pascal_context_as_pngs_and_in_the_original(classes, expected, tmp_path):
    """Background, aeroplane, bag, and accordion, which is none of the 59."""
    picture(tmp_path / "JPEGImages/2008_000002.jpg", (1, 4))
    (tmp_path / "ImageSets/SegmentationContext").mkdir(parents=True)
    (tmp_path / "ImageSets/SegmentationContext/val.txt").write_text("2008_000002\n")
    (tmp_path / "trainval").mkdir()
    savemat(tmp_path / "trainval/2008_000002.mat", {"LabelMap": np.array([[0, 2, 9, 1]], np.uint16)})
    (record,) = open_label_maps(tmp_path, "val", classes).records
    assert record.read_labels().tolist() == [expected]
    save(tmp_path / "SegmentationClassContext/2008_000002.png", [[0, 1, 2, 0]])
    (record,) = open_label_maps(tmp_path, "val", classes).records
    assert record.read_labels().tolist() == [expected]


@pytest.mark.parametrize("folder", ["TrainVal_{}", "TrainVal_{0}/TrainVal_{0}"])
def test_lip_as_it_unpacks(folder, tmp_path):
    picture(tmp_path / folder.format("images") / "val_images/100034_483681.jpg")
    save(tmp_path / folder.format("parsing_annotations") / "val_segmentations/100034_483681.png", np.full((6, 8), 19))
    (record,) = open_label_maps(tmp_path, "val", LIP).records
    assert (record.read_labels() == 19).all()


def test_camvid_as_segnet_arranges_it(tmp_path):
    for part in ("train", "val"):
        picture(tmp_path / f"{part}/0001TP_006690.png")
        save(tmp_path / f"{part}annot/0001TP_006690.png", np.full((6, 8), 11))
    (record,) = open_label_maps(tmp_path, "train", CAMVID).records
    assert (record.read_labels() == 255).all()
