"""OKS and its suppression, against the published code's answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.datasets.skeleton import COCO
from hrnet.scoring.oks import oks_nms, pairwise_oks, soft_oks_nms

SIGMAS = np.array(COCO.sigmas)


@pytest.mark.parametrize(
    "name, sigmas, least", [("default", None, None), ("custom", "own", None), ("vis02", None, 0.2), ("vis2", None, 2.0)]
)
def test_oks_is_the_published_codes(name, sigmas, least, reference):
    answers = reference("oks_iou")
    poses = np.concatenate([answers["g"][None], answers["d"]]).reshape(-1, 17, 3)
    areas = np.append(answers["area_g"], answers["area_d"])
    counted = None if least is None else poses[..., 2] > least
    oks = pairwise_oks(poses[..., :2], areas, answers["custom_sigmas"] if sigmas else SIGMAS, counted)
    np.testing.assert_allclose(oks[0, 1:], answers[f"oks_{name}"], rtol=1e-9)


@pytest.mark.parametrize("suppress", [oks_nms, soft_oks_nms])
def test_suppression_keeps_what_the_published_code_keeps(suppress, reference):
    cases = 0
    for scene in reference("oks_nms")["scenes"]:
        poses = np.array(scene["keypoints"])
        for case, kept in scene[suppress.__name__].items():
            options = dict(pair.split("=") for pair in case.split(","))
            least = options.get("in_vis_thre", "None")
            counted = None if least == "None" else poses[..., 2] > float(least)
            sigmas = np.full(17, float(options["custom_sigmas"])) if "custom_sigmas" in options else SIGMAS
            scores, areas = np.array(scene["score"]), np.array(scene["area"])
            assert suppress(poses[..., :2], scores, areas, sigmas, float(options["thresh"]), counted) == kept
            cases += 1
    assert cases >= 60
    nobody = np.zeros((0, 17, 2)), np.zeros(0), np.zeros(0), SIGMAS
    assert suppress(*nobody) == []


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12), threshold=st.floats(0.05, 0.95))
def test_no_two_poses_that_stay_resemble_each_other(seed, count, threshold):
    rng = np.random.default_rng(seed)
    poses = rng.uniform(0, 30, (count, 1, 2)) + rng.uniform(0, 60, (1, 17, 2))
    scores, areas = rng.permutation(count) / count, rng.uniform(500, 5000, count)
    kept = oks_nms(poses, scores, areas, SIGMAS, threshold)
    alike = pairwise_oks(poses, areas, SIGMAS) > threshold
    assert not (alike[np.ix_(kept, kept)] & ~np.eye(len(kept), dtype=bool)).any()
    dropped = set(range(count)) - set(kept)
    assert all(any(alike[i, j] and scores[i] > scores[j] for i in kept) for j in dropped)
