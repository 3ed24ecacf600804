"""The curves of a run, from its metrics.csv."""

import csv
from pathlib import Path

from hrnet.images import replacing


def plot_curves(metrics: Path, file: Path) -> None:
    """Draw loss and validation figures over epochs, side by side, into a PNG."""
    from matplotlib.figure import Figure

    with metrics.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = [name for name in (rows[0] if rows else {}) if name.startswith(("train/", "val/"))]
    figure = Figure(figsize=(4.5 * max(1, len(names)), 3.4), layout="constrained")
    for place, name in enumerate(names, start=1):
        points = [(int(row["epoch"]), float(row[name])) for row in rows if row[name]]
        axes = figure.add_subplot(1, len(names), place)
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 60 else None)
        axes.set(title=name, xlabel="epoch")
        axes.grid(alpha=0.3)
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=110)
