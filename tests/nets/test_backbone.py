"""The backbone carries the published names, counts and numbers, and every variant of the papers' ablations runs."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from formula import filled, formula_input
from torch import nn

from hrnet.nets.backbone import HighResolutionNet
from hrnet.nets.spec import SMALL_V1, SMALL_V2, BackboneSpec
from hrnet.tasks.pose_topdown.settings import PoseModel

TINY = BackboneSpec(width=4, stage1_blocks=1, stage1_planes=4, modules=(1, 2, 2), blocks=1)


def bare(network, *args):
    """The network without memory for its numbers."""
    with torch.device("meta"):
        return network(*args)


def entries(network: nn.Module) -> list[list]:
    return [[name, list(value.shape)] for name, value in network.state_dict().items()]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("skeleton, keypoints", [("coco", 17), ("mpii", 16)])
@pytest.mark.parametrize("width", [32, 48])
def test_pose_entries_are_the_published_ones(width, skeleton, keypoints):
    packed = Path(__file__).parents[1] / "reference" / "pose_state_dicts.json.gz"
    published = json.loads(gzip.decompress(packed.read_bytes()))[f"w{width}_{keypoints}"]
    network = bare(PoseModel(backbone=BackboneSpec(width=width), skeleton=skeleton).build)
    assert entries(network) == published


LISTS = {
    **{f"cls_hrnet_w{width}": BackboneSpec(width=width) for width in (18, 30, 32, 40, 44, 48, 64)},
    "cls_hrnet_w18_small_v1": SMALL_V1,
    "cls_hrnet_w18_small_v2": SMALL_V2,
    "seg_hrnet_w18_small_v1": SMALL_V1,
    "seg_hrnet_w48_ocr": BackboneSpec(width=48),
    **{f"face_hrnet_w18_{data}": BackboneSpec(width=18) for data in ("wflw", "300w", "cofw", "aflw")},
}


@pytest.mark.shared
@pytest.mark.parametrize("name", LISTS)
def test_backbone_entries_are_the_published_ones(name, shared):
    path = shared / "golden" / "state_dicts" / f"{name}.json"
    network = bare(HighResolutionNet, LISTS[name].but(outputs=4))
    parts = {part for part, _ in network.named_children()}
    published = [entry for entry in json.loads(path.read_text()) if entry[0].partition(".")[0] in parts]
    assert entries(network) == published


@pytest.mark.parametrize(
    "spec, four_outputs, one_output",
    [
        (BackboneSpec(width=18), 9_562_260, 9_317_892),
        (BackboneSpec(width=30), 25_812_276, 25_135_356),
        (BackboneSpec(width=32), 29_305_536, 28_535_552),
        (BackboneSpec(width=40), 45_521_216, 44_319_056),
        (BackboneSpec(width=44), 54_974_640, 53_520_440),
        (BackboneSpec(width=48), 65_325_120, 63_594_912),
        (BackboneSpec(width=64), 115_697_600, 112_623_680),
        (SMALL_V1, 1_477_920, None),
        (SMALL_V2, 3_860_720, None),
    ],
    ids=["w18", "w30", "w32", "w40", "w44", "w48", "w64", "small_v1", "small_v2"],
)
def test_parameter_counts(spec, four_outputs, one_output):
    assert count(bare(HighResolutionNet, spec.but(outputs=4))) == four_outputs
    if one_output:
        assert count(bare(HighResolutionNet, spec)) == one_output


@pytest.mark.parametrize(
    "change, stream, parameters",
    [
        ({}, 0, 28_536_113),
        ({"width": 48}, 0, 63_595_745),
        ({"exchange": "final"}, 0, 26_332_273),
        ({"exchange": "across_stages"}, 0, 26_506_481),
        ({"exchange": "final", "width": 48}, 0, 58_644_929),
        ({"exchange": "across_stages", "width": 48}, 0, 59_036_033),
        ({}, 3, 29_305_536 + 17 * 256 + 17),
    ],
)
def test_parameter_counts_of_pose_ablations(change, stream, parameters):
    assert count(bare(PoseModel(backbone=BackboneSpec(**change), stream=stream).build)) == parameters


@pytest.mark.parametrize("width, millions", [(20, 24.57), (22, 29.20), (24, 34.28), (28, 45.72)])
def test_parameter_counts_with_four_streams_from_the_start(width, millions):
    network = bare(PoseModel(backbone=BackboneSpec(width=width, streams="from_start")).build)
    assert count(network) == pytest.approx(millions * 1e6, abs=5e3)


def test_bottleneck_width_is_what_the_blocks_put_out():
    """TPAMI table 15, HRNet-W44-C: 21.931M with a classification head as large as that of the basic-block W44."""
    spec = BackboneSpec(width=44, block="bottleneck", outputs=4)
    network = bare(HighResolutionNet, spec)
    blocks = [branch[0] for branch in network.stage4[0].branches]
    assert [block.conv1.out_channels for block in blocks] == [11, 22, 44, 88]
    assert [block.conv3.out_channels for block in blocks] == [44, 88, 176, 352]
    head = 67_064_984 - 54_974_640
    assert count(network) + head == pytest.approx(21.931e6, abs=5e2)


@pytest.mark.parametrize("init", ["normal", "kaiming"])
def test_starting_weights_are_the_published_ones(init):
    torch.manual_seed(0)
    network = PoseModel(backbone=TINY.but(width=32, init=init, momentum=0.01)).build()
    for name, layer in network.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all() and (layer.bias == 0).all() and layer.momentum == 0.01
        elif isinstance(layer, nn.Conv2d):
            kaiming = init == "kaiming" and name != "final_layer"
            deviation = (2 / (layer.out_channels * layer.kernel_size[0] ** 2)) ** 0.5 if kaiming else 0.001
            assert layer.weight.std().item() == pytest.approx(deviation, rel=0.2), name
            assert layer.bias is None or (layer.bias == 0).all()


VARIANTS = [
    {},
    {"exchange": "across_stages"},
    {"exchange": "final"},
    {"downsample": "bilinear"},
    {"combine": "product"},
    {"streams": "from_start"},
    {"streams": "high_resolution"},
    {"upsample": "bilinear"},
    {"upsample": "bilinear_aligned"},
    {"block": "bottleneck"},
    {"outputs": 2},
    {"outputs": 3},
    {"outputs": 4},
    {"streams": "from_start", "outputs": 4},
    {"exchange": "final", "outputs": 4},
]


@pytest.mark.parametrize("change", VARIANTS, ids=lambda change: "-".join(map(str, change.values())) or "base")
def test_every_variant_answers_and_every_parameter_learns(change):
    spec = TINY.override(change)
    network = HighResolutionNet(spec.but(init="kaiming"))
    maps = network(torch.randn(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (2, c, 16 >> r, 24 >> r) for r, c in enumerate(spec.channels(stage=4)[: spec.outputs])
    ]
    sum(m.square().mean() for m in maps).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("upsample", ["bilinear", "bilinear_aligned"])
@pytest.mark.parametrize("downsample", ["strided", "bilinear"])
def test_bilinear_exchange_takes_any_size(upsample, downsample):
    network = HighResolutionNet(TINY.but(upsample=upsample, downsample=downsample, outputs=4)).eval()
    maps = network(torch.randn(1, 3, 72, 56))
    assert [tuple(m.shape[2:]) for m in maps] == [(18, 14), (9, 7), (5, 4), (3, 2)]


@pytest.mark.parametrize(
    "file, spec, size",
    [
        ("cls_hrnet_w18_small_v1", SMALL_V1, (128, 128)),
        ("seg_hrnet_w18_small_v1", SMALL_V1.but(upsample="bilinear"), (128, 256)),
        ("seg_hrnet_w18_small_v1", SMALL_V1.but(upsample="bilinear"), (97, 161)),
        pytest.param(
            *("seg_hrnet_w48_ocr", BackboneSpec(width=48, upsample="bilinear_aligned"), (128, 256)),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["nearest", "bilinear", "bilinear-odd", "bilinear_aligned"],
)
def test_streams_of_every_stage_are_the_published_ones(file, spec, size, reference):
    network = filled(bare(HighResolutionNet, spec.but(outputs=4)))
    seen = {}
    for stage in ("stage2", "stage3", "stage4"):
        network.get_submodule(stage).register_forward_hook(lambda _, __, maps, s=stage: seen.update({s: maps}))
    with torch.inference_mode():
        network(torch.from_numpy(formula_input("image", (1, 3, *size))))

    published, prefix = reference("backbones"), f"{file}/{size[0]}x{size[1]}"
    for stage, maps in seen.items():
        for r, map_ in enumerate(maps):
            where = f"{stage}.out{r}"
            rows, columns, *channels = published[f"{prefix}/index/{where}"]
            sample = map_[:, channels, ::rows, ::columns].numpy()
            np.testing.assert_allclose(
                sample, published[f"{prefix}/sample/{where}"], rtol=1e-4, atol=1e-4, err_msg=where
            )
            whole = map_.double()
            stat = [f(whole).item() for f in (torch.mean, lambda x: x.std(correction=0), torch.min, torch.max)]
            np.testing.assert_allclose(stat, published[f"{prefix}/stat/{where}"], rtol=1e-4, atol=1e-6, err_msg=where)
