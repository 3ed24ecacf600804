"""Starting weights of the small bottom-up network: the trunk of the top-down network, and new heads.

python benchmarks/bottomup_start.py OUT [TOP_DOWN_WEIGHTS]
"""

import sys
from pathlib import Path

import torch

import hrnet
from hrnet.catalogue import resolve
from hrnet.errors import HRNetError
from hrnet.images import output_folder
from hrnet.weights.files import load_weights, save_weights


def main(out: Path, source: str | None = None) -> None:
    topdown, weights = resolve(source, None)
    recipe = hrnet.recipe("pose_bottomup/small_512")
    torch.manual_seed(recipe.training.seed)
    trained, network = topdown.model.build(), recipe.model.build()
    load_weights(trained, weights)
    found = {n: t for n, t in trained.state_dict().items() if not n.startswith("final_layer.")}
    missing = network.load_state_dict(found, strict=False)
    if missing.unexpected_keys:
        raise HRNetError(f"{weights} has another trunk than {recipe.name}: {missing.unexpected_keys[0]} is not in it")
    output_folder(out.parent)
    save_weights(out, network, recipe.to_yaml(), {"from": weights.name}, half=False)
    print(f"{out}: {len(found)} tensors of {weights.name}, {len(missing.missing_keys)} new ones")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
