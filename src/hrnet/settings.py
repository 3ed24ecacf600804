"""What recipes are made of: frozen, validated values, changed by dotted paths.

The parts that every task shares stand here; each task adds its model, codec and data in `tasks/*/settings.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hrnet.errors import UsageError, nearest

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from hrnet.engines.engine import Engine
    from hrnet.engines.inference import Inference
    from hrnet.results.agreement import Agreement


PROBE_PIXELS = 1 << 16
Scale = Annotated[float, Field(ge=0.05, le=8)]  # of a picture: below, nothing is left of it
Free = Literal["batch", "size", "fractions"]  # what a graph leaves open; fractions: values between bytes


class Settings(BaseModel):
    """A frozen group of values; unknown fields and wrong types are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def but(self, **changes: Any) -> Self:
        """Return a copy with some values changed; `__` steps into a group: `but(optim__lr=1e-4)`."""
        return self.override({name.replace("__", "."): value for name, value in changes.items()})

    def override(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with dotted paths changed, e.g. `{"optim.lr": "1e-4"}`; text is read as YAML.

        Raises `UsageError` naming the field, what it takes, and for an unknown field the nearest existing one.
        """
        data = self.model_dump()
        for path, value in changes.items():
            self._put(data, path, value)
        try:
            return type(self).model_validate(data)
        except ValidationError as error:
            raise UsageError(describe(error)) from None

    def _put(self, data: dict[str, Any], path: str, value: Any) -> None:
        known = dict(self.paths())
        if path not in known and not any(name.startswith(path + ".") for name in known):
            raise UsageError(f"there is no recipe field {path!r}: {nearest(path, beside(path, known))}")
        *groups, leaf = path.split(".")
        for group in groups:
            data = data[group]
        if isinstance(value, BaseModel):
            data[leaf] = value.model_dump()
            return
        read = read_value(value)
        stays = isinstance(data[leaf], str) and not (isinstance(read, list) and self._annotation(path) is not str)
        data[leaf] = value if stays else read  # text for a text field stays so, but a list where it may be one

    def _annotation(self, path: str) -> Any:
        """The annotated type of a field."""
        *groups, leaf = path.split(".")
        holder: Any = self
        for name in groups:
            holder = getattr(holder, name)
        return type(holder).model_fields[leaf].annotation

    def paths(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield every dotted path of this group with its value."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Settings):
                yield from value.paths(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    def to_yaml(self) -> str:
        """Return the values as YAML, as they are kept in a run folder."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def beside(path: str, known: Iterable[str]) -> list[str]:
    """The fields of the group that an unknown path most likely means, or the groups where none is close."""
    known = list(known)
    close = get_close_matches(path, known, 1)
    if not close:
        return list(dict.fromkeys(name.split(".")[0] for name in known))
    return [name for name in known if name.rpartition(".")[0] == close[0].rpartition(".")[0]]


def read_value(value: Any) -> Any:
    """Read a value given as text (`"1e-4"`, `"[1, 2]"`, `"true"`); anything else passes through."""
    if not isinstance(value, str):
        return value
    try:
        return float(value) if "e" in value.lower() else yaml.safe_load(value)
    except (ValueError, yaml.YAMLError):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value


def describe(error: ValidationError) -> str:
    """One sentence for the first fault that pydantic found."""
    fault = error.errors()[0]
    where, message = ".".join(str(part) for part in fault["loc"]), fault["msg"].removeprefix("Value error, ")
    if not where:
        return message  # about fields that do not go together, which it names
    if fault["type"] in ("missing", "extra_forbidden"):
        return f"{where} {'is missing' if fault['type'] == 'missing' else 'is no field of it'}"
    return f"{where} cannot be {fault['input']!r}: {message[0].lower()}{message[1:]}"


class Optim(Settings):
    """How weights are moved. The defaults are the published pose recipe's: Adam 1e-3, a tenth from 170 and 200 on."""

    name: Literal["adam", "adamw", "sgd"] = Field(default="adam", description="optimiser")
    lr: float = Field(default=1e-3, gt=0, description="learning rate at its highest")
    lr_for_batch: int = Field(
        default=0, ge=0, description="pictures per step that lr belongs to; other batches scale it (0: they do not)"
    )
    weight_decay: float = Field(
        default=1e-4, ge=0, description="of all weights; decoupled for adamw, and ignored by adam"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd")
    nesterov: bool = Field(default=False, description="sgd looks ahead")
    head_names: tuple[str, ...] = Field(
        default=(), description="weights with one of these in their name learn at `head_lr` times the rate"
    )
    head_lr: float = Field(default=1.0, gt=0, description="rate of the head's weights, as a multiple of lr")
    schedule: Literal["steps", "cosine", "constant", "poly"] = Field(
        default="steps", description="how the learning rate falls; poly is (1 - done) ** 0.9"
    )
    milestones: tuple[int, ...] = Field(
        default=(170, 200), description="epochs at which `steps` divides the rate by ten"
    )
    warmup: float = Field(
        default=0.0, ge=0, lt=1, description="share of all steps in which the rate first rises from zero"
    )


class Training(Settings):
    """How long, how much at once, and with what precision."""

    epochs: int = Field(default=210, gt=0)
    batch_size: int = Field(default=32, gt=0, description="pictures per step and device")
    accumulate: int = Field(default=1, gt=0, description="steps whose gradients are added up before weights move")
    devices: int = Field(default=0, ge=0, description="devices of each machine; 0: as torchrun started us, or one")
    nodes: int = Field(default=0, ge=0, description="machines; 0: as torchrun started us, or one")
    batch_norm: Literal["own", "sync", "frozen"] = Field(
        default="own",
        description="statistics of each device's batch, of all devices' (CUDA), or those that the weights bring",
    )
    recompute: bool = Field(
        default=False, description="compute the streams again in the backward pass: less memory, a third more time"
    )
    broken: float = Field(
        default=0.01, ge=0, lt=1, description="share of samples that may be unreadable and are then passed over"
    )
    precision: Literal["32", "bf16"] = Field(default="32", description="bf16 is mixed precision")
    ema_decay: float = Field(default=0.0, ge=0, lt=1, description="decay of the averaged weights; 0 keeps none")
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=1, ge=0, description="processes that prepare samples")
    validate_every: int = Field(default=1, gt=0, description="epochs between two validations")
    compile: bool = Field(default=False, description="torch.compile the network (needs a C++ compiler)")


class Published(Settings):
    """What the papers or the repository report for a recipe; `metric` names data and protocol."""

    score: float
    metric: str
    source: str


class Model(Settings, ABC):
    """What a network is built from; `input_size` is the width and height that it is trained and costed at."""

    input_size: tuple[int, int]

    @abstractmethod
    def build(self) -> "nn.Module":
        """The network with starting weights; `forward` takes (B, 3, H, W), normalised RGB."""


class DataSet(Protocol):
    """One split of a data set: its annotated pictures, and the figure by which weights are judged on it."""

    name: str
    records: Sequence[Any]

    @property
    def headline(self) -> str: ...


class Samples(Protocol):
    """What a network is shown: `samples[epoch, index]` is `(picture (H, W, 3) uint8 RGB, *targets)`, NumPy arrays."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: tuple[int, int]) -> "tuple[np.ndarray, ...]": ...


class Recipe(Settings, ABC):
    """Everything that determines a training, as a row of a paper's table.

    A recipe also opens the rooms of its task, so that every verb walks the same corridor whatever the task is.
    """

    results: ClassVar[str] = "poses"  # the kind of its results: "poses", "label_maps" or "classes"
    free: ClassVar[tuple[Free, ...]] = ("batch",)  # what differs between the pictures that prediction feeds a network

    name: str
    model: Model
    optim: Optim = Optim()
    training: Training = Training()
    published: Published | None = None

    @abstractmethod
    def read(self, data: str | Path, split: str = "val", images: Sequence[Path] = ()) -> DataSet:
        """The records of a data set; `images` are folders to look for its pictures in."""

    @abstractmethod
    def samples(self, sets: Sequence[Any]) -> Samples:
        """The records of data sets as training samples."""

    @abstractmethod
    def criterion(self) -> "Callable[..., Tensor]":
        """The loss: `criterion(outputs, *targets)` to one number, where `outputs` is what the network returns."""

    @abstractmethod
    def inference(self, engine: "Engine") -> "Inference[Any]":
        """The prediction path on an engine that runs the network."""

    @property
    def any_size(self) -> bool:
        """Whether prediction feeds the network other sizes than `model.input_size`."""
        return "size" in self.free

    @property
    def probe_size(self) -> tuple[int, int]:
        """Width and height at which engines are measured and compared: the input's, or about as many pixels as
        `PROBE_PIXELS` in its proportions where the task feeds whole pictures, which may be large."""
        if not self.any_size:
            return self.model.input_size
        width, height = self.model.input_size
        shrink = min(1.0, (PROBE_PIXELS / (width * height)) ** 0.5)
        return max(32, round(width * shrink / 32) * 32), max(32, round(height * shrink / 32) * 32)

    @property
    def probed(self) -> "Recipe":
        """The recipe by whose results engines are compared: itself, with nothing that only costs time and memory."""
        return self

    def agreement(self, found: Sequence[Any], reference: Sequence[Any], precision: str) -> "Agreement | None":
        """How well the results of two engines agree on the same items, judged by the budget of a precision; None where
        the task has no measure of its own, and the engines' outputs are compared instead."""
        return None

    def decoding(self, network: "nn.Module") -> "nn.Module | None":
        """The network with decoding at its end, as one torch module with `decodes = True`, which the task's inference
        then leaves out; None where the task's decoding does not fit into a graph."""
        return None

    @abstractmethod
    def evaluate(self, inference: Any, data: Any) -> dict[str, Any]:
        """Predict a data set and score it: `{"metrics": {name: value, ...}, "people" or "pictures": ..., ...}`."""

    @abstractmethod
    def shown(self, record: Any) -> "tuple[np.ndarray, np.ndarray | None]":
        """The picture of a record, and the boxes (P, 4) that evaluation gives for it, None where it gives none."""

    @abstractmethod
    def draw(self, image: "np.ndarray", results: Sequence[Any], min_score: float) -> "np.ndarray":
        """The picture (H, W, 3) RGB with results drawn."""
