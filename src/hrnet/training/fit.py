"""The fitting loop: Lightning's Trainer around a network, a loss and a score. It knows no task."""

import csv
import io
import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from hrnet.errors import HRNetError
from hrnet.images import MEAN, STD, write_text
from hrnet.settings import Optim, Recipe, Training

Loss = Callable[..., Tensor]
Score = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Run:
    """Where a run's results go and how it is judged.

    `score(network)` gives validation figures, and the one named `metric` decides which weights are best; without a
    score none are. `save(network, name)` writes weights for users, `say` gets one line per epoch. `resume` is a
    `last.ckpt` to go on from.
    """

    folder: Path
    save: Callable[[nn.Module, str], None]
    score: Score | None = None
    metric: str | None = None
    say: Callable[[str], None] = lambda line: None
    resume: Path | None = None


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index) in an order that depends on seed and epoch alone, so that a resumed run sees the same."""

    def __init__(self, samples: Sized, seed: int, epoch: int = 0) -> None:
        self.samples, self.seed, self.epoch = samples, seed, epoch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = torch.randperm(
            len(self), generator=torch.Generator().manual_seed(hash((self.seed, self.epoch)) % 2**63)
        )
        return ((self.epoch, int(index)) for index in order)


class Fitting(L.LightningModule):
    """A network being fitted: one training step, one optimiser, one validation by a score."""

    def __init__(self, network: nn.Module, loss: Loss, score: Score | None, optim: Optim) -> None:
        super().__init__()
        self.network, self.loss, self.score, self.optim = network, loss, score, optim

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        images, *targets = batch
        loss = self.loss(self.network(normalised(images)), *targets)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Tensor, index: int) -> None:
        assert self.score is not None
        with torch.compiler.set_stance("force_eager"):  # validation's batches have sizes of their own
            figures = self.score(self.network)
        for name, value in figures.items():
            self.log(f"val/{name}", value, batch_size=1)

    def configure_optimizers(self) -> Any:
        optim = self.optim
        optimizer = optimizer_of(self.network, optim)
        steps = int(self.trainer.estimated_stepping_batches)
        per_epoch = max(1, steps // (self.trainer.max_epochs or 1))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(optim, step, steps, per_epoch))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def normalised(images: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) uint8 RGB as a network's input (B, 3, H, W), channels last in memory."""
    mean, std = mean_and_deviation(images.device)
    return ((images / 255 - mean) / std).permute(0, 3, 1, 2)


@cache
def mean_and_deviation(device: torch.device) -> tuple[Tensor, Tensor]:
    """The constants on a device, brought there once: every copy would make the processor wait for the device."""
    return torch.from_numpy(MEAN).to(device), torch.from_numpy(STD).to(device)


def optimizer_of(network: nn.Module, optim: Optim) -> torch.optim.Optimizer:
    """The optimiser of a network's weights, those of the head in a group with a rate of their own."""
    head = [p for name, p in network.named_parameters() if any(part in name for part in optim.head_names)]
    others = {id(p) for p in head}
    groups: list[dict[str, Any]] = [{"params": [p for p in network.parameters() if id(p) not in others]}]
    if head:
        groups.append({"params": head, "lr": optim.lr * optim.head_lr})
    if optim.name == "sgd":
        return torch.optim.SGD(
            groups, optim.lr, optim.momentum, weight_decay=optim.weight_decay, nesterov=optim.nesterov
        )
    if optim.name == "adamw":
        return torch.optim.AdamW(groups, optim.lr, weight_decay=optim.weight_decay)
    return torch.optim.Adam(groups, optim.lr)


