"""Starting weights of the small bottom-up network.

    python benchmarks/bottomup_start.py OUT [BOTTOM_UP_WEIGHTS]

The trunk is that of the package's top-down network and the heads are new; or, with weights of an earlier bottom-up
network, the trunk is the mean of both trunks, and the heads are theirs.
"""

import sys
from pathlib import Path

import torch

import hrnet
from hrnet.catalogue import resolve
from hrnet.images import output_folder
from hrnet.weights.files import load_weights, save_weights


def main(out: Path, earlier: str | None = None) -> None:
    recipe = hrnet.recipe("pose_bottomup/small_512")
    torch.manual_seed(recipe.training.seed)
    network, (topdown, weights) = recipe.model.build(), resolve(None, None)
    trained, start = topdown.model.build(), network.state_dict()
    load_weights(trained, weights)
    trunk = {name: tensor for name, tensor in trained.state_dict().items() if not name.startswith("final_layer.")}
    if earlier is not None:
        before, file = resolve(earlier, None)
        found = before.model.build()
        load_weights(found, file)
        heads = found.state_dict()
        start = {name: heads[name] for name in start}  # of fewer residual blocks the first
        trunk = {name: (t + heads[name]) / 2 if t.is_floating_point() else t for name, t in trunk.items()}
    network.load_state_dict(start | trunk)
    output_folder(out.parent)
    save_weights(out, network, recipe.to_yaml(), {"from": [weights.name, earlier]}, half=False)
    print(f"{out}: {len(trunk)} tensors of the trunk, {len(start) - len(trunk)} of the heads")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
