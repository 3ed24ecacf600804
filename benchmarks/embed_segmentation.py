"""Turn the last weights of a run on CamVid into the ones that ship: scored, with data, terms and figures inside.

    python benchmarks/embed_segmentation.py RUN/last.safetensors CAMVID

Writes src/hrnet/weights/embedded/ and prints the tables of docs/segmentation.md.
"""

import sys
from pathlib import Path
from typing import Any

import hrnet
from hrnet.weights.files import EMBEDDED, load_weights, read_meta, save_weights

NAME = "segmentation/camvid_small"
LICENCE = "non-commercial research use (CamVid, University of Cambridge; cite Brostow et al., ECCV 2008 and PRL 2009)"


def main(source: Path, camvid: str) -> None:
    predictor = hrnet.Predictor(source, engine="torch", precision="fp32")
    figures = {split: hrnet.evaluate(predictor, camvid, split) for split in ("val", "test")}
    kept = ("metrics", "per_class", "pictures")
    card = {
        **read_meta(source)["card"],
        "licence": LICENCE,
        "scores": {f"CamVid {split}": {key: found[key] for key in kept} for split, found in figures.items()},
    }
    network = predictor.recipe.model.build()
    load_weights(network, source)
    target = EMBEDDED / f"{NAME.replace('/', '-')}.safetensors"
    save_weights(target, network, predictor.recipe.to_yaml(), card)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")
    print("\n".join(tables(figures)))


def tables(figures: dict[str, dict[str, Any]]) -> list[str]:
    """The figures as Markdown, a column for each part."""
    parts = list(figures)
    heads = [f"{part}, {found['pictures']} pictures" for part, found in figures.items()]
    lines = [f"| | {' | '.join(heads)} |"]
    lines.append("|---" * (len(parts) + 1) + "|")
    for group in ("metrics", "per_class"):
        for name in figures[parts[0]][group]:
            lines.append(f"| {name} | {' | '.join(f'{figures[part][group][name]:.3f}' for part in parts)} |")
    return lines


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
