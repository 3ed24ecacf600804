"""Decoding inside the graph is decoding outside of it."""

import numpy as np
import pytest
import torch
from drawn import TINY
from formula import formula_array, formula_input

from hrnet.tasks.pose_topdown.codec import Codec, flip_back
from hrnet.tasks.pose_topdown.decoding import Decoding

GAUSSIAN = TINY.but(codec__kind="gaussian", codec__sigma=2.0, framing__convention="published")


class Given(torch.nn.Module):
    """Answers with maps given beforehand: first those of the picture, then those of its mirror image."""

    def __init__(self, *maps):
        super().__init__()
        self.maps = list(maps)

    def forward(self, image):
        return torch.from_numpy(self.maps.pop(0))


def spread(maps):
    """Maps whose peaks also stand in corners and on edges, and one without a positive value."""
    places = [(0, 0), (15, 15), (0, 7), (7, 15), (1, 1), (2, 2), (14, 13), (13, 14)]
    for k, (y, x) in enumerate(places):
        maps[:, k, y, x] = 9
    maps[:, -1] = -np.abs(maps[:, -1])
    return maps


@pytest.mark.parametrize("recipe", [TINY, GAUSSIAN, GAUSSIAN.but(codec__quarter_shift=False)])
@pytest.mark.parametrize("flip", [False, True])
def test_keypoints_of_the_graph_are_those_of_the_codec(recipe, flip):
    recipe = recipe.but(testing__flip=flip)
    codec, shape = Codec(recipe), (3, 17, 16, 16)
    seen, mirrored = (spread(formula_input(name, shape)) for name in ("seen", "mirrored"))
    maps = codec.activate(seen)
    if flip:
        shift = recipe.framing.convention == "published"
        back = flip_back(codec.activate(mirrored), recipe.model.keypoints.flip_order, shift)
        maps = (maps + back) * np.float32(0.5)
    points, scores = codec.decode(maps)

    found, sure = Decoding(Given(seen, mirrored), recipe)(torch.zeros(3, 3, 64, 64))
    np.testing.assert_allclose(found, points, atol=1e-3)
    np.testing.assert_allclose(sure, scores, rtol=1e-5, atol=1e-6)


def test_the_whole_path_with_decoding_inside_finds_the_same_poses():
    from hrnet.datasets.synthetic import figures
    from hrnet.engines.torch_engine import TorchEngine

    recipe = TINY.but(testing__flip=True)
    network = recipe.model.build()
    network.load_state_dict(
        {name: torch.from_numpy(formula_array(name, tuple(v.shape))) for name, v in network.state_dict().items()}
    )
    items = [(record.image, record.boxes, None) for record in figures(3, size=(48, 64)).records]
    outside = list(recipe.inference(TorchEngine(network, "cpu")).predict(items))
    inside = list(recipe.inference(TorchEngine(Decoding(network, recipe), "cpu", fused=True)).predict(items))
    for (pose,), (expected,) in zip(inside, outside, strict=True):
        np.testing.assert_allclose(pose.keypoints, expected.keypoints, atol=0.02)
        np.testing.assert_allclose(pose.scores, expected.scores, atol=1e-4)
