"""Turn the bottom-up weights of a run into the ones that ship: scored, with data, terms and figures in their header.

    python benchmarks/embed_bottomup.py WEIGHTS MOSAICS.json COCO_VAL.json

MOSAICS.json is what benchmarks/mosaics.py writes. Writes src/hrnet/weights/embedded/ and prints the table of
docs/weights.md.
"""

import sys
from itertools import product
from pathlib import Path

import hrnet
from hrnet.catalogue import recipe_in
from hrnet.weights.files import EMBEDDED, load_weights, read_meta, save_weights

NAME = "pose_bottomup/small_512"
LICENCE = "research use only (pictures of LSPET, COCO and other research sets)"


def main(source: Path, mosaics: str, coco: str) -> None:
    trained, recipe = recipe_in(source), hrnet.recipe(NAME)
    network = recipe.model.build()
    load_weights(network, source)
    trained = trained.but(testing=recipe.testing, refining=recipe.refining, augmentation__backgrounds="")
    card = {**read_meta(source)["card"], "epochs": trained.training.epochs, "licence": LICENCE}
    target = EMBEDDED / f"{NAME.replace('/', '-')}.safetensors"
    save_weights(target, network, trained.to_yaml(), card)
    scores = {}
    for (name, data), refine in product((("mosaics", mosaics), ("coco_people val", coco)), (False, True)):
        found = hrnet.evaluate(hrnet.Predictor(target, device="cpu", refine=refine), data)
        name += ", looked at again" * refine
        scores[name] = {key: found[key] for key in ("metrics", "interval", "well_labelled", "pictures")}
        for metric in ("found", "invented", "AP", "AP50"):
            low, high = found["interval"].get(metric, (None, None))
            span = "-" if low is None else f"{low:.3f} to {high:.3f}"
            print(f"| {name}, {found['well_labelled']} people | {metric} | {found['metrics'][metric]:.3f} | {span} |")
    save_weights(target, network, trained.to_yaml(), {**card, "scores": scores})
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
