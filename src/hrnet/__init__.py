"""High-resolution networks: every published HRNet, trained, evaluated and fast.

    import hrnet
    predictor = hrnet.Predictor()
    poses = predictor("photo.jpg", boxes=[[x1, y1, x2, y2]])

Names are imported when first used, so that `import hrnet` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hrnet.catalogue import recipe as recipe
    from hrnet.catalogue import recipes as recipes
    from hrnet.errors import HRNetError as HRNetError
    from hrnet.errors import UsageError as UsageError
    from hrnet.evaluator import evaluate as evaluate
    from hrnet.geometry import Frame as Frame
    from hrnet.predictor import Predictor as Predictor
    from hrnet.results.pose import Pose as Pose
    from hrnet.trainer import train as train
    from hrnet.trunk import features as features
    from hrnet.weights.files import load_weights as load_weights

HOMES = {
    "Frame": "geometry",
    "HRNetError": "errors",
    "Pose": "results.pose",
    "Predictor": "predictor",
    "UsageError": "errors",
    "evaluate": "evaluator",
    "features": "trunk",
    "load_weights": "weights.files",
    "recipe": "catalogue",
    "recipes": "catalogue",
    "train": "trainer",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hrnet")
    if name not in HOMES:
        raise AttributeError(f"module 'hrnet' has no attribute {name!r}")
    return getattr(import_module(f"hrnet.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*HOMES, "__version__"])
