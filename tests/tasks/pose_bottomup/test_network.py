"""With the same weights the networks answer as published, and they cost what was published."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from formula import filled, formula_input

from hrnet.nets.cost import cost
from hrnet.tasks.pose_bottomup.recipes import ae_w32_512, ae_w48_640, higher_w32_512, higher_w40_640, higher_w48_640

REFERENCE = Path(__file__).parents[2] / "reference"
MAPS = {"rtol": 1e-4, "atol": 2e-3}
w32 = higher_w32_512
VARIANTS = {
    "higher_hrnet_w32_ae_both": w32.but(model__tag_maps=(0, 1)),
    "higher_hrnet_w32_512": w32,
    "higher_hrnet_w48_640": higher_w48_640,
    "higher_hrnet_w32_2deconv": w32.but(model__deconvolutions=2),
    "higher_hrnet_w32_nocat": w32.but(model__concatenate=False),
    "higher_hrnet_w32_shared_tag": w32.but(model__tags="shared"),
    "higher_hrnet_w32_kernel3": w32.but(model__deconvolution_kernel=3),
    "higher_hrnet_w32_kernel2_noblocks_final3": w32.but(
        model__deconvolution_kernel=2, model__residual_blocks=0, model__head_kernel=3
    ),
    "hrnet_ae_w32": ae_w32_512,
    "higher_hrnet_w32_crowdpose": w32.but(model__skeleton="crowdpose"),
}


def on_meta(recipe):
    with torch.device("meta"):
        return recipe.model.build()


def stat(values):
    values = values.double()
    return [values.mean().item(), values.std(correction=0).item(), values.min().item(), values.max().item()]


@pytest.mark.parametrize("name", [next(iter(VARIANTS)), *(pytest.param(n, marks=pytest.mark.slow) for n in VARIANTS)])
def test_forward_is_the_published_one(name, reference):
    golden = {k.partition("/")[2]: v for k, v in reference("higher_hrnet").items() if k.partition("/")[0] == name}
    network = filled(on_meta(VARIANTS[name]))
    seen = {}
    taps = sorted({key.split("/")[1] for key in golden if key.startswith("tap/")})
    for tap in taps:
        keep = lambda _, __, output, tap=tap: seen.update({tap: output})  # noqa: E731
        module, _, stream = tap.partition(".") if tap.startswith("stage") else (tap, "", "")
        if not stream:
            network.get_submodule(module).register_forward_hook(keep)
    height, width = 4 * golden["output0/shape"][2:]
    with torch.inference_mode():
        outputs = network(torch.from_numpy(formula_input("image", (1, 3, height, width))))
    for tap, value in seen.items():
        assert tuple(value.shape) == tuple(golden[f"tap/{tap}/shape"])
        np.testing.assert_allclose(stat(value), golden[f"tap/{tap}/stat"], **MAPS, err_msg=tap)
    assert f"output{len(outputs)}/sample" not in golden
    for k, output in enumerate(outputs):
        step = int(golden[f"output{k}/step"])
        assert tuple(output.shape) == tuple(golden[f"output{k}/shape"])
        np.testing.assert_allclose(output[..., ::step, ::step], golden[f"output{k}/sample"], **MAPS)
        np.testing.assert_allclose(stat(output), golden[f"output{k}/stat"], **MAPS)


NETWORKS = {
    "higher_hrnet_w32": w32,
    "higher_hrnet_w40": higher_w40_640,
    "higher_hrnet_w48": higher_w48_640,
    "higher_hrnet_w32_2deconv": w32.but(model__deconvolutions=2),
    "hrnet_ae_w32": ae_w32_512,
    "hrnet_ae_w48": ae_w48_640,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_the_published_ones(name):
    packed = gzip.decompress((REFERENCE / "bottomup_state_dicts.json.gz").read_bytes())
    ours = [[key, list(value.shape)] for key, value in on_meta(NETWORKS[name]).state_dict().items()]
    assert ours == json.loads(packed)[name]


@pytest.mark.parametrize("name", ["higher_hrnet_w32", "higher_hrnet_w48", "higher_hrnet_w32_2deconv", "hrnet_ae_w32"])
def test_cost_is_the_published_one(name):
    """In multiply-adds, counted as published: a transposed convolution at its output's size, four times too much."""
    golden = json.loads((REFERENCE / "complexity_bottomup.json").read_text())["networks"][name]
    network = on_meta(NETWORKS[name])
    for side in (512, 640):
        parameters, multiply_adds = cost(network, (side, side))
        assert parameters == golden["params"]
        assert multiply_adds == golden["multiply_adds_counted"][str(side)]
    published = golden["published"] or {}
    if name != "hrnet_ae_w32":  # whose 38.9 no convention reproduces
        for side in (512, 640):
            if f"gflops_{side}" in published:
                assert round(golden["multiply_adds_counted"][str(side)] / 1e9, 1) == published[f"gflops_{side}"]


def test_what_cannot_be_built_is_refused():
    from hrnet.errors import UsageError

    with pytest.raises(UsageError, match="tag_maps names maps from 0 to 1"):
        w32.but(model__tag_maps=(2,))
    with pytest.raises(UsageError, match="there is no skeleton 'cocoo': did you mean 'coco'"):
        w32.but(model__skeleton="cocoo")
    with pytest.raises(UsageError, match="multiples of 32"):
        w32.but(model__input_size=(500, 512))
