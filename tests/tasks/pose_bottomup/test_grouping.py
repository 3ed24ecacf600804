"""People come out of heatmaps and tags exactly as from the published code, ties and order included."""

import json

import numpy as np
import pytest
from formula import formula_input
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from hrnet.tasks.pose_bottomup.assignment import assign
from hrnet.tasks.pose_bottomup.grouping import Peaks, adjust, find_peaks, group, match, partners, refined, tags_at
from hrnet.tasks.pose_bottomup.refinement import strongest
from hrnet.tasks.pose_bottomup.settings import Testing as Settings


def test_assignment_takes_the_same_of_several_optima(reference):
    golden = reference("munkres_assignment")
    names = [name.removesuffix("/cost") for name in golden if name.endswith("/cost")]
    assert len(names) == 28
    for name in names:
        pairs = np.array(assign(golden[f"{name}/cost"])).reshape(-1, 2)
        np.testing.assert_array_equal(pairs, golden[f"{name}/pairs"], err_msg=name)


class Scene:
    """One golden scene: its maps, settings, and what the published code made of them."""

    def __init__(self, number, reference):
        self.golden = {
            key.partition("/")[2]: value
            for key, value in reference("bottomup_parse").items()
            if key.startswith(f"{number:02d}/")
        }
        self.settings = s = json.loads(str(self.golden["settings"]))
        if number == 22:
            self.heatmaps = np.float32(0.35 * abs(formula_input("scene.noise.heatmap", (17, 48, 64))))
            self.tags = np.float32(2.0 * formula_input("scene.noise.tag", (17, 48, 64, 2)))
        elif number == 23:
            self.heatmaps = np.float32(0.12 * abs(formula_input("scene.faint.heatmap", (17, 48, 64))) ** 2)
            self.tags = formula_input("scene.faint.tag", (17, 48, 64, 1))
        else:
            size = (s["height"], s["width"])
            self.heatmaps = self.filled("heatmap", (s["num_joints"], *size))
            tags = self.filled("tag", (s["tag_channels"], *size, s["tag_dim"]))
            self.tags = np.broadcast_to(tags, (s["num_joints"], *tags.shape[1:]))
        self.testing = Settings(
            nms_kernel=s["nms_kernel"],
            max_people=s["max_num_people"],
            detection_threshold=s["detection_threshold"],
            tag_threshold=s["tag_threshold"],
            use_value=s["use_detection_val"],
            ignore_too_many=s["ignore_too_much"],
        )

    def filled(self, name, shape):
        maps = np.full(shape, self.settings[f"{name}_background"], np.float32)
        maps.reshape(-1)[self.golden[f"{name}_index"]] = self.golden[f"{name}_value"]
        return maps

    def top(self):
        """The published top lists, as peaks."""
        g, threshold = self.golden, self.testing.detection_threshold
        for value, cell, tag in zip(g["top_value"], g["top_location"], g["top_tag"], strict=True):
            kept = value.astype(np.float64) > threshold
            yield Peaks(cell[kept].astype(int), value[kept], tag[kept])


@pytest.mark.parametrize("number", range(24))
def test_people_are_the_published_ones(number, reference):
    scene = Scene(number, reference)
    testing, golden = scene.testing, scene.golden
    published = list(scene.top())
    for joint, peaks in enumerate(published):
        cells, values = find_peaks(scene.heatmaps[joint], testing.nms_kernel, testing.max_people, 0.1)
        values = values[values.astype(np.float64) > testing.detection_threshold]
        np.testing.assert_array_equal(values, peaks.values)
        ours = {(*cell, value) for cell, value in zip(cells.tolist(), values, strict=False)}
        theirs = {(*cell, value) for cell, value in zip(peaks.cells.tolist(), peaks.values, strict=True)}
        # Where more equal peaks than places are left, which ones stay is open.
        assert ours == theirs or (number in (2, 4) and len(ours) == len(theirs))

    people = match(published, testing)
    empty = golden["matched"].size == 0
    if empty:
        assert len(people) == 0
        return
    np.testing.assert_array_equal(people, golden["matched"])
    np.testing.assert_allclose(people[:, :, 2].mean(axis=1), golden["score"], rtol=1e-6)
    if scene.settings["adjust"]:
        adjust(people, scene.heatmaps)
        np.testing.assert_array_equal(people, golden["adjusted"])
    if scene.settings["refine"]:
        people = refined(people, scene.heatmaps, scene.tags)
    np.testing.assert_allclose(people, golden["final"], atol=1e-5)


