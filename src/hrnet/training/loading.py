"""Samples to batches: the order of an epoch, each process's share of it, and samples that cannot be read."""

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from hrnet.errors import HRNetError
from hrnet.images import MEAN, STD
from hrnet.settings import Samples, Training

log = logging.getLogger("hrnet")


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index) in an order that depends on seed and epoch alone, so that a resumed run sees the same.

    With several processes each takes every n-th of the order, so that their batches together are the batch that one
    process would have taken; what does not go round is left out.
    """

    def __init__(self, count: int, seed: int, epoch: int = 0) -> None:
        self.count, self.seed, self.epoch = count, seed, epoch
        alone = not (distributed.is_available() and distributed.is_initialized())
        self.rank, self.world = (0, 1) if alone else (distributed.get_rank(), distributed.get_world_size())

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.world

    def __iter__(self) -> Iterator[tuple[int, int]]:
        seed = hash((self.seed, self.epoch)) % 2**63
        order = torch.randperm(self.count, generator=torch.Generator().manual_seed(seed))
        return ((self.epoch, int(index)) for index in order[self.rank :: self.world][: len(self)])


class Readable(Dataset):
    """Samples, where one that cannot be read is reported once and its neighbour taken instead.

    One sample always may be unreadable; raises `HRNetError` once more than `share` of all were. Workers count together.
    """

    def __init__(self, samples: Samples, share: float) -> None:
        self.samples, self.share = samples, share
        self.unreadable = torch.zeros(len(samples), dtype=torch.bool).share_memory_()

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
        epoch, index = key
        for step in range(len(self.samples)):
            at = (index + step) % len(self.samples)
            if self.unreadable[at]:
                continue
            try:
                return self.samples[epoch, at]
            except HRNetError as error:
                self.unreadable[at] = True
                self.report(error)
        raise HRNetError("none of the samples can be read: hrnet check names what is wrong")

    def report(self, error: HRNetError) -> None:
        """Say what was passed over, or that it was too much."""
        count, total = int(self.unreadable.sum()), len(self.samples)
        if count > max(1, self.share * total):
            raise HRNetError(
                f"{count} of {total} samples cannot be read, more than training.broken={self.share:g} allows: "
                f"find them all with hrnet check; the last: {error}"
            ) from None
        log.warning("passed over: %s (%d of %d samples so far)", error, count, total)


def normalised(images: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) uint8 RGB as a network's input (B, 3, H, W), channels last in memory."""
    mean, std = mean_and_deviation(images.device)
    return ((images / 255 - mean) / std).permute(0, 3, 1, 2)


@cache
def mean_and_deviation(device: torch.device) -> tuple[Tensor, Tensor]:
    """The constants on a device, brought there once: every copy would make the processor wait for the device."""
    return torch.from_numpy(MEAN).to(device), torch.from_numpy(STD).to(device)


def loader_of(samples: Samples, training: Training, resume: Path | None) -> DataLoader:
    """Batches of samples; the last, smaller one of an epoch is dropped, unless it is the only one."""
    # Lightning names the epoch of a resumed run only after the workers have begun to fetch.
    first = torch.load(resume, map_location="cpu", weights_only=True)["epoch"] + 1 if resume else 0
    sampler = EpochSampler(len(samples), training.seed, first)
    return DataLoader(
        Readable(samples, training.broken),
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
