"""Benchmarks measure every engine and every task; what they found is not judged here."""

import pytest
from drawn import TINY

import hrnet
from hrnet.benchmark.network import EAGER, benchmark
from hrnet.benchmark.training import training_step
from hrnet.machine import computes_bf16

pytestmark = pytest.mark.slow


def test_every_engine_is_measured_beside_the_published_way_and_the_machines_limit():
    report = benchmark(TINY, batches=(1, 2))
    ways = {row.way for row in report.rows}
    assert {EAGER, "openvino fp32", "torch fp32"} <= ways and not report.left_out
    assert {(row.way, row.batch) for row in report.rows} == {(way, batch) for way in ways for batch in (1, 2)}
    assert all(row.ratio == 1 for row in report.rows if row.way == EAGER)
    assert ("bf16" in report.peak_gflops) == bool(computes_bf16())


SMALLER = {"model.backbone.width": 8, "model.backbone.modules": (1, 1, 1), "model.backbone.blocks": 1}


@pytest.mark.parametrize("name", ["pose_topdown/small_256x192", "pose_bottomup/small_512", "classification/w18"])
def test_a_training_step_of_every_task_is_measured(name):
    recipe = hrnet.recipe(name).override(SMALLER | {"model.input_size": (64, 64)})
    step = training_step(recipe, batch=2, steps=1)
    assert len(step.seconds) == 2 and min(step.seconds.values()) > 0


@pytest.mark.parametrize("name", ["segmentation/w18_small_v1", "segmentation/w48_lip"])
def test_a_training_step_of_segmentation_is_measured(name):
    sizes = {"model.input_size": (128, 64), "augmentation.long_side": 128, "augmentation.crop": (64, 64)}
    step = training_step(hrnet.recipe(name).override(SMALLER | sizes), batch=2, steps=1)
    assert len(step.seconds) == 2 and min(step.seconds.values()) > 0
