"""Draws the pictures of coordinates.md and checks its statements: python docs/draw_coordinates.py

Every place, error and label is computed with the package's own Frame, Codec and flip_back. A statement that no longer
holds stops the script, and so does a measured row that coordinates.md gives otherwise. Takes about a minute.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from scipy.stats import norm

from hrnet.geometry import Convention, Frame, center_and_extent
from hrnet.results.drawing import COLOURS, DARK
from hrnet.tasks.pose_topdown.codec import Codec, flip_back, stride
from hrnet.tasks.pose_topdown.recipes import small_256x192, w32_256x192
from hrnet.tasks.pose_topdown.settings import PoseRecipe

HERE = Path(__file__).parent
CONVENTIONS: tuple[Convention, Convention] = ("published", "unbiased")
COLOUR = {
    "published": np.array(COLOURS["left", "leg"]) / 255,
    "unbiased": np.array(COLOURS["right", "leg"]) / 255,
}
INK, GREY, PALE = np.array(DARK) / 255, "#7a808c", "#eceef2"

ARGMAX = w32_256x192.but(codec__quarter_shift=False)  # Gaussian maps, arg-max alone
QUARTER = w32_256x192  # Gaussian maps, arg-max and quarter shift
MEAN = small_256x192  # distributions, local mean, unbiased
EXACT = w32_256x192.but(codec__kind="distribution")  # published lengths, but maps that follow the joint between cells

JOINTS, DRAWS = 400, 144
ONE_MAP = np.zeros(1, int)  # the flip order of a being with a single joint in its middle

# A person of 5 x 8 pixels in a picture of 13 x 11: head, trunk, right and left arm, right and left leg.
PERSON = (".hhh.", ".hhh.", "rtttl", "rtttl", "rtttl", ".ttt.", ".R.L.", ".R.L.")
CORNER, PICTURE = (4, 1), (13, 11)
PAINT = {
    "h": (120, 110, 104),
    "t": (168, 172, 182),
    "r": COLOURS["right", "arm"],
    "R": COLOURS["right", "leg"],
    "l": COLOURS["left", "arm"],
    "L": COLOURS["left", "leg"],
}


def person() -> np.ndarray:
    """The small picture, (11, 13, 3) RGB uint8."""
    image = np.full((PICTURE[1], PICTURE[0], 3), 238, np.uint8)
    for y, row in enumerate(PERSON):
        for x, part in enumerate(row):
            if part in PAINT:
                image[CORNER[1] + y, CORNER[0] + x] = PAINT[part]
    return image


# Drawing


def style() -> None:
    """One look for all pictures."""
    mpl.rcParams.update({
        "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold",
        "axes.titlelocation": "left", "axes.titlepad": 9, "axes.spines.top": False, "axes.spines.right": False,
        "axes.edgecolor": GREY, "axes.labelcolor": INK, "text.color": INK, "xtick.color": GREY, "ytick.color": GREY,
        "legend.frameon": False, "figure.facecolor": "white", "savefig.facecolor": "white",
    })  # fmt: skip


def save(figure: plt.Figure, name: str) -> None:
    """Write a picture beside the others."""
    path = HERE / "pictures" / f"coordinates_{name}.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=130, bbox_inches="tight", pad_inches=0.15)
    plt.close(figure)
    assert path.stat().st_size < 150_000, f"{path} has {path.stat().st_size} bytes"


def pixels(axes: Axes, image: np.ndarray, dots: bool = True) -> None:
    """A picture as squares around pixel centres; row 0 is at the top."""
    height, width = image.shape[:2]
    for (y, x), colour in zip(np.ndindex(height, width), image.reshape(-1, 3) / 255, strict=True):
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.2))
    if dots:
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        axes.plot(x.ravel(), y.ravel(), ".", color=INK, markersize=2.5, alpha=0.55)
    axes.set(xlim=(-1, width), ylim=(height, -1), aspect="equal")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def frame_of(axes: Axes, corners: np.ndarray, colour, **line) -> None:
    """A rectangle given by two corners (2, 2)."""
    (x1, y1), (x2, y2) = corners
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, **line))


def said(point: np.ndarray) -> str:
    """A point in words: (3, 4.5)."""
    return f"({point[0]:g}, {point[1]:g})"


# 1. The pixel grid


def draw_grid() -> None:
    """The centres, the edges, and three boxes around the same pixels."""
    image = person()
    width, height = PICTURE
    first = np.array(CORNER)
    last = first + [len(PERSON[0]) - 1, len(PERSON) - 1]
    assert center_and_extent(np.array([-0.5, -0.5, width - 0.5, height - 0.5]), (1, 1))[0].tolist() == [6, 5]
    assert (image[last[1], last[0] - 1] == PAINT["L"]).all() and (image[last[1] + 1] == image[0]).all()

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.9), gridspec_kw={"wspace": 0.12})
    for axes in (left, right):
        pixels(axes, image)
        axes.set_xticks([-0.5, *range(0, width, 2), width - 0.5], [f"{x:g}" for x in (-0.5, *range(0, width, 2), width - 0.5)])
        axes.set_yticks([-0.5, *range(0, height, 2), height - 0.5], [f"{y:g}" for y in (-0.5, *range(0, height, 2), height - 0.5)])
    left.set_title(f"A picture of {width} x {height} pixels")
    frame_of(left, np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]), GREY, linewidth=1)
    save(figure, "grid")


if __name__ == "__main__":
    style()
    draw_grid()
