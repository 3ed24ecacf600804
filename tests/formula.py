"""Weights and inputs by formula: the same tensors under the same names, here and in the published code.

What the published code answered with them lies in `reference/`; its README says how each file was made.
"""

import math
import zlib

import numpy as np
import torch
from torch import nn


def formula_input(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Standard-normal float32 numbers that depend on `name` and `shape` alone."""
    return seeded(f"input:{name}").standard_normal(shape).astype(np.float32)


def formula_array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The entry `name` of a state dict: its numbers depend on its name and shape alone."""
    rng, leaf = seeded(name), name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_var":
        numbers = rng.uniform(0.5, 1.5, shape)
    elif leaf == "weight" and len(shape) < 2:
        numbers = rng.uniform(0.4, 0.6, shape)
    elif leaf == "running_mean" or len(shape) < 2:
        numbers = 0.1 * rng.standard_normal(shape)
    else:
        numbers = math.sqrt(2.0 / math.prod(shape[1:])) * rng.standard_normal(shape)
    return np.asarray(numbers, np.float32)


def seeded(name: str) -> np.random.Generator:
    """The generator of a name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def filled(network: nn.Module) -> nn.Module:
    """The network on the CPU in eval mode, every entry by formula; it may have been built on the meta device."""
    network = network.to_empty(device="cpu")
    network.load_state_dict(
        {
            name: torch.from_numpy(formula_array(name, tuple(value.shape)))
            for name, value in network.state_dict().items()
        }
    )
    return network.eval()
