"""The fitting loop: Lightning's Trainer around a network, a loss and a score. It knows no task."""

import logging
import math
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from hrnet.errors import HRNetError
from hrnet.nets.backbone import HighResolutionModule
from hrnet.settings import Optim, Recipe, Samples, Training
from hrnet.training.loading import loader_of, normalised
from hrnet.training.memory import memory_kept
from hrnet.training.reporting import Reporting, Run, averaging

Loss = Callable[..., Tensor]


class Fitting(L.LightningModule):
    """A network being fitted: one training step, one optimiser, one validation by a score."""

    def __init__(self, network: nn.Module, loss: Loss, samples: Samples, recipe: Recipe, run: Run) -> None:
        super().__init__()
        self.network, self.loss, self.samples = network, loss, samples
        self.score, self.resume = run.score, run.resume
        self.optim, self.training_settings = recipe.optim, recipe.training

    def train_dataloader(self) -> DataLoader:
        """Asked for once the processes know of each other."""
        return loader_of(self.samples, self.training_settings, self.resume)

    def val_dataloader(self) -> DataLoader | list:
        """One batch that holds nothing: the score reads its own pictures."""
        return DataLoader([0]) if self.score else []  # type: ignore[arg-type]

    def train(self, mode: bool = True) -> "Fitting":
        """As in torch; frozen batch norms keep the statistics that they came with."""
        super().train(mode)
        if self.training_settings.batch_norm == "frozen":
            for layer in self.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        return self

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        images, *targets = batch
        loss = self.loss(self.network(normalised(images)), *targets)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(images), sync_dist=True)
        return loss

    def validation_step(self, batch: Tensor, index: int) -> None:
        assert self.score is not None
        with torch.compiler.set_stance("force_eager"):  # validation's batches have sizes of their own
            figures = self.score(self.network)
        self.train()
        for name, value in figures.items():
            self.log(f"val/{name}", value, batch_size=1)

    def configure_optimizers(self) -> Any:
        training = self.training_settings
        batch = training.batch_size * training.accumulate * self.trainer.world_size
        optim = self.optim.but(lr=self.optim.lr * scale_of(self.optim, batch))
        optimizer = optimizer_of(self.network, optim)
        steps = int(self.trainer.estimated_stepping_batches)
        per_epoch = max(1, steps // (self.trainer.max_epochs or 1))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(optim, step, steps, per_epoch))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def scale_of(optim: Optim, batch: int) -> float:
    """What the rate is multiplied by for a step of `batch` pictures where `optim.lr_for_batch` names another size.

    SGD's rate goes with the batch (Goyal et al., 2017), Adam's with its square root (Malladi et al., NeurIPS 2022).
    """
    ratio = batch / (optim.lr_for_batch or batch)
    return ratio if optim.name == "sgd" else math.sqrt(ratio)


def optimizer_of(network: nn.Module, optim: Optim) -> torch.optim.Optimizer:
    """The optimiser of a network's weights, those of the head in a group with a rate of their own."""
    head = [p for name, p in network.named_parameters() if any(part in name for part in optim.head_names)]
    others = {id(p) for p in head}
    groups: list[dict[str, Any]] = [{"params": [p for p in network.parameters() if id(p) not in others]}]
    if head:
        groups.append({"params": head, "lr": optim.lr * optim.head_lr})
    if optim.name == "sgd":
        return torch.optim.SGD(
            groups, optim.lr, optim.momentum, weight_decay=optim.weight_decay, nesterov=optim.nesterov, fused=True
        )
    if optim.name == "adamw":
        return torch.optim.AdamW(groups, optim.lr, weight_decay=optim.weight_decay, fused=True)
    return torch.optim.Adam(groups, optim.lr, fused=True)


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


def fit(network: nn.Module, samples: Samples, loss: Loss, recipe: Recipe, run: Run) -> None:
    """Fit `network` to `samples[epoch, index] -> (picture (H, W, 3) uint8, *targets)` and fill the run's folder.

    A resumed run goes on exactly as if it had not stopped: every epoch starts from its own seed, and what was done
    inside an unfinished epoch is done again.
    """
    training = recipe.training
    quiet()
    if training.batch_norm == "sync" and not torch.cuda.is_available():
        raise HRNetError("training.batch_norm=sync needs CUDA devices: use own or frozen here")
    for module in network.modules():
        if isinstance(module, HighResolutionModule):
            module.recompute = training.recompute
    if training.compile:
        network.compile()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = Fitting(network, loss, samples, recipe, run).train()
    trainer = trainer_of(training, run)
    try:
        with memory_kept():
            trainer.fit(module, ckpt_path=run.resume, weights_only=True)
    except (SystemExit, RuntimeError) as error:
        # Lightning ends the process itself, with 1 after Ctrl-C and with 0 after SIGTERM, unless the end of a worker is
        # noticed before. The status becomes that of other programs.
        if isinstance(error, RuntimeError) and not trainer.received_sigterm:
            raise
        raise SystemExit(128 + (signal.SIGTERM if trainer.received_sigterm else signal.SIGINT)) from None
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
    devices, nodes = processes(training)
    if nodes == 1 and sys.platform == "linux":
        # Left to itself, gloo takes the host name's address and waits for ever where that leads nowhere.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return L.Trainer(
        default_root_dir=run.folder,
        accelerator="auto",
        devices=devices,
        num_nodes=nodes,
        sync_batchnorm=training.batch_norm == "sync",
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


def processes(training: Training) -> tuple[int, int]:
    """Devices of each machine, and machines: as asked, else as torchrun started us, else one."""
    if "LOCAL_WORLD_SIZE" not in os.environ:  # torchrun sets it; Lightning's own processes see WORLD_SIZE alone
        return training.devices or 1, training.nodes or 1
    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    return training.devices or local, training.nodes or world // local


def first_process() -> bool:
    """Whether this is the one process that writes and says, or the only one."""
    return rank_zero_only.rank == 0


def checkpoint(folder: Path, name: str, **when: Any) -> ModelCheckpoint:
    """One file `name.ckpt`, written anew each time."""
    return ModelCheckpoint(folder, name, save_last=False, enable_version_counter=False, **when)


def quiet() -> None:
    """Lightning's notes about its own defaults say nothing to our users."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
