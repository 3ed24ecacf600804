"""What a run reports and keeps: a line per epoch, metrics.csv, and weights for users; averaged weights."""

import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import nn

from hrnet.errors import HRNetError
from hrnet.images import write_text

Score = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Run:
    """Where a run's results go and how it is judged.

    `score(network)` gives validation figures, and the one named `metric` decides which weights are best; without a
    score none are. `save(network, name)` writes weights for users, `say` gets one line per epoch. `resume` is a
    `last.ckpt` to go on from. Of several processes only the first saves, says and writes.
    """

    folder: Path
    save: Callable[[nn.Module, str], None]
    score: Score | None = None
    metric: str | None = None
    say: Callable[[str], None] = lambda line: None
    resume: Path | None = None


def averaging(decay: float) -> WeightAveraging:
    """Exponentially averaged weights and batch-norm statistics; the decay rises from 0.1, so short runs gain too."""

    @torch.no_grad()
    def average(averaged: Any, current: Any, count: Any) -> None:
        now = min(decay, (1 + int(count)) / (10 + int(count)))
        if averaged[0].is_floating_point():  # they come in lists of one type
            torch._foreach_lerp_(averaged, current, 1 - now)  # type: ignore
        else:
            torch._foreach_copy_(averaged, current)  # type: ignore

    return WeightAveraging(multi_avg_fn=average)


class Reporting(Callback):
    """One line per epoch, on the screen and in metrics.csv, and weights for users whenever the score is the best so
    far or training is interrupted. The lines travel in the checkpoint, so that a resumed run's file holds them all."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.best, self.started = -math.inf, time.monotonic()
        self.scores: dict[str, float] = {}
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.rows = state_dict["best"], state_dict["rows"]

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.scores = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        value = self.scores.get(f"val/{self.run.metric}", -math.inf)
        if value > self.best:
            self.best = value
            self.save(trainer, pl_module, "best")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loss, epoch = float(trainer.callback_metrics["train/loss"]), trainer.current_epoch + 1
        if not math.isfinite(loss):
            raise HRNetError(f"the loss is {loss} in epoch {epoch}: lower optim.lr")
        figures, self.scores = {"train/loss": loss, **self.scores}, {}
        self.rows.append({"epoch": epoch, **figures})
        if not trainer.is_global_zero:
            return
        write_text(self.run.folder / "metrics.csv", as_csv(self.rows))
        scores = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        minutes = (time.monotonic() - self.started) / 60
        self.run.say(f"epoch {epoch}/{trainer.max_epochs}  {scores}  {minutes:.1f} min")

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.save(trainer, pl_module, "last")

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if (isinstance(exception, KeyboardInterrupt) or trainer.received_sigterm) and trainer.global_step:
            self.save(trainer, pl_module, "last")
            self.run.say("interrupted: the weights so far are in last.safetensors; go on with --resume")

    def save(self, trainer: L.Trainer, pl_module: L.LightningModule, name: str) -> None:
        """Weights for users; averaged ones where they are kept."""
        if trainer.is_global_zero:
            self.run.save(averaged_network(trainer, pl_module), name)


def as_csv(rows: list[dict[str, float]]) -> str:
    """Rows as CSV, a column for every name that occurs in one of them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def averaged_network(trainer: L.Trainer, pl_module: L.LightningModule) -> nn.Module:
    """The network with averaged weights where they are kept, else as it is."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, WeightAveraging) and callback._average_model is not None:
            return callback._average_model.module.network  # type: ignore[return-value]
    return pl_module.network  # type: ignore[return-value]
