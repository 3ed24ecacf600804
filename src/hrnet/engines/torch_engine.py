"""PyTorch as an engine."""

import numpy as np
import torch
from torch import nn


class TorchEngine:
    """Runs a torch module as it is, in float32 (or under bf16 autocast), on the CPU or on CUDA where there is one."""

    def __init__(self, network: nn.Module, device: str | None = None, precision: str = "fp32") -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name, self.precision = f"torch ({self.device})", precision

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """Maps of a batch (B, 3, H, W), each (B, K, h, w) float32."""
        images = torch.from_numpy(batch).to(self.device, memory_format=torch.channels_last)
        bf16 = self.precision == "bf16"
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            maps = self.network(images)
        outputs = maps if isinstance(maps, tuple) else (maps,)
        return tuple(output.float().cpu().numpy() for output in outputs)
