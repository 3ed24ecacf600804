"""int8: an OpenVINO network whose convolutions multiply whole numbers, their scales taken from a user's pictures."""

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.openvino_engine import openvino_core
from hrnet.errors import HRNetError

# What is kept out of int8, tried in this order until the answers hold: the head alone, then also the stem, then also
# the whole first stage.
KEPT_OUT = (
    (".*final_layer.*",),
    (".*final_layer.*", ".*/network/conv[12]/.*"),
    (".*final_layer.*", ".*/network/conv[12]/.*", ".*/layer1/.*"),
)


class Recording:
    """An engine that passes pictures on to another and keeps up to `most` of them."""

    def __init__(self, engine: Engine, most: int) -> None:
        self.engine, self.most = engine, most
        self.name, self.precision, self.decodes = engine.name, engine.precision, engine.decodes
        self.pictures: list[np.ndarray] = []

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        self.pictures.extend(pictures[: self.most - len(self.pictures)])
        return self.engine.run(pictures)


def quantised(graph: Path, pictures: Sequence[np.ndarray], kept_out: Sequence[str]) -> Any:
    """An OpenVINO model in int8 of an ONNX file, calibrated on pictures (h, w, 3) uint8 as the network sees them.

    Layers whose names match one of the patterns `kept_out` stay as they are.
    """
    os.environ.setdefault("NNCF_CI", "1")  # or it would report each use to its makers
    try:
        with warnings.catch_warnings(action="ignore"):
            import nncf
    except ImportError:
        raise HRNetError("int8 needs nncf: pip install 'hrnet[openvino]'") from None
    nncf.set_log_level(logging.ERROR)
    model = openvino_core().read_model(graph)
    return nncf.quantize(
        model,
        nncf.Dataset([picture[None] for picture in pictures]),
        subset_size=len(pictures),
        ignored_scope=nncf.IgnoredScope(patterns=list(kept_out), validate=False),
    )
