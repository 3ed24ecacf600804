"""What all tests share: the published code's answers, and the folder of larger ones beside the repository."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

REFERENCE = Path(__file__).parent / "reference"
SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def reference() -> Callable[[str], dict[str, np.ndarray]]:
    """`reference("affine")` is the content of reference/affine.npz; reference/README.md says what is in it."""
    return lambda name: dict(np.load(REFERENCE / f"{name}.npz"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the repository; tests that read it are skipped where it is missing."""
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is missing")
    return SHARED
