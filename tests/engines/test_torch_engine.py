"""Every way in which torch runs a network answers as the network itself."""

import numpy as np
import pytest
import torch
from drawn import TINY
from formula import filled

from hrnet.datasets.synthetic import figures
from hrnet.engines.torch_engine import Graphs, TorchEngine
from hrnet.images import normalised

PICTURES = np.stack([record.image for record in figures(3, size=(64, 64)).records])


@pytest.fixture(scope="module")
def network():
    return filled(TINY.model.build())


@pytest.fixture(scope="module")
def maps(network):
    with torch.inference_mode():
        return network(torch.from_numpy(np.stack([normalised(picture) for picture in PICTURES]))).numpy()


def test_pictures_are_normalised_inside_bit_for_bit(network, maps):
    (found,) = TorchEngine(network, "cpu").run(PICTURES)
    with torch.inference_mode():
        batch = torch.from_numpy(np.stack([normalised(picture) for picture in PICTURES]))
        expected = network(batch.contiguous(memory_format=torch.channels_last)).numpy()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, maps, rtol=1e-4, atol=1e-4)


def test_pictures_may_come_as_floats_and_mirrored_views(network):
    engine = TorchEngine(network, "cpu")
    np.testing.assert_array_equal(engine.run(PICTURES.astype(np.float32))[0], engine.run(PICTURES)[0])
    np.testing.assert_array_equal(engine.run(PICTURES[:, :, ::-1])[0], engine.run(PICTURES[:, :, ::-1].copy())[0])


@pytest.mark.parametrize("precision, fused, off", [("fp32", True, 1e-5), ("bf16", False, 0.03), ("bf16", True, 0.03)])
def test_fused_and_shortened_networks_stay_close_and_leave_the_original_alone(network, maps, precision, fused, off):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    (found,) = TorchEngine(network, "cpu", precision, fused=fused).run(PICTURES)
    assert found.dtype == np.float32
    assert 0 <= np.abs(found - maps).mean() / np.abs(maps).mean() < off
    for name, value in network.state_dict().items():
        assert value.dtype == before[name].dtype and torch.equal(value, before[name])


def test_every_output_comes_out_in_order():
    class Several(torch.nn.Module):
        def forward(self, image):
            return [image[:, :1], image[:, 1:].mean(dim=(2, 3))]

    first, second = TorchEngine(Several(), "cpu").run(PICTURES)
    assert first.shape == (3, 1, 64, 64) and second.shape == (3, 2)


def test_a_batch_norm_that_is_used_twice_is_not_folded_twice(network):
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, image):
            return self.network(image) + self.network(image.flip(3))

    with pytest.warns(UserWarning, match="used twice"):
        engine = TorchEngine(Twice(), "cpu", fused=True)
    np.testing.assert_allclose(engine.run(PICTURES)[0], TorchEngine(Twice(), "cpu").run(PICTURES)[0], rtol=1e-4)


class Replayed:
    """What stands for a CUDA graph where there is no device: a shape's own place for pictures, run when replayed."""

    def __init__(self, network, pictures):
        self.network, self.pictures, self.graph = network, pictures, self

    def replay(self):
        self.outputs = self.network(self.pictures)


def test_graphs_are_kept_for_shapes_that_come_again(monkeypatch):
    recorded = []

    def record(self, pictures):
        recorded.append(tuple(pictures.shape))
        return Replayed(self.network, pictures)

    monkeypatch.setattr(Graphs, "record", record)
    monkeypatch.setattr("hrnet.engines.torch_engine.MOST_GRAPHS", 2)
    graphs = Graphs(lambda pictures: (2 * pictures,), torch.device("cpu"))
    for count, side in ((3, 4), (4, 4), (1, 4), (1, 4), (2, 5), (3, 4), (2, 5), (4, 4), (1, 4)):
        batch = torch.randint(0, 100, (count, side, side, 3))
        torch.testing.assert_close(graphs(batch)[0], 2 * batch)
    # A batch of 3 is filled up to 4; that graph was used after the one for 1, which made room for (2, 5, 5, 3).
    assert recorded == [(4, 4, 4, 3), (1, 4, 4, 3), (2, 5, 5, 3), (1, 4, 4, 3)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision, off", [("fp16", 0.01), ("bf16", 0.05)])
def test_cuda_graphs_answer_as_the_network(network, maps, precision, off):
    engine = TorchEngine(network, "cuda", precision, fused=True, graphs=True)
    for count in (3, 3, 2, 1, 1, 3):  # as they come, recorded, replayed, and filled up
        (found,) = engine.run(PICTURES[:count])
        assert np.abs(found - maps[:count]).mean() / np.abs(maps[:count]).mean() < off
