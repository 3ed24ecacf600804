"""Predictor: a recipe, weights and an engine, from a picture to poses."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.catalogue import resolve
from hrnet.errors import HRNetError, UsageError, nearest
from hrnet.images import as_rgb, read_image
from hrnet.refining import RefiningInference
from hrnet.results.pose import Pose

Boxes = Sequence[Sequence[float]] | np.ndarray
PRECISIONS = ("fp32", "bf16")


class Predictor:
    """Finds the poses of people.

    `Predictor()` uses the weights that ship with the package: top-down where boxes are given, bottom-up, which finds
    everybody by itself, where not. `Predictor(task="pose_topdown")` takes a picture without boxes as one person.
    `Predictor("runs/mine/best.safetensors")` uses your own weights, and
    `Predictor("pose_topdown/w32_256x192", weights="pose_hrnet_w32_256x192.pth")` published ones. `refine` passes each
    person whom the bottom-up network finds to the top-down weights of the package; `input_size` is the shorter side of
    a picture as the bottom-up network sees it. `device` is a torch
    device (CUDA where there is one by default), `precision` "fp32" or "bf16", `flip` overrules the recipe's flip test.
    """

    def __init__(
        self,
        name_or_path: str | Path | None = None,
        weights: str | Path | None = None,
        *,
        device: str | None = None,
        precision: str = "fp32",
        flip: bool | None = None,
        task: str | None = None,
        refine: bool = False,
        input_size: int | None = None,
    ) -> None:
        from hrnet.engines.torch_engine import TorchEngine
        from hrnet.weights.files import load_weights

        if precision not in PRECISIONS:
            raise UsageError(f"there is no precision {precision!r}: {nearest(precision, PRECISIONS)}")
        check_device(device)
        self.by_default = name_or_path is None and weights is None and task is None
        self.options: dict[str, Any] = {"device": device, "precision": precision, "flip": flip}
        self.bottom_up: dict[str, Any] = {"refine": refine, "input_size": input_size}
        self.recipe, self.weights = resolve(name_or_path, weights, task)
        if input_size is not None and not self.by_default:
            self.recipe = self.recipe.override({"testing.input_size": input_size})
        if flip is not None:
            self.recipe = self.recipe.but(testing__flip=flip)
        network = self.recipe.model.build()
        self.report = load_weights(network, self.weights)
        self.inference = self.recipe.inference(TorchEngine(network, device, precision))
        if refine and not self.by_default:
            self.inference = self.refining()

    def refining(self) -> RefiningInference:
        """This predictor's inference with the package's top-down weights after it."""
        if self.takes_boxes:
            raise UsageError(f"{self.recipe.name} finds nobody to refine: name a bottom-up recipe, or leave refine out")
        return RefiningInference(self.inference, Predictor(task="pose_topdown", **self.options).inference)

    @property
    def takes_boxes(self) -> bool:
        """Whether people are looked for in boxes; bottom-up recipes find them by themselves."""
        return getattr(self.inference, "takes_boxes", True)

    @cached_property
    def without_boxes(self) -> "Predictor":
        """Who answers where no boxes are given: with nothing named the package's bottom-up weights, else this one."""
        return Predictor(task="pose_bottomup", **self.options, **self.bottom_up) if self.by_default else self

    def __call__(
        self,
        image: str | Path | np.ndarray,
        boxes: Boxes | None = None,
        box_scores: Sequence[float] | np.ndarray | None = None,
    ) -> list[Pose]:
        """Poses of one picture, one per box, in the order of the boxes.

        `image` is a path (turned upright by its EXIF orientation) or an RGB array (H, W, 3). `boxes` are (P, 4) of
        x1, y1, x2, y2 in pixels of the picture. Without boxes a bottom-up network finds everybody, the surest first; to
        a top-down one the whole picture is one person (which the recipe may look for first, see `testing.search`).
        `box_scores` (P,), as a detector gives them, multiply the poses' scores. Keypoints are in pixels of the picture.
        Raises `HRNetError` for pictures and boxes that cannot be used.
        """
        if boxes is None and self.by_default:
            return self.without_boxes(image)
        pixels = opened(image)
        name = "" if isinstance(image, np.ndarray) else f"{image}: "
        checked = None if boxes is None else checked_boxes(boxes, pixels.shape[1], pixels.shape[0], name)
        if checked is not None and not self.takes_boxes:
            raise HRNetError(f"{name}{self.recipe.name} finds people by itself: leave boxes out")
        scores = None if box_scores is None else np.asarray(box_scores, float)
        count = 1 if checked is None else len(checked)
        if scores is not None and scores.shape != (count,):
            raise HRNetError(f"{name}box_scores have shape {scores.shape}, expected ({count},), one per box")
        return next(self.inference.predict([(pixels, checked, scores)]))

    def draw(self, image: str | Path | np.ndarray, results: Sequence[Pose], min_score: float = 0.3) -> np.ndarray:
        """The picture (H, W, 3) RGB with poses drawn; joints scored below `min_score` are left out."""
        return self.recipe.draw(opened(image), results, min_score)


def check_device(device: str | None) -> None:
    """Refuse a device that torch does not know, or that is not in this machine."""
    import torch

    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"device {device!r} cannot be used ({str(error).splitlines()[0]}): use cpu, or cuda where there is one"
        ) from None


def opened(image: str | Path | np.ndarray) -> np.ndarray:
    """The picture itself, (H, W, 3) RGB uint8."""
    return as_rgb(image) if isinstance(image, np.ndarray) else read_image(image)


def checked_boxes(boxes: Boxes, width: int, height: int, name: str) -> np.ndarray:
    """Boxes (P, 4) as floats, or one sentence about the first that cannot be used."""
    try:
        array = np.asarray(boxes, float)
    except (TypeError, ValueError):
        raise HRNetError(f"{name}boxes must be numbers, (P, 4) as x1, y1, x2, y2") from None
    if array.size == 0:
        return np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4:
        raise HRNetError(f"{name}boxes have shape {array.shape}, expected (P, 4) as x1, y1, x2, y2")
    for number, box in enumerate(array, start=1):
        x1, y1, x2, y2 = box
        fault = (
            "is not finite" if not np.isfinite(box).all()
            else "has no size" if x2 <= x1 or y2 <= y1
            else f"lies outside the picture of {width} x {height}" if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0
            else None
        )  # fmt: skip
        if fault:
            values = ", ".join(f"{value:g}" for value in box)
            raise HRNetError(f"{name}box {number} ({values}) {fault}; expected x1 < x2 and y1 < y2 in its pixels")
    return array
