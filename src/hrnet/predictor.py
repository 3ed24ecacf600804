"""Predictor: a recipe, weights and an engine, from a picture to poses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.catalogue import resolve
from hrnet.datasets.synthetic import figures
from hrnet.engines.cache import digest, file_digest, proven_int8
from hrnet.engines.choosing import OWN_ENGINE, Choice, Judge, Network, Way, Wish, choose, engine_of, outputs_agree
from hrnet.engines.engine import Engine
from hrnet.engines.exported import FORMATS, read_exported
from hrnet.engines.inference import Inference
from hrnet.errors import HRNetError, UsageError
from hrnet.images import as_rgb, read_image
from hrnet.refining import RefiningInference
from hrnet.results.agreement import Agreement
from hrnet.results.pose import Pose
from hrnet.settings import Recipe
from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe
from hrnet.weights.files import load_weights, must_be_a_file

if TYPE_CHECKING:
    from torch import nn

Boxes = Sequence[Sequence[float]] | np.ndarray


class Predictor:
    """Finds the poses of people.

    `Predictor()` uses the weights that ship with the package: the top-down ones for the boxes that are given; without
    boxes the bottom-up ones find everybody, and the top-down ones look at each of them again. `task` leaves one of the
    two: "pose_bottomup", or "pose_topdown", to which a picture without boxes holds one person.
    `Predictor("runs/mine/best.safetensors")` uses your own weights,
    `Predictor("pose_topdown/w32_256x192", weights="pose_hrnet_w32_256x192.pth")` published ones, and
    `Predictor("w32.onnx")` a network that `hrnet export` wrote, for which torch need not be installed.

    `refine` passes each person whom a bottom-up network finds to the top-down weights of the package, or does not;
    `input_size` is the shorter side of a picture as the bottom-up network sees it.

    `engine` is "torch", "onnx", "openvino", or "auto": the fastest on this machine whose answers stay within the budget
    of docs/performance.md, measured the first time and remembered; `engine_note` then says what was chosen and why.
    `precision` "fp32", "bf16", "fp16" or "int8" leaves only engines that compute so. `device` is a torch device and
    means the engine "torch", in fp32 where no precision is named. `flip` overrules the recipe's flip test, and
    `changes` other fields by their dotted paths, as in `{"testing.batch_size": 8}`.
    """

    def __init__(
        self,
        name_or_path: str | Path | None = None,
        weights: str | Path | None = None,
        *,
        engine: str = "auto",
        precision: str | None = None,
        device: str | None = None,
        flip: bool | None = None,
        task: str | None = None,
        refine: bool | None = None,
        input_size: int | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        self.wish = Wish(engine, precision, device)
        if device is not None:
            check_device(device)
        self.by_boxes = name_or_path is None and weights is None and task is None
        if self.by_boxes and changes:
            raise UsageError("changes are of one recipe, and by default two networks answer: name a task or a recipe")
        self.options: dict[str, Any] = {"engine": engine, "precision": precision, "device": device, "flip": flip}
        self.bottom_up = {"refine": refine, "input_size": input_size}
        self.second: Predictor | None = None
        self.recipe, self.weights = resolve(name_or_path, weights, task)
        if input_size is not None and not self.by_boxes:
            self.recipe = self.recipe.override({"testing.input_size": input_size})
        if flip is not None:
            self.recipe = self.recipe.but(testing__flip=flip)
        self.recipe = self.recipe.override(changes or {})
        if refine and not self.by_boxes:
            self.refine_by()
        elif not self.by_boxes:  # else it is seen from the first call which network answers
            self.inference = self.recipe.inference(self.engine)

    @cached_property
    def choice(self) -> Choice:
        """The engine, and why it was taken."""
        return engine_for(self.recipe, self.weights, self.wish)

    @property
    def engine(self) -> Engine:
        """What runs the network."""
        return self.choice.engine

    @property
    def engine_note(self) -> str:
        """What runs the network, and why, in one line."""
        return self.choice.why

    @cached_property
    def inference(self) -> Inference[Any]:
        """The recipe's prediction path on the engine."""
        return self.recipe.inference(self.engine)

    def refine_by(self, second: "Predictor | None" = None) -> None:
        """Let another predictor, else the package's top-down weights, look at each person whom this one finds."""
        if not isinstance(self.recipe, BottomUpRecipe):
            raise UsageError(f"{self.recipe.name} finds nobody to refine: name a bottom-up recipe, or leave refine out")
        self.second = second or Predictor(task="pose_topdown", **self.options)
        looking: Any = self.second.inference
        ours, theirs = self.recipe.model.keypoints, looking.skeleton
        if ours.keypoints != theirs.keypoints:
            raise UsageError(
                f"{self.recipe.name} finds keypoints of {ours.name}, and {self.second.recipe.name} those of "
                f"{theirs.name}: leave refine out"
            )
        self.inference = RefiningInference(self.recipe, self.engine, looking)

    @property
    def takes_boxes(self) -> bool:
        """Whether people are looked for in boxes; bottom-up recipes find them by themselves, others look for nobody."""
        return self.inference.takes_boxes

    @cached_property
    def without_boxes(self) -> "Predictor":
        """Who answers where no boxes are given: the package's bottom-up weights, and these again, where nothing else is
        named."""
        if not self.by_boxes:
            return self
        finding = Predictor(task="pose_bottomup", **self.options, input_size=self.bottom_up["input_size"])
        if self.bottom_up["refine"] is not False:
            finding.refine_by(self)
        return finding

    def __call__(
        self,
        image: str | Path | np.ndarray,
        boxes: Boxes | None = None,
        box_scores: Sequence[float] | np.ndarray | None = None,
    ) -> list[Pose]:
        """Poses of one picture: one per box, in the order of the boxes; without boxes the surest first.

        `image` is a path (turned upright by its EXIF orientation) or an RGB array (H, W, 3). `boxes` are (P, 4) of
        x1, y1, x2, y2 in pixels of the picture. Without boxes a bottom-up network finds everybody; to a top-down one
        the whole picture is one person (which the recipe may look for first, see `testing.search`).
        `box_scores` (P,), as a detector gives them, multiply the poses' scores. Keypoints are in pixels of the picture.
        Raises `HRNetError` for pictures and boxes that cannot be used.
        """
        if boxes is None and self.by_boxes:
            return self.without_boxes(image)
        pixels = opened(image)
        name = "" if isinstance(image, np.ndarray) else f"{image}: "
        checked = None if boxes is None else checked_boxes(boxes, pixels.shape[1], pixels.shape[0], name)
        if checked is not None and not self.takes_boxes:
            raise HRNetError(f"{name}{self.recipe.name} takes no boxes: leave them out")
        scores = None if box_scores is None else np.asarray(box_scores, float)
        check_scores(scores, 1 if checked is None else len(checked), name)
        return next(self.inference.predict([(pixels, checked, scores)]))

    def stream(self, items: Iterable[tuple[Any, Boxes | None, Any]]) -> Iterator[list[Any] | HRNetError]:
        """The results of many pictures, in order, with everything kept busy: pictures are read and cropped ahead of the
        network, and several share batches. Memory does not grow with their number.

        `items` yields `(image, boxes, box_scores)` as a call takes them; the image may be a function that reads it.
        A picture that cannot be used answers with its `HRNetError`, and the others go on.
        """
        for without, group in groupby(items, key=lambda item: item[1] is None):
            answering = self.without_boxes if without else self
            yield from answering.inference.attempt(answering.checked_item(*item) for item in group)

    def checked_item(self, image: Any, boxes: Boxes | None, box_scores: Any) -> tuple[Any, np.ndarray | None, Any]:
        """An item as the inference takes it: the picture as a function that reads it and checks the boxes."""
        name = f"{image}: " if isinstance(image, str | Path) else ""
        scores = None if box_scores is None else np.asarray(box_scores, float)

        def read() -> np.ndarray:
            pixels: np.ndarray = image() if callable(image) else opened(image)  # type: ignore[assignment]
            if boxes is not None:
                if not self.takes_boxes:
                    raise HRNetError(f"{name}{self.recipe.name} takes no boxes: leave them out")
                check_scores(scores, len(checked_boxes(boxes, pixels.shape[1], pixels.shape[0], name)), name)
            return pixels

        try:
            array = None if boxes is None else np.array(boxes, float).reshape(-1, 4)
        except (TypeError, ValueError):
            array = np.zeros((0, 4))  # what is wrong is told when the picture is read
        return read, array, scores

    def draw(self, image: str | Path | np.ndarray, results: Sequence[Pose], min_score: float = 0.3) -> np.ndarray:
        """The picture (H, W, 3) RGB with poses drawn; joints scored below `min_score` are left out."""
        return self.recipe.draw(opened(image), results, min_score)


