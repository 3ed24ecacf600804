"""What is chosen, what is remembered, and that a bad memory costs a new measurement and nothing else."""

import json
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY
from formula import filled

from hrnet import machine
from hrnet.datasets.synthetic import figures
from hrnet.engines import choosing
from hrnet.engines.cache import cache_folder, file_digest
from hrnet.engines.choosing import Network, Way, Wish, choose, outputs_agree
from hrnet.engines.onnx_engine import OnnxEngine
from hrnet.engines.openvino_engine import OpenVINOEngine
from hrnet.engines.torch_engine import TorchEngine
from hrnet.errors import HRNetError, UsageError
from hrnet.results.agreement import Agreement

PICTURES = np.stack([record.image for record in figures(9, size=(64, 64)).records])


@pytest.fixture(scope="module")
def network():
    return Network("tiny by formula", (64, 64), lambda: filled(TINY.model.build()))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def agreeing(engine, plain):
    return outputs_agree(engine, plain, [PICTURES])


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("kind, precision, off", [(OnnxEngine, "fp32", 1e-4), (OpenVINOEngine, "fp32", 1e-4)])
def test_engines_without_torch_answer_as_torch(kind, precision, off, count, network):
    engine = kind(network.graph)
    (found,) = engine.run(PICTURES[:count])
    (expected,) = TorchEngine(network.module, "cpu").run(PICTURES[:count])
    assert engine.precision == precision and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=off * np.abs(expected).max())
    with pytest.raises(HRNetError, match="uint8"):
        engine.run(PICTURES.astype(np.float32))


