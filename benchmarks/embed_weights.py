"""Turn the best weights of a run into the ones that ship: scored, with data, terms and figures in their header.

    python benchmarks/embed_weights.py RUN LSPET COCO_VAL.json

Writes src/hrnet/weights/embedded/ and prints the tables of docs/weights.md.
"""

import sys
from pathlib import Path
from typing import Any

import hrnet
from hrnet.catalogue import DEFAULT
from hrnet.weights.files import EMBEDDED, read_meta, save_weights

LICENCE = "research use only (pictures of LSPET, COCO and other research sets)"


def main(run: Path, lspet: str, coco: str) -> None:
    source = run / "best.safetensors"
    shipped = hrnet.recipe(DEFAULT)
    trained = hrnet.Predictor(source).recipe
    recipe = trained.but(model__input_size=shipped.model.input_size, framing=shipped.framing)
    network = recipe.model.build()
    hrnet.load_weights(network, source)
    target = EMBEDDED / f"{DEFAULT.replace('/', '-')}.safetensors"
    card = {**read_meta(source)["card"], "licence": LICENCE}
    save_weights(target, network, recipe.to_yaml(), card)
    predictor = hrnet.Predictor(target)
    figures = {"LSPET val": hrnet.evaluate(predictor, lspet), "coco_people val": hrnet.evaluate(predictor, coco)}
    kept = ("metrics", "interval", "per_joint", "people")
    scores = {name: {key: found[key] for key in kept if key in found} for name, found in figures.items()}
    save_weights(target, network, recipe.to_yaml(), card | {"scores": scores})
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")
    print("\n".join(tables(figures)))


def tables(figures: dict[str, dict[str, Any]]) -> list[str]:
    """The figures as Markdown."""
    lines = ["", "| data | figure | value | 95 % interval |", "|---|---|---|---|"]
    for name, found in figures.items():
        for metric, value in found["metrics"].items():
            lines.append(f"| {name}, {found['people']} people | {metric} | {value:.3f} | {span(found, metric)} |")
    lines += ["", "| joint (LSPET val) | PCK@0.2 | 95 % interval |", "|---|---|---|"]
    for joint, score in figures["LSPET val"]["per_joint"].items():
        low, high = score["interval"]
        lines.append(f"| {joint.replace('_', ' ')} | {score['value']:.3f} | {low:.3f} to {high:.3f} |")
    return lines


def span(found: dict[str, Any], metric: str) -> str:
    """An interval as text, a dash where there is none."""
    interval = found.get("interval", {}).get(metric)
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
