"""Which reader opens a path: the one place that knows all formats."""

from collections.abc import Sequence
from pathlib import Path

from hrnet.datasets.coco import read_coco
from hrnet.datasets.lspet import read_lspet
from hrnet.datasets.records import PoseData
from hrnet.datasets.synthetic import figures
from hrnet.errors import HRNetError, UsageError, nearest

SYNTHETIC_FIGURES = {"train": (1024, 0), "val": (64, 1)}


def open_data(data: str | Path, split: str = "val", images: Sequence[Path] = ()) -> PoseData:
    """Open "synthetic", the folder of LSPET, or a COCO-style JSON; a JSON is one split by itself."""
    if split not in SYNTHETIC_FIGURES:
        raise UsageError(f"there is no split {split!r}: {nearest(split, SYNTHETIC_FIGURES)}")
    if str(data) == "synthetic":
        count, seed = SYNTHETIC_FIGURES[split]
        return figures(count, seed)
    path = Path(data)
    if path.is_dir() and any((path / name).exists() for name in ("joints.csv", "joints.mat")):
        return read_lspet(path, split)
    if path.suffix == ".json" or path.is_file():
        return read_coco(path, images)
    if path.is_dir():
        raise HRNetError(
            f"{path} is no known data set: expected joints.csv or joints.mat in it (LSPET), or a COCO-style JSON"
        )
    raise HRNetError(f"{path} does not exist: name the folder of LSPET, a COCO-style JSON, or 'synthetic'")
