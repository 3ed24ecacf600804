"""Published weights by name: what the table says, and how a file comes under its name."""

import hashlib
import re
import sys
import threading
from pathlib import Path

import pytest
import torch
from drawn import TINY
from serving import CONTENT, SHA256, Server

import hrnet
from hrnet.cli.main import run
from hrnet.errors import HRNetError, UsageError
from hrnet.weights import cache
from hrnet.weights.zoo import TERMS, ZOO, Entry, entry


@pytest.fixture
def models(tmp_path, monkeypatch, capfd):
    """`models("--zoo")` runs the verb in `tmp_path`, with an empty cache below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path / "cache"))

    def models(*arguments):
        monkeypatch.setattr(sys, "argv", ["hrnet", "models", *arguments])
        with pytest.raises(SystemExit) as end:
            run()
        return (end.value.code or 0, *capfd.readouterr())

    return models


def w32_file(path):
    """A file of W32's size with nothing but zeros."""
    with torch.device("meta"):
        state = hrnet.recipe("w32_256x192").model.build().state_dict()
    torch.save({name: torch.zeros(value.shape, dtype=value.dtype) for name, value in state.items()}, path)


def test_the_table_holds_together():
    names = [each.name for each in ZOO]
    assert len(set(names)) == len(names) and len({each.file for each in ZOO}) == len(names)
    for each in ZOO:
        assert (each.is_trunk or each.recipe in hrnet.recipes()) and each.data in TERMS
        hosted = each.source is not None and "openmmlab" in each.source
        assert bool(each.sha256) == hosted, each.name  # OpenMMLab's names carry hashes
    for recipe in {each.recipe for each in ZOO}:
        ours = [each for each in ZOO if each.recipe == recipe]
        assert "mm" in ours[0].suffix or ours[0].page.startswith("https://github.com/"), (
            recipe
        )  # the official one first


@pytest.mark.shared
def test_no_address_is_made_up(shared):
    text = "".join((shared / f"spec/{name}.md").read_text() for name in ("zoo", "heads"))
    for each in ZOO:
        names = each.file, each.file.removesuffix(".pth"), re.sub(r"_w\d+_", "_w*_", each.file)
        assert any(name in text for name in names) or ("{1,2}" in text and "small_model" in each.file), each.file
        if each.source is not None:
            start = each.source.removesuffix(each.file)
            while start not in text:  # mmsegmentation's folders bear the names of their files
                start = start.rstrip("/").rpartition("/")[0] + "/"
            assert each.source.removeprefix(start).split("/")[-1] == each.file and start.count("/") > 3, start
        score = each.score.split()[-1]
        assert score == "-" or score in text or f"{float(score) / 100:.3f}" in text
    pages = {each.page for each in ZOO}
    assert all(page.removeprefix("https://github.com/").split("/")[-1] in text for page in pages if "github" in page)


def test_what_lies_on_a_share_drive_says_where_and_what_instead(models):
    for name in ("pose_topdown/w32_256x192@coco", "w32_256x192@coco"):
        for given in ({"name_or_path": name}, {"weights": name}, {"name_or_path": "w32_256x192", "weights": name}):
            with pytest.raises(HRNetError) as refusal:
                hrnet.Predictor(**given)
            assert str(refusal.value) == (
                "pose_topdown/w32_256x192@coco lies on a share drive alone: fetch pose_hrnet_w32_256x192.pth by the "
                "links on https://github.com/leoxiaobin/deep-high-resolution-net.pytorch and run 'hrnet models --add "
                "pose_hrnet_w32_256x192.pth', or use pose_topdown/w32_256x192@coco-mmpose0, which can be downloaded"
            )
    with pytest.raises(
        HRNetError, match=r"or pose_topdown/w32_256x192@coco-mmpose0 as recipe; 'hrnet models --zoo' lists"
    ):
        hrnet.Predictor("w32_256x192")


def test_a_trunk_finds_nothing_by_itself(models):
    with pytest.raises(HRNetError, match=r"trunk/w32@imagenet has no head .* --from and --trunk"):
        hrnet.Predictor("trunk/w32@imagenet")


@pytest.mark.parametrize(
    "name, words",
    [
        ("w32_256x192@cocco", "did you mean 'w32_256x192@coco'"),
        (
            "pose_topdown/w48_384x288@mmpose",
            "Known: pose_topdown/w48_384x288@coco, pose_topdown/w48_384x288@coco-mmpose0",
        ),
    ],
)
def test_an_unknown_name_names_the_nearest(name, words):
    with pytest.raises(UsageError) as refusal:
        hrnet.Predictor(name)
    assert str(refusal.value).startswith(f"there are no published weights {name!r}: ") and words in str(refusal.value)


@pytest.mark.slow
def test_a_file_fetched_by_hand_is_filed_and_found(models):
    file = Path("pose_hrnet_w32_256x192.pth")
    w32_file(file)
    code, out, _ = models("--add", str(file))
    assert code == 0 and "filed as pose_topdown/w32_256x192@coco" in out
    predictor = hrnet.Predictor("w32_256x192@coco", device="cpu")
    assert predictor.recipe == hrnet.recipe("w32_256x192")
    assert predictor.weights == Path("cache/pose_hrnet_w32_256x192.pth").resolve()
    rows = [line.split() for line in models("--zoo")[1].splitlines()]
    size = f"{file.stat().st_size / 1e6:.1f}"
    assert next(row for row in rows if row[:1] == ["pose_topdown/w32_256x192@coco"])[-2:] == [size, "MB"]

    file.rename("download (1).pth")
    code, _, err = models("--add", "download (1).pth")
    assert code == 1 and "say which it is with --name: pose_topdown/w32_256x192@coco-mmpose0, " in err
    code, out, _ = models("--add", "download (1).pth", "--name", "w32_384x288@coco")
    assert code == 0 and Path("cache/pose_hrnet_w32_384x288.pth").is_file()
    code, _, err = models("--add", "download (1).pth", "--name", "w32_256x192@coco-mmpose0")
    found = hashlib.sha256(Path("download (1).pth").read_bytes()).hexdigest()[:8]
    assert code == 1 and f"its SHA-256 begins with {found}, expected c78dce93" in err


def test_another_network_is_not_filed(models):
    torch.save(TINY.model.build().state_dict(), "pose_hrnet_w48_256x192.pth")
    code, _, err = models("--add", "pose_hrnet_w48_256x192.pth")
    assert code == 1 and "(HRNet-W8, top-down pose, 17 keypoints" in err
    assert "does not fit pose_topdown/w48_256x192: it is not the file of pose_topdown/w48_256x192@coco" in err
    code, _, err = models("--name", "w48_256x192@coco")
    assert code == 2 and "name the file with --add" in err
    assert not Path("cache").exists()


def test_the_zoo_is_listed_with_terms(models):
    code, out, _ = models("--zoo")
    assert code == 0 and all(each.name in out for each in ZOO)
    assert "download.openmmlab.com" in out and "share drive, by hand" in out
    assert all(f"  {data}: {terms}" in out.splitlines() for data, terms in TERMS.items())


def test_an_entry_is_downloaded_once_into_the_cache(models, caplog):
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        file = f"weights-{SHA256[:8]}.pth"
        wanted = Entry("pose_topdown/w32_256x192", "here", file, "-", "COCO", "-", server.address("whole"))
        paths = [cache.obtain(wanted), cache.obtain(wanted)]
        server.shutdown()
    assert paths == [cache.folder() / file] * 2 and paths[0].read_bytes() == CONTENT
    assert server.requests == [("whole", None)] and entry("w32_256x192@coco").sha256 == ""
