"""Drawn figures: the truth that comes with them is what is to be seen in them."""

import numpy as np
import pytest

from hrnet.datasets import synthetic
from hrnet.datasets.records import PoseData
from hrnet.datasets.skeleton import COCO
from hrnet.datasets.synthetic import figures
from hrnet.errors import HRNetError


@pytest.fixture(scope="module")
def drawn() -> PoseData:
    return figures(60)


def test_a_figure_depends_on_its_seed_and_number_only(drawn: PoseData) -> None:
    for few, many in zip(figures(5).records, drawn.records, strict=False):
        assert few.id == many.id
        np.testing.assert_array_equal(few.read(), many.read())
        np.testing.assert_array_equal(few.people[0].keypoints, many.people[0].keypoints)


def test_no_two_figures_are_the_same(drawn: PoseData) -> None:
    records = (*drawn.records, *figures(20, seed=1).records)
    assert len({record.read().tobytes() for record in records}) == len({record.id for record in records}) == 80


@pytest.mark.parametrize("size", [(120, 160), (64, 48), (32, 32)])
def test_pictures_have_the_size_asked_for_and_hold_the_whole_person(size: tuple[int, int]) -> None:
    for record in figures(20, size=size).records:
        assert (record.width, record.height) == size
        assert record.read().shape == (size[1], size[0], 3)
        assert record.read().dtype == np.uint8
        (person,) = record.people
        assert (person.keypoints >= 0).all()
        assert (person.keypoints <= np.array(size) - 1).all()


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(HRNetError, match="at least"):
        figures(1, size=(120, 20))


def test_boxes_and_areas_follow_from_the_figure(drawn: PoseData) -> None:
    for (person,) in (record.people for record in drawn.records):
        labelled = person.keypoints[person.visibility > 0]
        np.testing.assert_array_equal(person.box, [*labelled.min(0), *labelled.max(0)])
        width, height = person.box[2:] - person.box[:2]
        assert 0.2 * width * height < person.area < 1.2 * width * height


def test_every_visibility_occurs_and_only_faces_seen_from_behind_are_unlabelled(drawn: PoseData) -> None:
    visibility = np.array([record.people[0].visibility for record in drawn.records])
    assert set(np.unique(visibility)) == {0, 1, 2}
    assert (visibility[:, 5:] > 0).all()
    behind = visibility[:, 0] == 0
    assert 0.2 < behind.mean() < 0.6
    assert (visibility[behind, :5] == 0).all()
    assert (visibility[~behind, :5] > 0).all()


def test_left_is_on_the_right_of_the_picture_unless_seen_from_behind(drawn: PoseData) -> None:
    for (person,) in (record.people for record in drawn.records):
        pairs = [(COCO.index(f"left_{part}"), COCO.index(f"right_{part}")) for part in ("shoulder", "hip")]
        facing = 1 if person.visibility[0] else -1
        assert all(facing * (person.keypoints[left, 0] - person.keypoints[right, 0]) > 0 for left, right in pairs)


def test_joints_lie_on_the_figure_and_its_area_counts_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def before(background: int) -> PoseData:
        monkeypatch.setattr(
            synthetic, "_scene", lambda rng, width, height: np.full((height, width, 3), background, np.uint8)
        )
        return figures(30)

    for black, white in zip(before(0).records, before(255).records, strict=True):
        solid = (black.read() == white.read()).all(-1)  # whatever does not let the background through
        (person,) = black.people
        x, y = np.round(person.keypoints[person.visibility > 0]).astype(int).T
        assert solid[y, x].all()
        showing = np.abs(white.read().astype(int) - black.read()).max(-1) / 255
        assert person.area == pytest.approx((1 - showing).sum(), rel=0.15)


def test_eyes_are_drawn_where_the_truth_says() -> None:
    offsets = []
    reach = np.arange(-4, 5)
    for record in figures(40, size=(240, 320)).records:
        (person,) = record.people
        for eye, ear in ((1, 3), (2, 4)):
            if (person.visibility[[eye, ear]] < 2).any():  # the far eye of a turned head may touch the hair
                continue
            x, y = person.keypoints[eye]
            rows, columns = round(y) + reach[:, None], round(x) + reach
            patch = record.read()[rows, columns].mean(-1)
            darkness = np.clip((patch.min() + np.median(patch)) / 2 - patch, 0, None)
            offsets.append([(darkness * at).sum() / darkness.sum() for at in (columns - x, rows - y)])
    assert len(offsets) > 20
    np.testing.assert_allclose(np.median(offsets, axis=0), 0, atol=0.1)
    assert np.median(np.abs(offsets)) < 0.15
