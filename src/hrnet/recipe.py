"""The types a recipe is made of; `tasks/*/recipes.py` fills them in, each task adding its model, codec and data."""

from typing import Literal

from pydantic import Field

from hrnet.settings import Settings


class Optim(Settings):
    """How weights are moved. The defaults are the published pose recipe's (Adam 1e-3, ten times less at 170 and 200)."""

    name: Literal["adam", "adamw"] = Field("adam", description="optimiser; adamw uses weight_decay, adam ignores it")
    lr: float = Field(1e-3, gt=0, description="learning rate at its highest")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled weight decay of adamw")
    schedule: Literal["steps", "cosine", "constant"] = Field("steps", description="how the learning rate falls")
    milestones: tuple[int, ...] = Field((170, 200), description="epochs at which `steps` divides the rate by ten")
    warmup: float = Field(0.0, ge=0, lt=1, description="share of all steps in which the rate first rises from zero")


class Training(Settings):
    """How long, how much at once, and with what precision."""

    epochs: int = Field(210, gt=0)
    batch_size: int = Field(32, gt=0, description="pictures per step and device")
    accumulate: int = Field(1, gt=0, description="steps whose gradients are added up before weights move")
    precision: Literal["32", "bf16"] = Field("32", description="bf16 is mixed precision")
    ema_decay: float = Field(0.0, ge=0, lt=1, description="decay of the averaged weights; 0 keeps none")
    seed: int = Field(0, ge=0)
    workers: int = Field(1, ge=0, description="processes that prepare samples")
    validate_every: int = Field(1, gt=0, description="epochs between two validations")
    compile: bool = Field(False, description="torch.compile the network (needs a C++ compiler)")


class Published(Settings):
    """What the papers or the repository report for a recipe; `metric` names data and protocol."""

    score: float
    metric: str
    source: str


class Recipe(Settings):
    """Everything that determines a training, as a row of a paper's table."""

    name: str
    optim: Optim = Optim()
    training: Training = Training()
    published: Published | None = None
