"""`hrnet convert`: it explains, renames, fills a recipe, and refuses in one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from drawn import TINY, coco_file

import hrnet
from hrnet.cli.main import run
from hrnet.weights.files import load_weights, read_meta, save_weights

RECIPE = "small_256x192"
SOURCE = Path(hrnet.__file__).parents[1]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return hrnet.recipe(RECIPE).model.build()


@pytest.fixture
def convert(tmp_path, monkeypatch, capfd, network):
    """`convert("foreign.pth")` runs the program in `tmp_path`, where the network lies in mmpose's names."""
    monkeypatch.chdir(tmp_path)
    head = {f"head.{name}": value for name, value in network.state_dict().items() if name.startswith("final_layer")}
    trunk = {f"backbone.{name}": value for name, value in network.state_dict().items() if not name.startswith("final")}
    torch.save({"meta": {"at": Path("x")}, "state_dict": trunk | head}, "foreign.pth")

    def convert(*arguments):
        monkeypatch.setattr(sys, "argv", ["hrnet", "convert", *arguments])
        with pytest.raises(SystemExit) as end:
            run()
        return (end.value.code or 0, *capfd.readouterr())

    return convert


def test_a_file_is_explained(convert):
    code, out, err = convert("foreign.pth")
    assert (code, err) == (0, "")
    for line in (
        "tensors in   'state_dict'",
        "recognised   HRNet-W28, top-down pose, 17 keypoints, named as in mmpose 1.x",
        "seen by      backbone.conv1.*, head.final_layer, stage4.*, final_layer.weight",
        "recipes      pose_topdown/small_256x192",
    ):
        assert line in out.splitlines(), out


def test_a_file_of_ours_carries_the_recipe_and_every_byte(convert, network):
    code, out, _ = convert("foreign.pth", "ours.safetensors")
    assert code == 0 and "mapped       350 of the 350 tensors" in out and "--weights ours.safetensors" in out
    predictor = hrnet.Predictor("ours.safetensors", device="cpu")
    assert predictor.recipe.name == "pose_topdown/small_256x192"
    assert read_meta(predictor.weights)["card"]["converted_from"] == "foreign.pth"
    loaded = hrnet.recipe(RECIPE).model.build()
    load_weights(loaded, "ours.safetensors")
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())
    code, out, _ = convert("ours.safetensors")
    assert "recipes      pose_topdown/small_256x192, inside the file" in out.splitlines()


def test_names_change_and_a_new_head_is_asked_for(convert):
    code, out, _ = convert("foreign.pth", "published.pth", "--to", "published")
    assert code == 0 and "350 tensors named as in the published code" in out
    code, _, err = convert("published.pth", "--recipe", "mpii_w32_256x256")
    assert code == 1 and "lacks 1170 of the 1754 tensors" in err and "--trunk" not in err
    Path("mpii.yaml").write_text(hrnet.recipe(RECIPE).but(model__skeleton="mpii").to_yaml())
    code, out, err = convert("published.pth", "mpii.safetensors", "--recipe", "mpii.yaml")
    assert code == 1 and "final_layer.weight (17, 28, 1, 1) in the file, (16, 28, 1, 1) here" in out
    assert "ask for a new head (--new-head" in err and not Path("mpii.safetensors").exists()
    code, out, _ = convert("published.pth", "mpii.safetensors", "--recipe", "mpii.yaml", "--new-head")
    assert code == 0 and "left new     2: final_layer.weight, final_layer.bias" in out
    assert len(hrnet.Predictor("mpii.safetensors", device="cpu").recipe.model.keypoints) == 16


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (("gone.pth",), 1, "gone.pth does not exist: check the path"),
        (("page.pth",), 1, "page.pth is a web page, such as a share drive shows before the download"),
        (("tiny.safetensors", "out.pth", "--to", "mmpose2"), 2, "no layout 'mmpose2' to write: did you mean"),
        (("foreign.pth", "--to", "mmpose0"), 2, "name OUT"),
        (("foreign.pth", "--part", "ema"), 2, "has no part 'ema'"),
        (("plain.pth", "out.safetensors"), 1, "fits no recipe of this version: name one with --recipe"),
        (("foreign.pth", "no/out.safetensors"), 1, "no is not an existing folder"),
    ],
)
def test_refusals_are_one_sentence(arguments, code, words, convert):
    Path("page.pth").write_text("<!DOCTYPE html><title>Google Drive - Quota exceeded</title>")
    save_weights(Path("tiny.safetensors"), TINY.model.build(), TINY.to_yaml(), {})
    torch.save(TINY.model.build().state_dict(), "plain.pth")
    answer = convert(*arguments)
    assert answer[0] == code and words in answer[2].strip().splitlines()[-1], answer
    assert "Traceback" not in answer[2] and not Path("out.pth").exists()


def test_a_file_in_no_known_layout_is_shown_and_exits_1(convert):
    torch.save({"some.weight": torch.zeros(2)}, "other.pth")
    code, out, _ = convert("other.pth")
    assert code == 1 and "1 tensors in no layout that is known" in out and "names        1: some.weight" in out


def test_recognition_needs_no_torch(convert):
    script = (
        "import sys; from hrnet.weights.recognise import recognise\n"
        f"print(recognise({str(Path('foreign.pth').resolve())!r}), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=SOURCE)
    assert done.stdout == "HRNet-W28, top-down pose, 17 keypoints, named as in mmpose 1.x False\n", done.stderr


@pytest.mark.slow
def test_a_training_starts_from_all_but_the_head(convert, network, tmp_path, capfd):
    """One step of no length: the trunk is the file's, the head is not."""
    from hrnet.weights import files

    data = coco_file(tmp_path / "people.json")
    changes = {"training.epochs": 1, "training.workers": 0, "training.seed": 1, "optim.lr": 1e-12}
    recipe = hrnet.recipe(RECIPE).override({**changes, "training.precision": "32", "model.input_size": (64, 64)})
    lines = []
    start = files.Start(Path("foreign.pth"), new_head=True)
    best = hrnet.train(recipe, [data], tmp_path / "run", start=start, validation=[data], say=lines.append)
    assert any("left new     2: final_layer.weight, final_layer.bias" in line for line in lines)
    trained = recipe.model.build()
    load_weights(trained, best)
    old, new = network.state_dict(), trained.state_dict()
    half = old["stage4.0.branches.0.0.conv1.weight"].half().float()  # as files of trainings are kept
    torch.testing.assert_close(new["stage4.0.branches.0.0.conv1.weight"], half, rtol=1e-3, atol=1e-6)
    assert not torch.allclose(new["final_layer.weight"], old["final_layer.weight"], atol=1e-4)
