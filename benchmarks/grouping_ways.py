"""What the four ways of grouping find with the embedded bottom-up weights.

python benchmarks/grouping_ways.py COCO_VAL.json MOSAICS.json
"""

import sys

from hrnet.catalogue import resolve
from hrnet.engines.torch_engine import TorchEngine
from hrnet.weights.files import load_weights


def main(sets: list[str]) -> None:
    recipe, weights = resolve(None, None, "pose_bottomup")
    network = recipe.model.build()
    load_weights(network, weights)
    engine = TorchEngine(network, "cpu", "bf16", fused=True)
    for data in sets:
        for grouping in ("exact", "fast", "gated", "near"):
            chosen = recipe.but(testing__grouping=grouping)
            figures = chosen.evaluate(chosen.inference(engine), recipe.read(data))["metrics"]
            print(data, grouping, {name: figures[name] for name in ("AP", "AP50", "found", "invented")})


if __name__ == "__main__":
    main(sys.argv[1:])
