"""The plots of an evaluation's page, as SVG text."""

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from hrnet.errors import HRNetError
from hrnet.scoring.breakdown import LABELS
from hrnet.scoring.curves import RECALLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 5.2  # inches: two plots stand side by side on the page
INK, PALE = "#222831", "#c9ced6"
LABEL_COLOURS = dict(zip(LABELS, ("#4c9f70", "#f2c14e", "#5b8def", "#9b6bd3", "#e05d5d"), strict=True))


def check_plots() -> None:
    """Raise `HRNetError` where nothing can be plotted."""
    if find_spec("matplotlib") is None:
        raise HRNetError("the page needs the package matplotlib: pip install 'hrnet[eval]'")


def canvas(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure of so many inches with one plain pair of axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    return figure, axes


def svg(figure: "Figure") -> str:
    """A figure as an SVG element; texts stay texts, the same figure is the same to the letter."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "hrnet", "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def precision_recall(precision: np.ndarray, thresholds: np.ndarray) -> str:
    """Precision (T, 101) over recall, a line for each OKS threshold, strict ones darker."""
    figure, axes = canvas(WIDTH, 3.6)
    for threshold, row in zip(thresholds, precision, strict=True):
        dark = (threshold - thresholds[0]) / max(np.ptp(thresholds), 1e-9)
        named = any(abs(threshold - each) < 1e-9 for each in (0.5, 0.75, 0.95))
        label = f"OKS {threshold:.2f}: {row.mean():.3f}" if named else None
        colour = (0.55 * (1 - dark) + 0.05, 0.65 * (1 - dark) + 0.1, 0.95 - 0.45 * dark)
        axes.plot(RECALLS, row, color=colour, linewidth=2 if named else 0.9, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.legend(frameon=False, title="area under the line")
    return svg(figure)


def reliability(found: Mapping[str, Any]) -> str:
    """Share of right joints over their scores, beside the line on which both are equal; joints by bin below."""
    figure, axes = canvas(WIDTH, 3.6)
    bins = found["bins"]
    most = max((each["joints"] for each in bins), default=1)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.bar(
        [each["score"] for each in bins],
        [0.25 * each["joints"] / most for each in bins],
        width=0.06,
        color=PALE,
        label="joints (bars: relative number)",
    )
    points = [each["score"] for each in bins], [each["right"] for each in bins]
    axes.plot(*points, color="#2f6fde", marker="o", label="share that is right")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="score of a joint", ylabel="share of right joints")
    axes.legend(frameon=False, loc="upper left")
    return svg(figure)


def joints(scores: Mapping[str, Mapping[str, Any]], quantity: str) -> str:
    """A figure of each joint as a bar with its interval."""
    figure, axes = canvas(WIDTH, 0.6 + 0.22 * len(scores))
    names = list(scores)[::-1]
    values = np.array([scores[name]["value"] for name in names])
    low, high = np.array([scores[name]["interval"] for name in names]).T
    spans = np.maximum([values - low, high - values], 0)
    axes.barh(names, values, color="#7fa6e8", xerr=spans, error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2})
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(xlim=(0, 1), xlabel=f"{quantity}, with 95 % interval")
    axes.grid(axis="y", visible=False)
    return svg(figure)


def labels(per_joint: Mapping[str, Mapping[str, int]]) -> str:
    """Shares of good, jittered, inverted, swapped and missed keypoints of each joint as stacked bars."""
    figure, axes = canvas(WIDTH, 0.9 + 0.22 * len(per_joint))
    names = [name for name, counts in per_joint.items() if sum(counts.values())][::-1]
    begin = np.zeros(len(names))
    for label in LABELS:
        share = np.array([per_joint[name][label] / sum(per_joint[name].values()) for name in names])
        axes.barh(names, share, left=begin, color=LABEL_COLOURS[label], label=label)
        begin += share
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(xlim=(0, 1), xlabel="share of labelled keypoints of people found")
    axes.grid(visible=False)
    figure.legend(frameon=False, ncols=len(LABELS), loc="outside upper center", fontsize="small")
    return svg(figure)


def values(each: Sequence[float], name: str) -> str:
    """How many people reach which value."""
    figure, axes = canvas(WIDTH, 2.6)
    axes.hist(each, bins=20, range=(0, 1), color="#7fa6e8", edgecolor="white")
    axes.set(xlim=(0, 1), xlabel=name, ylabel="people")
    return svg(figure)