def rate(optim: Optim, step: int, steps: int, per_epoch: int) -> float:
    """The learning rate at a step, as a share of its highest."""
    rising = optim.warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    if optim.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, steps - rising))))
    if optim.schedule == "poly":
        # The published loop sets the rate after a step, from that step's number: the first two have the same.
        return (1 - max(step - 1, 0) / steps) ** 0.9
    if optim.schedule == "steps":
        return 0.1 ** sum(step // per_epoch >= milestone for milestone in optim.milestones)
    return 1.0


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
            self.run.save(averaged_network(trainer, pl_module), "best")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loss, epoch = float(trainer.callback_metrics["train/loss"]), trainer.current_epoch + 1
        if not math.isfinite(loss):
            raise HRNetError(f"the loss is {loss} in epoch {epoch}: lower optim.lr")
        figures, self.scores = {"train/loss": loss, **self.scores}, {}
        self.rows.append({"epoch": epoch, **figures})
        write_text(self.run.folder / "metrics.csv", as_csv(self.rows))
        scores = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        minutes = (time.monotonic() - self.started) / 60
        self.run.say(f"epoch {epoch}/{trainer.max_epochs}  {scores}  {minutes:.1f} min")

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.run.save(averaged_network(trainer, pl_module), "last")

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt) and trainer.global_step:
            self.run.save(averaged_network(trainer, pl_module), "last")
            self.run.say("interrupted: the weights so far are in last.safetensors; go on with --resume")


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


def fit(network: nn.Module, samples: Any, loss: Loss, recipe: Recipe, run: Run) -> None:
    """Fit `network` to `samples[epoch, index] -> (picture (H, W, 3) uint8, *targets)` and fill the run's folder.

    A resumed run goes on exactly as if it had not stopped: every epoch starts from its own seed, and what was done
    inside an unfinished epoch is done again.
    """
    training = recipe.training
    quiet()
    if training.compile:
        network.compile()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = Fitting(network, loss, run.score, recipe.optim)
    once = DataLoader([0]) if run.score else None  # type: ignore[arg-type]
    try:
        trainer_of(training, run).fit(
            module, loader_of(samples, training, run.resume), once, ckpt_path=run.resume, weights_only=True
        )
    except HRNetError as error:
        # A worker's error arrives with the worker's traceback around it; its last line is the sentence.
        raise HRNetError(str(error).strip().splitlines()[-1].removeprefix("hrnet.errors.HRNetError: ")) from None


def trainer_of(training: Training, run: Run) -> L.Trainer:
    """Lightning's Trainer with our callbacks: averaged weights first, then what reports and saves them."""
    callbacks: list[Callback] = [averaging(training.ema_decay)] if training.ema_decay else []
    callbacks.append(Reporting(run))
    callbacks.append(checkpoint(run.folder, "last", save_on_train_epoch_end=True))
    if run.metric:
        callbacks.append(checkpoint(run.folder, "best", monitor=f"val/{run.metric}", mode="max"))
    return L.Trainer(
        default_root_dir=run.folder,
        accelerator="auto",
        devices=1,
        benchmark=True,  # CUDA looks for the quickest convolutions once; sizes do not change
        max_epochs=training.epochs,
        precision="bf16-mixed" if training.precision == "bf16" else "32-true",
        accumulate_grad_batches=training.accumulate,
        check_val_every_n_epoch=min(training.validate_every, training.epochs),
        logger=TensorBoardLogger(run.folder, name="", version="logs"),
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_progress_bar=sys.stdout.isatty(),
        enable_model_summary=False,
        log_every_n_steps=1,
        use_distributed_sampler=False,
    )


def checkpoint(folder: Path, name: str, **when: Any) -> ModelCheckpoint:
    """One file `name.ckpt`, written anew each time."""
    return ModelCheckpoint(folder, name, save_last=False, enable_version_counter=False, **when)


def loader_of(samples: Any, training: Training, resume: Path | None) -> DataLoader:
    """Batches of samples; the last, smaller one of an epoch is dropped, unless it is the only one."""
    # Lightning names the epoch of a resumed run only after the workers have begun to fetch.
    first = torch.load(resume, map_location="cpu", weights_only=True)["epoch"] + 1 if resume else 0
    sampler = EpochSampler(samples, training.seed, first)
    return DataLoader(
        samples,
        training.batch_size,
        sampler=sampler,
        num_workers=training.workers,
        persistent_workers=training.workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=single_thread,
        drop_last=len(sampler) > training.batch_size,
    )


def single_thread(worker: int) -> None:
    """Workers leave the other cores to the network."""
    cv2.setNumThreads(0)


def quiet() -> None:
    """Lightning's notes about its own defaults say nothing to our users."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
