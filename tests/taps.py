"""Comparing what modules put out on the way with what the published code's modules did."""

import numpy as np
import torch


class Taps:
    """What modules put out, by name and in order; `stage3.out1` is the second stream of a list."""

    def __init__(self, network: torch.nn.Module, names: list[str]) -> None:
        self.seen: dict[str, torch.Tensor] = {}
        modules = sorted({name.partition(".out")[0] for name in names})
        self.hooks = [network.get_submodule(m).register_forward_hook(self.keep(m)) for m in modules]

    def keep(self, module: str):
        def hook(_, __, output):
            parts = {f"{module}.out{i}": x for i, x in enumerate(output)} if isinstance(output, list) else {}
            self.seen |= {name: x.clone() for name, x in (parts or {module: output}).items()}

        return hook

    def __enter__(self) -> dict[str, torch.Tensor]:
        return self.seen

    def __exit__(self, *_) -> None:
        for hook in self.hooks:
            hook.remove()


def stat(values: torch.Tensor) -> list[float]:
    """Mean, deviation, lowest and highest."""
    values = values.double()
    return [f(values).item() for f in (torch.mean, lambda x: x.std(correction=0), torch.min, torch.max)]


def agrees(found: torch.Tensor, golden: dict[str, np.ndarray], prefix: str, name: str) -> None:
    """Assert that a module's output is the published one: some of its cells, and the whole's statistics."""
    rows, columns, *channels = golden[f"{prefix}/index/{name}"]
    sample = found[:, channels] if found.ndim < 4 else found[:, channels, ::rows, ::columns]
    np.testing.assert_allclose(sample, golden[f"{prefix}/sample/{name}"], rtol=1e-4, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(stat(found), golden[f"{prefix}/stat/{name}"], rtol=1e-4, atol=1e-5, err_msg=name)
