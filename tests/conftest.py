"""What all tests share: the published code's answers, and the folder of larger ones beside the repository."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REFERENCE = Path(__file__).parent / "reference"
SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def reference() -> Callable[[str], dict[str, Any]]:
    """`reference("affine")` is what reference/affine.npz, or .json, holds; its README.md explains it."""

    def read(name: str) -> dict[str, Any]:
        text = REFERENCE / f"{name}.json"
        return json.loads(text.read_text()) if text.exists() else dict(np.load(REFERENCE / f"{name}.npz"))

    return read


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the repository; tests that read it are skipped where it is missing."""
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is missing")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """What is remembered between runs lies in a folder of the test session's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HRNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