def full_search(heatmap, tags, wanted):
    """The published search, over every cell."""
    return np.array([np.argmax(heatmap - np.round(np.sqrt(((tags - tag) ** 2).sum(axis=2)))) for tag in wanted])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([0, 2, 5]),
    spread=st.sampled_from([0.0, 0.3, 3.0, 40.0]),
    shift=st.sampled_from([-1.0, 0.0, 0.7]),
)
def test_the_search_finds_the_same_cells_as_looking_everywhere(seed, levels, spread, shift):
    draws = np.random.default_rng(seed)
    dimensions = int(draws.integers(1, 3))
    heatmap = draws.normal(0, 0.3, (50, 60)).astype(np.float32) + np.float32(shift)
    tags = (spread * draws.normal(0, 1, (50, 60, dimensions)) * (draws.random((50, 60, 1)) < 0.5)).astype(np.float32)
    if levels:  # ties everywhere
        heatmap, tags = np.round(heatmap * levels) / levels, np.round(tags * levels) / levels
    heatmap, tags = heatmap.astype(np.float32), tags.astype(np.float32)
    wanted = (2 * spread * draws.normal(0, 1, (12, dimensions))).astype(np.float32)
    peaks = draws.integers(0, heatmap.size, int(draws.integers(0, 4)))
    np.testing.assert_array_equal(strongest(heatmap, tags, wanted, peaks), full_search(heatmap, tags, wanted))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_assignments_cost_least(seed, rows, columns):
    cost = np.random.default_rng(seed).integers(0, 4, (rows, columns)) * 100.0
    pairs = assign(cost)
    assert len(pairs) == min(rows, columns) and len({c for _, c in pairs}) == len(pairs)
    assert sum(cost[r, c] for r, c in pairs) == cost[linear_sum_assignment(cost)].sum()


def test_a_peak_without_a_group_of_its_own_does_not_push_others_out():
    """Groups at tags 0 and 3, peaks at -3 and 0: rounded totals are equal both ways, and gated ones are not."""
    distances = np.array([[3.0, 6.0], [0.0, 3.0]])
    assert dict(partners(distances, np.ones(2, np.float32), distances < 1, Settings(grouping="gated")))[1] == 0


def test_a_group_that_no_peak_fits_takes_none_from_another():
    """Group 0 fits neither peak, group 1 both: it gets the higher one."""
    distances = np.array([[9.0, 0.1], [9.0, 0.1]])
    for grouping in ("gated", "near"):
        pairs = dict(partners(distances, np.float32([0.4, 0.9]), distances < 1, Settings(grouping=grouping)))
        assert pairs[1] == 1, grouping


def two_with_the_same_tag():
    """Two people, 17 joints in a column each, at x = 20 and 100, the higher peaks in turns; all tags much alike."""
    heatmaps = np.zeros((17, 64, 128), np.float32)
    tags = np.random.default_rng(0).uniform(0, 0.01, (17, 64, 128, 2)).astype(np.float32)
    for joint in range(17):
        for k, x in enumerate((20, 100)):
            heatmaps[joint, 4 + 3 * joint, x] = 0.9 if (joint + k) % 2 else 0.6
    return heatmaps, tags


def test_near_joints_make_people_where_tags_do_not():
    heatmaps, tags = two_with_the_same_tag()
    near = Settings(grouping="near", reach=0.3, adjust=False)
    people, _ = group(heatmaps, tags, near)
    assert sorted({tuple(np.unique(person[:, 0])) for person in people}) == [(20,), (100,)]
    assert any(len(np.unique(person[:, 0])) > 1 for person in group(heatmaps, tags, near.but(grouping="fast"))[0])


def test_a_second_choice_nearby_opens_nobody_and_missing_joints_are_looked_for_nearby():
    heatmaps, tags = two_with_the_same_tag()
    heatmaps[:, :, 90:] = 0
    heatmaps[5, 4 + 3 * 5, 26] = 0.5  # another left shoulder
    heatmaps[9] = 0
    heatmaps[9, 30, 120], heatmaps[9, 31, 22] = 0.05, 0.02  # left wrists that are too faint for a peak
    testing = Settings(grouping="near", reach=0.3, adjust=False)
    (person,), _ = group(heatmaps, tags, testing)
    assert person[5, 0] == 20 and (person[9, :2] // 1).tolist() == [22, 31]
    others = group(heatmaps, tags, testing.but(grouping="fast"))[0]
    assert len(others) == 2 and (others[0][9, :2] // 1).tolist() == [120, 30]


def test_hopeless_maps_end():
    testing = Settings()
    nothing = np.zeros((17, 20, 20), np.float32), np.zeros((17, 20, 20, 2), np.float32)
    assert len(group(*nothing, testing)[0]) == 0
    same = np.ones((17, 20, 20), np.float32), np.zeros((17, 20, 20, 2), np.float32)
    people, scores = group(*same, testing)  # plateaus of equal peaks, all tags equal: they are one person
    assert len(people) == 1 and scores[0] == pytest.approx(1)


def test_peaks_and_their_tags_are_the_published_ones(reference):
    golden = reference("bottomup_nms_topk")
    for case in json.loads(str(golden["settings"])):
        name = case["name"]
        heatmaps = formula_input(f"topk.{name}.heatmap", tuple(case["heatmap_shape"]))
        tags = formula_input(f"topk.{name}.tag", tuple(case["tag_shape"]))
        if case["rounded_to_half"]:
            heatmaps = (np.round(2 * heatmaps) / 2).astype(np.float32)
        for n, j in np.ndindex(*heatmaps.shape[:2]):
            cells, values = find_peaks(heatmaps[n, j], case["nms_kernel"], case["k"], 0.0)
            tag = tags_at(tags[n, j if tags.shape[1] > 1 else 0], cells, heatmaps.shape[2:])
            published = golden[f"{name}/val_k"][n, j]
            above = published > 0  # the rest are cells that are no peaks, set to 0
            np.testing.assert_array_equal(values, published[above])
            if name != "plateau":  # where equal values may come in another order
                np.testing.assert_array_equal(cells, golden[f"{name}/loc_k"][n, j][above])
                np.testing.assert_array_equal(tag, golden[f"{name}/tag_k"][n, j][above])