def engine_for(recipe: Recipe, weights: Path, wish: Wish) -> Choice:
    """The engine that a user means, for a recipe's network with the weights of a file, or for an exported network."""
    if weights.suffix in FORMATS:
        meta = read_exported(weights)
        key = f"{file_digest(weights)} {weights.suffix}"
        network = Network(key, recipe.probe_size, None, recipe.free, file=weights, meta=meta)
    else:
        must_be_a_file(weights)
        key = network_key(recipe, weights)
        build, int8 = (lambda: loaded(recipe, weights)), proven_int8(key)
        network = Network(key, recipe.probe_size, build, recipe.free, int8=int8, decoding=recipe.decoding)
    return choose(network, wish, judge_for(recipe))


def network_key(recipe: Recipe, weights: Path) -> str:
    """What tells a network with its weights apart from every other."""
    return digest(file_digest(weights), recipe.name.split("/")[0], recipe.model.model_dump_json())


def loaded(recipe: Recipe, weights: Path) -> "nn.Module":
    """The recipe's network with the weights of a file, ready to predict."""
    network = recipe.model.build()
    load_weights(network, weights)
    return network.eval()


def open_exported(file: Path) -> Engine:
    """The engine that an exported file is made for, in the precision in which it was written."""
    meta = read_exported(file)
    return engine_of(Way(OWN_ENGINE[file.suffix], meta["precision"]), Network("", (0, 0), None, file=file, meta=meta))


