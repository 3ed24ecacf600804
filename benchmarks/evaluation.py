"""The embedded weights, or others, by the whole protocol on a COCO-style set: with the set's own boxes, and with those
of a detector that misplaces them.

    python benchmarks/evaluation.py coco_people/annotations/person_keypoints_val.json OUT [WEIGHTS]

Writes OUT/page.html (figures, plots, the worst and best people), results, figures and box files, and prints the tables
of docs/evaluation.md.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import hrnet
from hrnet.datasets.opening import open_data
from hrnet.datasets.records import PoseData
from hrnet.trainer import hardware

STRENGTHS, SEEDS = (0.0, 0.05, 0.1, 0.2), (0, 1, 2)


def main(path: Path, out: Path, weights: Path | None = None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    predictor = hrnet.Predictor(weights)
    began = time.perf_counter()
    own = hrnet.evaluate(predictor, path, results=out / "results.json", html=out / "page.html")
    (out / "figures.json").write_text(json.dumps(own, indent=1))
    print(f"{predictor.weights.name}, {own['people']} people, {time.perf_counter() - began:.0f} s, {hardware()}")
    print("\n".join(figure_table(own)), "\n")
    print("\n".join(error_table(own["breakdown"])), "\n")
    print("\n".join(joint_table(own)), "\n")
    print("\n".join(box_table(predictor, path, out, own)))


def figure_table(figures: dict[str, Any]) -> Iterator[str]:
    """All figures with their intervals, as Markdown."""
    yield "| figure | value | 95 % interval |\n|---|---|---|"
    for name, value in figures["metrics"].items():
        low_high = figures["interval"].get(name)
        yield f"| {name} | {value:.3f} | {f'{low_high[0]:.3f} to {low_high[1]:.3f}' if low_high else '-'} |"
    yield f"| calibration error of joint scores | {figures['reliability']['error']:.3f} | - |"


def error_table(found: dict[str, Any]) -> Iterator[str]:
    """The error breakdown as Markdown."""
    total = sum(found["counts"].values())
    yield f"| kind | of {total} keypoints | AP {found['baseline']:.3f} would gain |\n|---|---|---|"
    for name, count in found["counts"].items():
        yield f"| {name} | {count / total:.1%} | {signed(found['gains'].get(name))} |"
    for name in ("score", "background", "unfound"):
        yield f"| {name} | - | {signed(found['gains'][name])} |"


def signed(gain: float | None) -> str:
    """A gain with its sign."""
    return "-" if gain is None else f"{gain:+.3f}"


def joint_table(figures: dict[str, Any]) -> Iterator[str]:
    """Similarity and kinds of errors of each joint as Markdown."""
    counts = figures["breakdown"]["per_joint"]
    kinds = list(next(iter(counts.values())))
    yield f"| joint | similarity | 95 % interval | {' | '.join(kinds)} |\n|---|---|---|{'---|' * len(kinds)}"
    for name, score in figures["per_joint"].items():
        total = max(sum(counts[name].values()), 1)
        shares = " | ".join(f"{counts[name][kind] / total:.0%}" for kind in kinds)
        low, high = score["interval"]
        yield f"| {name.replace('_', ' ')} | {score['value']:.3f} | {low:.3f} to {high:.3f} | {shares} |"


def box_table(predictor: hrnet.Predictor, path: Path, out: Path, own: dict[str, Any]) -> Iterator[str]:
    """AP with boxes that are more and more misplaced, as Markdown."""
    data = open_data(path)
    yield "| boxes | mean IoU with the true ones | AP | lowest and highest | AP50 | AP75 |\n|---|---|---|---|---|---|"
    first = [f"{own['metrics'][name]:.3f}" for name in ("AP", "AP50", "AP75")]
    yield f"| the set's own, of labelled people | 1 | {first[0]} | - | {first[1]} | {first[2]} |"
    for strength in STRENGTHS:
        overlaps, found = [], []
        for seed in SEEDS if strength else SEEDS[:1]:
            file = out / f"boxes_{strength:g}_{seed}.json"
            boxes = misplaced(data, strength, seed)
            file.write_text(json.dumps(boxes))
            overlaps.append(np.mean([box["score"] for box in boxes]))
            found.append(hrnet.evaluate(predictor, path, boxes=file)["metrics"])
        ap, ap50, ap75 = ([each[name] for each in found] for name in ("AP", "AP50", "AP75"))
        yield (
            f"| everybody's, misplaced by {strength:.0%} | {np.mean(overlaps):.2f} | {np.mean(ap):.3f} | "
            f"{min(ap):.3f} to {max(ap):.3f} | {np.mean(ap50):.3f} | {np.mean(ap75):.3f} |"
        )


def misplaced(data: PoseData, strength: float, seed: int) -> list[dict[str, Any]]:
    """A detector's file with a box for everybody who is no crowd: the centre moved by N(0, strength) of the sides, the
    sides multiplied by exp(N(0, strength)), scored by its overlap (IoU) with the true box."""
    rng = np.random.default_rng(seed)
    boxes = []
    for record in data.records:
        for x1, y1, x2, y2 in record.boxes:
            sides = np.array([x2 - x1, y2 - y1])
            center = np.array([x1 + x2, y1 + y2]) / 2 + sides * rng.normal(0, strength, 2)
            moved = sides * np.exp(rng.normal(0, strength, 2))
            corner = center - moved / 2
            shared = np.minimum(corner + moved, [x2, y2]) - np.maximum(corner, [x1, y1])
            overlap = np.prod(np.maximum(shared, 0))
            score = overlap / (np.prod(sides) + np.prod(moved) - overlap)
            boxes.append(
                {"image_id": record.id, "category_id": 1, "bbox": [*corner.tolist(), *moved.tolist()]}
                | {"score": round(float(score), 4)}
            )
    return boxes


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
