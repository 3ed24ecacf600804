"""Targets are the published ones: bells, their clipping and rounding, and the places of tags."""

import numpy as np
import pytest
import torch

from hrnet.tasks.pose_bottomup.codec import heatmap_targets, tag_places


def sparse(golden, name, size):
    """The stored cells of a (17, size, size) heatmap."""
    heatmap = np.zeros(17 * size * size, np.float32)
    heatmap[golden[f"{name}/index"]] = golden[f"{name}/value"]
    return heatmap.reshape(17, size, size)


def four_columns(joints, sigma):
    return torch.from_numpy(np.concatenate([joints, np.full((*joints.shape[:2], 1), sigma)], axis=2))[None]


def cases(golden, kind):
    return sorted({name.rpartition("/")[0] for name in golden if name.startswith(kind)})


def test_heatmaps_and_tag_places_are_the_published_ones(reference):
    golden = reference("bottomup_targets")
    names = cases(golden, "fixed/")
    assert len(names) >= 6
    for name in names:
        size = int(name.split("_")[1])
        joints = four_columns(golden[f"{name}/joints"], golden[f"{name}/sigma_used"])
        heatmaps = heatmap_targets(joints, (size, size))[0].numpy()
        np.testing.assert_allclose(heatmaps, sparse(golden, name, size), atol=1e-6, err_msg=name)
        for shared, key in ((False, "tagindex_per_joint"), (True, "tagindex_shared")):
            places, taught = (each[0].numpy() for each in tag_places(joints, (size, size), shared))
            for person, table in enumerate(golden[f"{name}/{key}"]):
                published = table[table[:, 1] == 1, 0]
                np.testing.assert_array_equal(places[person][taught[person]], published)


def test_each_person_may_have_its_own_sigma(reference):
    golden = reference("bottomup_targets")
    for name in cases(golden, "scale_aware/"):
        size = int(name.split("/")[1].split("_")[0])
        joints = torch.from_numpy(golden[f"{name}/joints"])[None].double()
        heatmaps = heatmap_targets(joints, (size, size))[0].numpy()
        np.testing.assert_allclose(heatmaps, sparse(golden, name, size), atol=1e-6, err_msg=name)


@pytest.mark.parametrize("people", [0, 3])
def test_pictures_without_labelled_joints_have_empty_targets(people):
    joints = torch.zeros(2, people, 17, 4)
    assert not heatmap_targets(joints, (20, 12)).any()
    assert heatmap_targets(joints, (20, 12)).shape == (2, 17, 12, 20)
    assert not tag_places(joints, (20, 12), shared=False)[1].any()