def judge_for(recipe: Recipe) -> Judge:
    """How well two engines agree on pictures of drawn people, by the measure of the recipe's task."""

    @cache
    def answers(engine: Engine) -> list[list[Any]]:
        return list(recipe.probed.inference(engine).predict(drawn_items(recipe)))

    def judge(engine: Engine, reference: Engine) -> Agreement:
        verdict = recipe.agreement(answers(engine), answers(reference), engine.precision)
        return verdict or outputs_agree(engine, reference, pictures_for(recipe))

    return judge


def pictures_for(recipe: Recipe) -> list[np.ndarray]:
    """Batches of drawn people (B, H, W, 3) uint8 as the network sees them: of the recipe's size, and of a larger one
    where the task feeds many sizes, because a graph may have taken one for a constant."""
    width, height = recipe.probe_size
    sizes = [(width, height)] + [(width + 64, height + 128)] * recipe.any_size
    return [np.stack([each.read() for each in figures(2, size=size).records]) for size in sizes]


def drawn_items(recipe: Recipe) -> list[tuple[np.ndarray, np.ndarray, None]]:
    """Pictures of drawn people, of the size at which engines are compared, with their boxes."""
    records = figures(4 if recipe.any_size else 16, size=recipe.probe_size).records
    return [(record.read(), record.boxes, None) for record in records]


def check_device(device: str) -> None:
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


def check_scores(scores: np.ndarray | None, count: int, name: str) -> None:
    """Refuse scores that are not one per box."""
    if scores is not None and scores.shape != (count,):
        raise HRNetError(f"{name}box_scores have shape {scores.shape}, expected ({count},), one per box")


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
