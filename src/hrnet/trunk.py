"""The backbone alone: four maps of a picture, for networks of your own."""

from pathlib import Path
from typing import TYPE_CHECKING

from hrnet.catalogue import looks_like_file, recipe, resolve
from hrnet.errors import HRNetError
from hrnet.weights.files import embedded_weights

if TYPE_CHECKING:
    from hrnet.nets.backbone import HighResolutionNet


def features(name_or_path: str | Path, weights: str | Path | None = None) -> "HighResolutionNet":
    """The backbone of a recipe or of a weights file, in eval mode.

    `forward` takes (B, 3, H, W) of any size, RGB scaled to 0..1, less ImageNet's mean, over its deviation, and gives
    the streams, finest first: (B, C * 2**r, H / 4 / 2**r, W / 4 / 2**r) for r = 0..3, sides rounded up. A recipe's name
    without `weights`, and without ones that ship, gives starting weights. Heads in a file are left out. Pose networks
    of one stream have only the first map; `HRNetError` where a file lacks what the recipe's backbone needs.
    """
    from hrnet.nets.backbone import HighResolutionNet
    from hrnet.weights.files import load_weights

    if weights is None and not looks_like_file(str(name_or_path)):
        chosen = recipe(str(name_or_path))
        path = embedded_weights(chosen.name)
    else:
        chosen, path = resolve(name_or_path, weights)
    spec = getattr(chosen.model, "backbone", None)
    if spec is None:
        raise HRNetError(f"{chosen.name} has no high-resolution backbone: name another recipe")
    head = getattr(chosen.model, "head", "v1")
    network = HighResolutionNet(spec if head in ("v1", "v1h") else spec.but(outputs=4))
    if path is not None:
        load_weights(network, path)
    return network.eval()
