"""Downloads from a server on this machine: slow, cut off, moved, changed, missing, wrong, and two at once."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from serving import CONTENT, SHA256, Server

import hrnet
from hrnet.errors import HRNetError
from hrnet.weights import download as downloading
from hrnet.weights.download import download

SOURCE = Path(hrnet.__file__).parents[1]


@pytest.fixture
def server():
    with Server() as serving:
        threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield serving
        serving.shutdown()


def left(folder):
    """What lies in a folder, locks aside."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize(
    "path, requests",
    [
        ("whole", [("whole", None)]),
        ("slow", [("slow", None)]),
        ("moved", [("moved", None), ("whole", None)]),
        ("busy", [("busy", None)] * 3),
        ("cut", [("cut", None), ("cut", "bytes=300000-")]),
        ("forgetful", [("forgetful", None), ("forgetful", "bytes=300000-")]),  # answers 200 and all of it
    ],
)
@pytest.mark.parametrize("sha256", [SHA256[:8], ""])
def test_a_file_arrives(path, requests, sha256, server, tmp_path):
    seen = []
    download(server.address(path), tmp_path / "w.pth", sha256, lambda done, of: seen.append((done, of)))
    assert (tmp_path / "w.pth").read_bytes() == CONTENT and left(tmp_path) == ["w.pth"]
    assert server.requests == requests
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    download(server.address(path), tmp_path / "w.pth", sha256)
    assert server.requests == requests  # it is there


def test_without_a_version_only_a_hash_allows_going_on(server, tmp_path):
    download(server.address("unmarked"), tmp_path / "w.pth")
    assert [asked for _, asked in server.requests] == [None, None]
    server.requests.clear()
    download(server.address("unmarked"), tmp_path / "v.pth", SHA256)
    assert [asked for _, asked in server.requests] == [None, "bytes=300000-"]


def test_a_later_call_goes_on_and_a_changed_file_begins_anew(server, tmp_path):
    with pytest.raises(HRNetError, match=r"broke off after 0\.3 MB .*call again to go on from there"):
        download(server.address("never-whole"), tmp_path / "w.pth")
    assert left(tmp_path) == ["w.pth.part", "w.pth.part.etag"]
    server.requests.clear()
    download(server.address("whole"), tmp_path / "w.pth")
    assert server.requests == [("whole", "bytes=300000-")] and (tmp_path / "w.pth").read_bytes() == CONTENT

    with pytest.raises(HRNetError, match="broke off"):
        download(server.address("never-whole"), tmp_path / "v.pth")
    server.etag, server.content = '"two"', CONTENT[::-1]
    download(server.address("whole"), tmp_path / "v.pth")
    assert (tmp_path / "v.pth").read_bytes() == CONTENT[::-1]


def test_a_spoilt_part_is_thrown_away_once(server, tmp_path):
    (tmp_path / "w.pth.part").write_bytes(b"x" * 1000)
    download(server.address("whole"), tmp_path / "w.pth", SHA256)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT and len(server.requests) == 2
    (tmp_path / "v.pth.part").write_bytes(CONTENT + b"more")
    download(server.address("whole"), tmp_path / "v.pth", SHA256)
    assert (tmp_path / "v.pth").read_bytes() == CONTENT


def test_a_wrong_hash_leaves_nothing(server, tmp_path):
    words = f"SHA-256 begins with {SHA256[:8]}, expected 01234567; it was removed"
    with pytest.raises(HRNetError, match=words):
        download(server.address("whole"), tmp_path / "w.pth", "01234567")
    assert "w.pth" not in left(tmp_path) and "w.pth.part" not in left(tmp_path)


def test_an_address_without_the_file_or_without_a_machine(server, tmp_path, monkeypatch):
    with pytest.raises(HRNetError, match=r"answers 404 Not Found: .*hrnet models --add FILE"):
        download(server.address("gone"), tmp_path / "w.pth")
    with pytest.raises(
        HRNetError, match=r"cannot be reached \(.*\): check the connection, or fetch .* another machine"
    ):
        download("http://127.0.0.1:9/w.pth", tmp_path / "w.pth")
    monkeypatch.setattr(downloading, "SILENCE_SECONDS", 0.05)
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # accepts, and never answers
    with pytest.raises(HRNetError, match=r"cannot be reached \(.*\)"):
        download(f"http://127.0.0.1:{silent.server_address[1]}/w.pth", tmp_path / "w.pth")
    silent.server_close()
    assert "w.pth" not in left(tmp_path)


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HRNetError, match=r"cannot be written .*HRNET_CACHE"):
        download(server.address("whole"), tmp_path / "file" / "w.pth")


def test_two_processes_fetch_once(server, tmp_path):
    call = f"download({server.address('slow')!r}, Path({str(tmp_path / 'w.pth')!r}), {SHA256!r})"
    script = f"from pathlib import Path\nfrom hrnet.weights.download import download\n{call}"
    both = [subprocess.Popen([sys.executable, "-c", script], cwd=SOURCE) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert (tmp_path / "w.pth").read_bytes() == CONTENT and server.requests == [("slow", None)]
