"""Windows, scales and mirroring answer as the published test code does, and large pictures as small ones."""

from functools import partial

import numpy as np
import pytest
import torch
from formula import filled, formula_input
from torch import nn

import hrnet
from hrnet.datasets.classes import LIP
from hrnet.engines.graph import write_onnx
from hrnet.engines.onnx_engine import OnnxEngine
from hrnet.engines.torch_engine import TorchEngine
from hrnet.images import MEAN, STD
from hrnet.tasks.segmentation.codec import labels_of
from hrnet.tasks.segmentation.inference import SegmentationInference
from hrnet.tasks.segmentation.network import enlarged


class StandIn:
    """An engine that runs small convolutions on pictures, and remembers their sizes."""

    name, precision, decodes = "torch stand-in", "fp32", False

    def __init__(self, network):
        self.network, self.sizes = network, []

    def run(self, pictures):
        self.sizes.append(pictures.shape[1:3])
        normalised = (pictures.astype(np.float64) / 255 - MEAN) / STD
        with torch.inference_mode():
            outputs = self.network(torch.from_numpy(normalised.astype(np.float32).transpose(0, 3, 1, 2)))
        return tuple(x.numpy() for x in (outputs if isinstance(outputs, tuple) else (outputs,)))


def picture(name, height, width):
    """A picture whose normalised values are those of the formula."""
    values = formula_input(name, (1, 3, height, width)).transpose(0, 2, 3, 1).astype(np.float64)
    return ((values * STD + MEAN) * 255).astype(np.float32)


def inference_of(engine, classes, upsample="bilinear", **testing):
    recipe = hrnet.recipe("segmentation/w48").override(
        {"model.classes": classes, "model.backbone.upsample": upsample}
        | {f"testing.{name}": value for name, value in testing.items()}
    )
    return SegmentationInference(recipe, engine)


CASES = ("base_small_whole", "base_slide", "base_slide_pad", "city", "city_odd")


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_evidence_is_the_published_one(case, flip, reference):
    golden = reference("segmentation_sliding")
    engine = StandIn(filled(nn.Conv2d(3, 4, 3, stride=4, padding=1)))
    height, width = golden[f"{case}/crop_hw"].tolist()
    inference = inference_of(
        *(engine, tuple("abcd")),
        windows="tiled" if case.startswith("city") else "sliding",
        window=(width, height),
        base=int(golden[f"{case}/base_size"]),
        scales=tuple(golden[f"{case}/scales"].tolist()),
        flip=bool(flip),
    )
    found = inference.scores(picture(f"sliding_{case}", *golden[f"{case}/image_hw"]))
    np.testing.assert_allclose(found[:, :, ::2, ::2], golden[f"{case}/flip{flip}/out"], rtol=2e-4)
    np.testing.assert_array_equal(engine.sizes, golden[f"{case}/flip{flip}/calls_hw"])


@pytest.mark.parametrize("flip", [0, 1])
def test_lip_swaps_left_and_right(flip, reference):
    engine = StandIn(filled(nn.Conv2d(3, 20, 3, stride=4, padding=1)))
    inference = inference_of(engine, "lip", resize="stretch", base=0, flip=bool(flip))
    found = inference.evidence(picture("sliding_lip", 24, 20))
    np.testing.assert_allclose(found[:, :, ::2, ::2], reference("segmentation_sliding")[f"lip/flip{flip}"], rtol=2e-4)
    assert LIP.flip_order.tolist()[14:] == [15, 14, 17, 16, 19, 18]


class Two(nn.Module):
    """Two convolutions, as OCR has two outputs."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (nn.Conv2d(3, 4, 3, stride=4, padding=1) for _ in range(2))

    def forward(self, image):
        return self.a(image), self.b(image)


def test_the_other_branch_aligns_corners_and_takes_its_last_output(reference):
    inference = inference_of(
        *(StandIn(filled(Two())), tuple("abcd"), "bilinear_aligned"),
        windows="sliding",
        window=(32, 24),
        base=64,
        scales=(0.5, 1.0, 1.75),
        flip=True,
    )
    found = inference.scores(picture("sliding_ocr", 40, 70))
    np.testing.assert_allclose(found[:, :, ::2, ::2], reference("segmentation_sliding")["ocr/flip1/out"], rtol=2e-4)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("size", [(300, 77), (33, 41), (9, 11), (1, 1)])
def test_labels_band_by_band_are_those_of_the_enlarged_scores(size, aligned):
    scores = torch.randn(2, 5, 9, 11, generator=torch.Generator().manual_seed(0))
    whole = enlarged(scores, size, aligned)
    found = torch.from_numpy(labels_of(scores.numpy(), size, aligned).astype(np.int64))
    chosen = whole.gather(1, found[:, None])[:, 0]
    torch.testing.assert_close(chosen, whole.amax(dim=1), rtol=0, atol=1e-5)


def test_the_first_of_equal_scores_wins():
    assert (labels_of(np.zeros((1, 3, 4, 4), np.float32), (16, 16), False) == 0).all()


class Thresholds:
    """An engine whose class is the brightness of the cell that it looks at."""

    name, precision, decodes = "stand-in", "fp32", False

    def run(self, pictures):
        self.largest = max(getattr(self, "largest", 0), pictures.shape[1] * pictures.shape[2])
        light = pictures[:, ::4, ::4].astype(np.float32).mean(axis=3)
        return (-np.abs(light[:, None] - np.array([0, 128, 255], np.float32)[None, :, None, None]),)


def test_graphs_outside_of_torch_see_resampled_pictures_unrounded(tmp_path):
    network = filled(nn.Conv2d(3, 3, 3, stride=4, padding=1))
    options = {"base": 0, "scales": (0.75, 1.0, 1.25), "flip": True}
    plain = inference_of(TorchEngine(network, "cpu"), tuple("abc"), **options)
    write_onnx(network, (64, 64), tmp_path / "a.onnx", plain.recipe.free)
    exported = inference_of(OnnxEngine(tmp_path / "a.onnx"), tuple("abc"), **options)
    image = np.random.default_rng(0).integers(0, 255, (1, 40, 60, 3), np.uint8)
    np.testing.assert_allclose(exported.scores(image), plain.scores(image), rtol=1e-4)


def test_large_pictures_are_read_in_tiles_of_bounded_size():
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8).repeat(32, axis=0).repeat(32, axis=1)
    engine = Thresholds()
    whole = inference_of(engine, tuple("abc"), base=0, tile=4096)
    (one,) = next(whole.predict([(image, None, None)]))
    assert engine.largest == 40 * 60 * 32**2
    engine = Thresholds()
    tiled = inference_of(engine, tuple("abc"), base=0, tile=512)
    (other,) = next(tiled.predict([(image, None, None)]))
    assert engine.largest == 1024**2
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.labels.shape == image.shape[:2] and set(np.unique(one.labels)) == {0, 1, 2}


def test_pictures_of_different_sizes_keep_their_order():
    inference = inference_of(Thresholds(), tuple("abc"), base=0, batch_size=4)
    sizes = [(40, 60), (40, 60), (33, 20), (40, 60)]
    items = [(partial(np.full, (*size, 3), 60 * k, np.uint8), None, None) for k, size in enumerate(sizes)]
    found = [label_map for (label_map,) in inference.predict(items)]
    assert [each.labels.shape for each in found] == sizes
    assert [int(each.labels[0, 0]) for each in found] == [0, 0, 1, 1]