def test_a_choice_is_remembered_with_all_that_running_needs(own_cache, network):
    first = choose(network, Wish(), agreeing)
    assert len(first.measured) >= 2 and "ms per crop" in first.why

    def torn():
        raise AssertionError("the network was built again")

    if first.engine.name.startswith("torch"):
        pytest.skip("torch is the fastest here, and builds the network each time")
    again = choose(Network(network.key, network.size, torn), Wish(), agreeing)
    assert (again.engine.name, again.engine.precision) == (first.engine.name, first.engine.precision)
    assert "measured before" in again.why and again.measured == first.measured
    np.testing.assert_allclose(again.engine.run(PICTURES)[0], first.engine.run(PICTURES)[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_only_engine_asked_for_is_not_made_anew_each_time(engine, own_cache, network):
    first = choose(network, Wish(engine, "fp32"), agreeing)

    def torn():
        raise AssertionError("the network was built again")

    again = choose(Network(network.key, network.size, torn), Wish(engine, "fp32"), agreeing)
    assert again.why == first.why == f"{engine} fp32, as asked for"
    np.testing.assert_array_equal(again.engine.run(PICTURES)[0], first.engine.run(PICTURES)[0])


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_an_engine_outlives_the_file_that_it_was_made_from(engine):
    passing = Network("passing", (64, 64), lambda: filled(TINY.model.build()))
    choice = choose(passing, Wish(engine, "fp32"), agreeing)
    passing.folder.cleanup()
    assert [choice.engine.run(PICTURES[:count])[0].shape[0] for count in (1, 9)] == [1, 9]


def spoilt_text(folder: Path):
    (folder / "choice.json").write_text('{"engine": "openvino", "pre')


def spoilt_type(folder: Path):
    told = json.loads((folder / "choice.json").read_text())
    (folder / "choice.json").write_text(json.dumps({**told, "files": ["network.onnx"]}))


def foreign(folder: Path):
    told = json.loads((folder / "choice.json").read_text())
    (folder / "choice.json").write_text(json.dumps({**told, "engine": "tensorrt"}))


def flipped(folder: Path):
    for path in folder.iterdir():
        if path.suffix != ".json":
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)


def cut(folder: Path):
    for path in folder.iterdir():
        if path.suffix != ".json":
            path.write_bytes(path.read_bytes()[:-9])


def gone(folder: Path):
    for path in folder.iterdir():
        if path.suffix != ".json":
            path.unlink()


@pytest.mark.parametrize(
    "spoil",
    [flipped, *(pytest.param(each, marks=pytest.mark.slow) for each in (spoilt_text, spoilt_type, foreign, cut, gone))],
)
def test_a_spoilt_memory_costs_a_new_measurement(spoil, own_cache, network):
    wish = Wish(engine="openvino")
    choose(network, wish, agreeing)
    (folder,) = (cache_folder() / "engines").iterdir()
    spoil(folder)
    with warnings.catch_warnings(action="ignore"):
        again = choose(network, wish, agreeing)
        (found,) = again.engine.run(PICTURES)
    (expected,) = TorchEngine(network.module, "cpu").run(PICTURES)
    np.testing.assert_allclose(found, expected, rtol=0.1, atol=0.1 * np.abs(expected).max())


def test_a_cache_that_cannot_be_written_is_told_and_done_without(tmp_path, monkeypatch, network):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be kept"):
        choice = choose(network, Wish(engine="openvino"), agreeing)
    assert choice.engine.run(PICTURES)[0].shape == (9, 17, 16, 16)


def test_engines_that_fail_or_answer_differently_are_passed_over(own_cache, network, monkeypatch):
    opened = choosing.engine_of

    def failing(way, network):
        if way == Way("openvino", "bf16"):
            raise HRNetError("this machine is not made for it")
        return opened(way, network)

    monkeypatch.setattr(choosing, "engine_of", failing)
    monkeypatch.setattr(choosing, "worth_bf16", lambda wish: True)
    monkeypatch.setattr(choosing, "cuda_driver", lambda: False)
    monkeypatch.setattr(choosing, "milliseconds", lambda engines, pictures: {w: k for k, w in enumerate(engines)})
    with pytest.warns(UserWarning) as told:
        choice = choose(network, Wish(), lambda engine, plain: Agreement({}, ("the joints moved",)))
    assert (choice.engine.name, choice.engine.precision) == ("torch cpu", "fp32")
    sentences = " ".join(str(each.message) for each in told)
    assert "openvino bf16 is passed over: this machine is not made for it" in sentences
    assert "openvino fp32 is passed over: the joints moved" in sentences


def test_imitated_bf16_is_not_given_whole_batches(own_cache, network, monkeypatch):
    opened, batches = choosing.engine_of, []

    def slow(way, network):
        engine = opened(way, network)
        if way.precision == "bf16":
            run = engine.run

            def waiting(pictures):
                batches.append(len(pictures))
                time.sleep(0.5)
                return run(pictures)

            engine.run = waiting
        return engine

    monkeypatch.setattr(choosing, "engine_of", slow)
    monkeypatch.setattr(choosing, "worth_bf16", lambda wish: True)
    monkeypatch.setattr(choosing, "cuda_driver", lambda: False)
    choice = choose(network, Wish("torch"), lambda engine, plain: Agreement({}))
    assert choice.engine.precision == "fp32" and list(choice.measured) == ["torch fp32"]
    assert set(batches) == {1}


def test_a_file_replaced_under_a_recalled_engine_gives_no_mixed_answers(own_cache, tmp_path, network):
    def opened(file):
        return choose(Network("a file", (64, 64), None, file=file, meta={}), Wish("openvino", "fp32"), agreeing).engine

    file = tmp_path / "net.onnx"
    file.write_bytes(network.graph.read_bytes())
    expected = opened(file).run(PICTURES)[0]
    engine = opened(file)
    (alone,) = engine.run(PICTURES[:1])
    torch.manual_seed(1)
    other = Network("other", (64, 64), TINY.model.build)  # holds the folder of its graph
    file.write_bytes(other.graph.read_bytes())
    with pytest.warns(UserWarning, match="was replaced meanwhile"):
        (together,) = engine.run(PICTURES)
    np.testing.assert_allclose(together[:1], alone, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(together, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "told, expected",
    [
        ({"flags": "avx2 avx512f avx512_bf16"}, True),
        ({"flags": "avx2 fma"}, False),
        ({"Features": "fp asimd bf16"}, True),
        ({"Features": "fp asimd"}, False),
        ({}, None),
    ],
)
def test_bf16_is_tried_only_where_the_processor_may_have_it(told, expected, network, monkeypatch):
    monkeypatch.setattr(machine, "cpuinfo", lambda: told)
    assert machine.computes_bf16() is expected
    tried = [way.precision for way in choosing.ways_for(Wish(device="cpu", engine="openvino"), network)]
    assert tried == (["fp32"] if expected is False else ["bf16", "fp32"])
    (asked,) = choosing.ways_for(Wish("torch", "bf16", "cpu"), network)
    assert asked.precision == "bf16"


def test_weights_that_cannot_be_loaded_are_no_engines_fault(own_cache):
    def build():
        raise HRNetError("weights.pth is truncated")

    with warnings.catch_warnings(action="error"), pytest.raises(HRNetError, match="truncated"):
        choose(Network("broken", (64, 64), build), Wish(), agreeing)


@pytest.mark.parametrize(
    "wish, words",
    [
        ({"engine": "openwino"}, "did you mean 'openvino'"),
        ({"precision": "fp61"}, "did you mean 'fp16'"),
        ({"engine": "openvino", "device": "cuda"}, "runs on the CPU"),
    ],
)
def test_wishes_that_cannot_be_fulfilled(wish, words):
    with pytest.raises(UsageError, match=words):
        Wish(**wish)


@pytest.mark.parametrize("wish", [Wish("onnx", "bf16"), Wish("torch", "int8"), Wish("auto", "int8")])
def test_a_precision_that_no_engine_runs_names_those_that_run(wish, network):
    with pytest.raises(UsageError, match=r"torch fp32|openvino fp32"):
        choose(network, wish, agreeing)


def test_the_device_decides_for_torch(network):
    choice = choose(network, Wish(device="cpu"), agreeing)
    assert (choice.engine.name, choice.engine.precision) == ("torch cpu", "fp32")
    assert torch.equal(next(network.module.parameters()), next(choice.engine.network.network.parameters()))


def test_openvino_files_of_one_graph_and_other_weights_are_told_apart(tmp_path):
    for folder, weights in (("one", b"1"), ("other", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.xml").write_text("<net/>")
        (tmp_path / folder / "a.bin").write_bytes(weights)
    assert file_digest(tmp_path / "one/a.xml") != file_digest(tmp_path / "other/a.xml")
