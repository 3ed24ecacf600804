"""Draws the pictures of coordinates.md and checks its statements: python docs/draw_coordinates.py

Every place, error and label is computed with the package's own Frame, Codec and flip_back. A statement that no longer
holds stops the script, and so does a measured row that coordinates.md gives otherwise. Takes about ten seconds.
"""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import norm

from hrnet.datasets.coco import person_of
from hrnet.geometry import Convention, Frame, center_and_extent
from hrnet.results.drawing import COLOURS, DARK
from hrnet.tasks.pose_topdown.codec import Codec, flip_back, quarter_shift, stride
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

# A person of 5 x 8 pixels in a picture of 13 x 12: head, trunk, right and left arm, right and left leg.
PERSON = (".hhh.", ".hhh.", "rtttl", "rtttl", "rtttl", ".ttt.", ".R.L.", ".R.L.")
FIRST, LAST, PICTURE = np.array([4, 2]), np.array([8, 9]), (13, 12)
PAINT = {
    "h": (120, 110, 104),
    "t": (168, 172, 182),
    "r": COLOURS["right", "arm"],
    "R": COLOURS["right", "leg"],
    "l": COLOURS["left", "arm"],
    "L": COLOURS["left", "leg"],
}


def person() -> np.ndarray:
    """The small picture, (12, 13, 3) RGB uint8."""
    image = np.full((PICTURE[1], PICTURE[0], 3), 238, np.uint8)
    for y, row in enumerate(PERSON):
        for x, part in enumerate(row):
            if part in PAINT:
                image[FIRST[1] + y, FIRST[0] + x] = PAINT[part]
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


def save(figure: Figure, name: str) -> None:
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


def corners(axes: Axes, box: np.ndarray, colour, **line) -> None:
    """A rectangle given by its corners (2, 2)."""
    (x1, y1), (x2, y2) = box
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, **line))


def said(point: np.ndarray) -> str:
    """A point in words: (3, 4.5)."""
    return f"({round(point[0], 2):g}, {round(point[1], 2):g})"


# 1. The pixel grid


def draw_grid() -> None:
    """The centres, the edges, and three boxes around the same pixels."""
    first, last, (width, height) = FIRST, LAST, PICTURE
    edges = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    boxes = {
        "COCO's x, y, w, h: x and x + w": (np.array([first, last + 1]), COLOUR["published"], 4.5, "o"),
        "from outer edge to outer edge": (np.array([first - 0.5, last + 0.5]), COLOUR["unbiased"], 2.2, "o"),
        "from centre to centre": (np.array([first, last]), INK, 2.2, "x"),
    }
    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8), gridspec_kw={"wspace": 0.08})
    for axes in (left, right):
        pixels(axes, person())
        axes.set_xticks(range(0, width, 2))
        axes.set_yticks(range(0, height, 2))
    left.set_title(f"A picture of {width} x {height} pixels", pad=20)
    corners(left, edges, GREY, linewidth=1)
    for x in edges[:, 0]:
        left.annotate(f"x = {x:g}", (x, -0.6), (x, -0.95), ha="center", va="bottom", color=GREY, fontsize=9)
    for y in edges[:, 1]:
        left.annotate(f"y = {y:g}", (edges[1, 0] + 0.15, y), va="center", color=GREY, fontsize=9)
    left.plot(0, 0, "o", color=COLOUR["published"], markersize=8)
    left.annotate(
        "the centre of\npixel (0, 0) is\nthe point (0, 0)", (0, 0), (-0.35, 2.6), va="center", fontsize=9.5,
        arrowprops={"arrowstyle": "-", "color": COLOUR["published"], "shrinkB": 5, "relpos": (0.14, 1)},
        bbox={"facecolor": person()[0, 0] / 255, "edgecolor": "none", "pad": 2},
    )  # fmt: skip
    right.set_title(f"Three boxes around pixels {said(first)} to {said(last)}", pad=20)
    for name, (box, colour, thickness, mark) in boxes.items():
        center, extent = center_and_extent(box.ravel(), (1, 2), padding=1.0)
        assert np.allclose(center, box.mean(axis=0)) and extent == max(box[1, 0] - box[0, 0], (box[1] - box[0])[1] / 2)
        x1, y1, x2, y2 = box.ravel()
        label = f"{name}\n{x1:g}, {y1:g}, {x2:g}, {y2:g}\ncentre {said(center)}, width {x2 - x1:g}"
        corners(right, box, colour, linewidth=thickness, label=label)
        right.plot(*center, mark, color=colour, markersize=9, markeredgewidth=2, zorder=4)
    right.legend(loc="center left", bbox_to_anchor=(0.98, 0.5), labelspacing=1.6, handlelength=1.8, fontsize=9.5)
    save(figure, "grid")


def check_grid() -> None:
    """The warp samples at pixel centres: a ramp comes out with the values of the points that its pixels came from."""
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (60, 1))[..., None].repeat(3, axis=2)
    for convention in CONVENTIONS:
        frame = Frame.around((30.3, 28.9), 21.7, (48, 64), 20, convention)
        crop = frame.warp(ramp)[..., 0]
        places = np.stack(np.meshgrid(np.arange(48), np.arange(64)), axis=-1)
        assert np.abs(crop - 4 * frame.to_picture(places)[..., 0]).max() < 1
        assert np.abs(frame.to_input(frame.to_picture(places)) - places).max() < 1e-9
    whole, _ = center_and_extent(np.array([0, 0, *PICTURE]), (192, 256))
    assert (whole - (np.array(PICTURE) - 1) / 2 == 0.5).all()
    annotation = {"bbox": [*FIRST, *(LAST + 1 - FIRST)], "keypoints": [6, 5, 2]}
    learnt = person_of(annotation, 1, PICTURE, "")
    assert learnt is not None and (learnt.box == [*FIRST, *LAST]).all()
    turned = Frame.around((0, 0), 192, (192, 256), 30)
    assert np.diff(turned.to_input(np.array([[0, 0], [1, 0]])), axis=0)[0, 1] < 0  # what lay to the right moves up


# 2. The frame


def draw_frame() -> None:
    """A box, its window, and the input in both conventions."""
    image, size = person(), (6, 8)
    box = np.concatenate([FIRST, LAST]).astype(float)
    center, extent = center_and_extent(box, size)
    side = np.array([extent, extent * size[1] / size[0]])
    window = np.array([center - side / 2, center + side / 2])
    tight = box[2:] - box[:2]
    padding = QUARTER.framing.padding
    assert extent == padding * max(tight[0], tight[1] * size[0] / size[1])

    figure, panels = plt.subplots(
        1, 3, figsize=(13, 5.2), gridspec_kw={"width_ratios": [14.2, 9.5, 9.5], "wspace": 0.1}
    )
    pixels(panels[0], image)
    panels[0].set(title="Picture: box and window", xlim=(-1, 13.2), ylim=(12, -1), yticks=range(0, PICTURE[1], 2))
    corners(panels[0], box.reshape(2, 2), INK, linewidth=2, linestyle="--")
    corners(panels[0], window, INK, linewidth=2)
    panels[0].plot(*center, "o", color=INK, markersize=7)
    panels[0].text(window[1, 0] + 0.2, window[0, 1] + 0.45, "window", fontsize=9.5)
    panels[0].text(window[1, 0] + 0.2, window[0, 1] + 1.55, "box (dashed)", fontsize=9.5)
    panels[0].set_xlabel(
        f"box {tight[0]:g} x {tight[1]:g}, centre {said(center)}\n"
        f"window {side[0]:.2f} x {side[1]:.2f}: shape {size[0]} : {size[1]}, padding {padding:g}"
    )
    for axes, convention in zip(panels[1:], CONVENTIONS, strict=True):
        frame = Frame.around(center, extent, size, convention=convention)
        colour, there, middle = COLOUR[convention], frame.to_input(center), (np.array(size) - 1) / 2
        spans = frame.to_input(window)
        length = size[0] - (convention == "unbiased")
        assert np.allclose(spans[:, 0], [0, length]) and np.allclose(there, spans.mean(axis=0))
        assert np.allclose(np.diff(spans[:, 1]), length * size[1] / size[0])
        assert np.allclose(frame.matrix[:, :2], np.eye(2) * length / extent)
        assert np.allclose(there - middle, 0.5 if convention == "published" else 0)
        pixels(axes, frame.warp(image))
        axes.set(title=f"Input {size[0]} x {size[1]}, {convention}", xlim=(-1.5, 8), ylim=(9, -4))
        axes.set_xticks(range(size[0]))
        axes.set_yticks(range(size[1]))
        corners(axes, spans, colour, linewidth=2.2)
        axes.plot(
            *there,
            "o",
            color=colour,
            markersize=9,
            markeredgecolor="white",
            label=f"centre of the window {said(there)}",
        )
        axes.plot(
            *middle, "x", color=INK, markersize=9, markeredgewidth=2, label=f"middle of the pixels {said(middle)}"
        )
        axes.set_xlabel(
            f"scale {length} / {extent:.2f} = {frame.matrix[0, 0]:.3f}\n"
            f"window from {said(spans[0])} to {said(spans[1])}"
        )
        axes.legend(loc="upper left", bbox_to_anchor=(0.02, 0.93), fontsize=9.5, handletextpad=0.3, labelspacing=0.3)
    save(figure, "frame")


# 3. Maps


def draw_maps() -> None:
    """Both ends of a row of cells above the row of input pixels."""
    figure, panels = plt.subplots(2, 2, figsize=(12.5, 4.3), gridspec_kw={"wspace": 0.04, "hspace": 0.62})
    for row, convention in zip(panels, CONVENTIONS, strict=True):
        codec = Codec(w32_256x192.but(framing__convention=convention))
        width, cells, step, colour = codec.size[0], codec.map_size[0], codec.stride[0], COLOUR[convention]
        places = np.arange(cells) * step
        beyond = places[0], width - 1 - places[-1]
        assert np.allclose(beyond, (0, 3) if convention == "published" else (0, 0))
        for axes, start, end in ((row[0], -2.6, 13.6), (row[1], width - 14.6, width + 1.6)):
            for x in range(max(0, int(start) + 1), min(width, int(end))):
                axes.add_patch(Rectangle((x - 0.5, 0), 1, 1, facecolor=PALE, edgecolor="white", linewidth=1.5))
                axes.text(x, 0.47, x, ha="center", va="center", fontsize=8, color=GREY)
            for i, place in enumerate(places):
                if start <= place - step / 2 and place + step / 2 <= end:
                    axes.add_patch(
                        Rectangle(
                            (place - step / 2, 1.25), step, 1, facecolor=[*colour, 0.16], edgecolor="white", linewidth=2
                        )
                    )
                    axes.plot([place, place], [0.8, 1.5], color=colour, linewidth=1.5)
                    axes.plot(place, 1.5, "o", color=colour, markersize=5)
                    axes.text(place, 1.96, f"cell {i}", ha="center", va="center", fontsize=9)
            axes.set(xlim=(start, end), ylim=(-1.1, 2.35), xticks=[], yticks=[])
            for side in axes.spines.values():
                side.set_visible(False)
        formula = f"{width} / {cells}" if convention == "published" else f"{width - 1} / {cells - 1}"
        row[0].set_title(f"{convention}: a cell every {formula} = {step:.4g} input pixels")
        row[0].text(0, -0.3, "the first cell's centre\nis the first pixel's", va="top", ha="left", fontsize=9)
        last = "is the last pixel's" if np.isclose(beyond[1], 0) else f"is {beyond[1]:g} pixels before the last pixel's"
        row[1].text(width - 0.5, -0.3, f"the last cell's centre\n{last}", va="top", ha="right", fontsize=9)
        for axes, x, ha in ((row[0], 13.4, "right"), (row[1], width - 14.4, "left")):
            axes.text(x, -0.55, "· · ·", ha=ha, va="center", color=GREY, fontsize=12)
    save(figure, "maps")


def check_maps() -> None:
    """A joint on a cell's place peaks in that cell and comes back; the edge pulls the local mean inwards."""
    for recipe in (ARGMAX, QUARTER, EXACT, MEAN):
        codec = Codec(recipe)
        cells = np.stack([np.arange(8, 40), np.arange(8, 40) + 12], axis=1)
        maps, _ = codec.encode(cells * codec.stride, np.ones(len(cells)))
        assert (maps.reshape(len(cells), -1).argmax(axis=1) == cells[:, 1] * codec.map_size[0] + cells[:, 0]).all()
        assert np.abs(codec.decode(maps[:, None])[0][:, 0] - cells * codec.stride).max() < 1e-3
    codec = Codec(MEAN)
    near = np.array([[0.0, 120], [2 * codec.stride[0], 120]])
    pull = (codec.decode(codec.encode(near, np.ones(2))[0][None])[0][0] - near)[:, 0]
    assert 3.4 < pull[0] < 3.6 and 0.4 < pull[1] < 0.6, pull
    ramp = np.arange(48.0)[None, None, None].repeat(64, axis=2)
    moved = [quarter_shift(ramp, np.array([[[x, 30.0]]]))[0, 0, 0] - x for x in range(48)]
    assert moved == [0, 0, *[0.25] * 45, 0]


# 4. Flip


def mirrored(points: np.ndarray, codec: Codec) -> np.ndarray:
    """Where points (K, 2) of the input lie in the mirrored input."""
    frame = Frame(np.eye(2, 3), codec.size)
    there = frame.mirror().to_input(points)
    assert np.allclose(there, np.stack([codec.size[0] - 1 - points[:, 0], points[:, 1]], axis=1))
    return there


def views(recipe: PoseRecipe, points: np.ndarray, shift: bool, unsure: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Maps (K, 1, h, w) of the input, and of the mirrored input brought back."""
    codec = Codec(recipe)
    own, other = shown(codec, points, unsure), shown(codec, mirrored(points, codec), unsure)
    return own, flip_back(other, ONE_MAP, shift)


def column(maps: np.ndarray) -> np.ndarray:
    """The mean column of each map's content, (K,)."""
    rows = maps[:, 0].sum(axis=1)
    return rows @ np.arange(maps.shape[3]) / rows.sum(axis=1)


def draw_flip() -> None:
    """The map of an input and that of its mirror image, brought back."""
    figure, panels = plt.subplots(1, 3, figsize=(13, 3.9), sharey=True, gridspec_kw={"wspace": 0.06})
    wide = EXACT.but(codec__sigma=MEAN.codec.sigma)
    cases = (
        (wide, False, -0.75, "published, as it comes"),
        (wide, True, 0.25, "published, moved one cell right"),
        (MEAN, False, 0.0, "unbiased, as it comes"),
    )
    for axes, (recipe, shift, expected, title) in zip(panels, cases, strict=True):
        codec, colour = Codec(recipe), COLOUR[recipe.framing.convention]
        point = np.array([[20.2, 30]]) * Codec(wide).stride
        own, back = views(recipe, point, shift)
        true, found = point[0, 0] / codec.stride[0], column(back)[0]
        there = mirrored(point, codec)[0, 0] / codec.stride[0]
        assert np.isclose(there, (47.75 if codec.stride[0] == 4 else 47) - true)
        middle = column((own + back) * 0.5)[0] - true
        assert np.isclose(column(own)[0], true, atol=1e-3) and np.isclose(found - true, expected, atol=1e-3)
        assert np.isclose(middle, expected / 2, atol=1e-3)
        cells, peak = np.arange(own.shape[3]), own[0, 0].sum(axis=0).max()
        axes.bar(cells, own[0, 0].sum(axis=0), width=0.9, color="#d9dce3", label="map of the input")
        axes.plot(
            cells,
            back[0, 0].sum(axis=0),
            "o-",
            color=colour,
            markersize=5,
            linewidth=1.6,
            label="map of the mirrored input, mirrored back",
        )
        axes.plot([true, true], [0, 1.1 * peak], "--", color=INK, linewidth=1.4, label="the joint")
        axes.plot([found, found], [0, 1.1 * peak], color=colour, linewidth=1.4)
        if expected:
            axes.annotate(
                "",
                (found, 1.1 * peak),
                (true, 1.1 * peak),
                arrowprops={"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0},
            )
        axes.text(
            (found + true) / 2,
            1.14 * peak,
            f"{cell_text(found - true)}",
            ha="center",
            va="bottom",
            color=colour,
            fontweight="bold",
            fontsize=11,
        )
        axes.set(title=title, xlim=(13.4, 26.6), ylim=(0, 1.3 * peak), xticks=range(14, 27, 2), yticks=[])
        axes.set_xlabel(f"column of the map\naverage of both: {cell_text(middle)}")
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=3)
    back, joint, own = zip(*panels[0].get_legend_handles_labels(), strict=True)
    figure.legend(*zip(own, back, joint, strict=True), loc="lower center", bbox_to_anchor=(0.5, -0.2), ncol=3)
    save(figure, "flip")


def cell_text(value: float) -> str:
    """A shift in cells, in words."""
    return "no shift" if abs(value) < 1e-3 else f"{value:+.3f}".rstrip("0").replace("-", "\N{MINUS SIGN}") + " cell"


# 5. The quarter


def joints(codec: Codec) -> np.ndarray:
    """Random joints (JOINTS, 2) in the input, eight cells from its edges, spread evenly over the places in a cell."""
    draws = np.random.default_rng(0)
    share = (np.arange(JOINTS)[:, None] + draws.random((JOINTS, 2))) / JOINTS
    share[:, 1] = draws.permutation(share[:, 1])
    return (8 + share * (np.array(codec.map_size) - 17)) * codec.stride


def shown(codec: Codec, points: np.ndarray, unsure: float) -> np.ndarray:
    """Maps (K, 1, h, w) that training drives a network towards which knows each joint up to `unsure` cells (deviation
    in x and y): the mean of the targets of all the places where the joint may be. Sure (0) gives the target itself."""
    if unsure == 0:
        return codec.encode(points, np.ones(len(points)))[0][:, None]
    quantiles = norm.ppf((np.arange(DRAWS) + 0.5) / DRAWS) * unsure
    steps = np.stack([quantiles, np.random.default_rng(1).permutation(quantiles)], axis=1) * codec.stride
    return np.stack([codec.encode(point + steps, np.ones(DRAWS))[0].mean(axis=0, keepdims=True) for point in points])


def decoded_error(recipe: PoseRecipe, maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Errors (K, 2) of the decoded points, in input pixels."""
    return Codec(recipe).decode(maps)[0][:, 0] - points


METHODS = {
    "arg-max": (ARGMAX, "#a4a9b3"),
    "arg-max and quarter shift": (QUARTER, COLOUR["published"]),
    "distribution and local mean": (MEAN, COLOUR["unbiased"]),
}
UNSURE = (0.0, 0.5, 1.0)


def measured_errors() -> dict[str, list[float]]:
    """Mean absolute error per axis, in input pixels, of each method, for networks less and less sure."""
    errors: dict[str, list[float]] = {name: [] for name in METHODS}
    for unsure in UNSURE:
        for recipes in (("arg-max", "arg-max and quarter shift"), ("distribution and local mean",)):
            codec = Codec(METHODS[recipes[0]][0])
            points = joints(codec)
            maps = shown(codec, points, unsure)
            for name in recipes:
                errors[name].append(float(np.abs(decoded_error(METHODS[name][0], maps, points)).mean()))
    argmax, quarter, mean = errors.values()
    assert np.allclose(argmax, 1, atol=0.04) and np.allclose(quarter, [1, 0.5, 0.5], atol=0.04), errors
    assert quarter[0] == argmax[0] and max(mean) < 0.3, errors
    return errors


def draw_quarter(errors: dict[str, list[float]]) -> None:
    """A target, a map of a network that is not quite sure, and what the three ways of decoding lose."""
    figure, panels = plt.subplots(1, 3, figsize=(13, 3.9), gridspec_kw={"width_ratios": [1, 1, 1.35], "wspace": 0.16})
    codec, colour = Codec(QUARTER), COLOUR["published"]
    point = np.array([[20.36, 30]]) * codec.stride
    true = point[0, 0] / codec.stride[0]
    for axes, unsure, title in zip(
        panels,
        UNSURE,
        ("the target:\nboth neighbours are equal", "the map of a network\nunsure by half a cell"),
        strict=False,
    ):
        maps = shown(codec, point, unsure)
        peak, end = (Codec(recipe).decode(maps)[0][0, 0, 0] / codec.stride[0] for recipe in (ARGMAX, QUARTER))
        assert peak == 20 and end == (20 if unsure == 0 else 20.25)
        row = maps[0, 0, 30]
        shades = np.where(np.abs(np.arange(len(row)) - peak)[:, None] == 1, [*colour, 0.55], to_rgba(PALE))
        shades[int(peak)] = to_rgba("#a4a9b3")
        axes.bar(np.arange(len(row)), row, width=0.9, color=shades)
        left, right = row[int(peak) - 1], row[int(peak) + 1]
        for x, value in ((peak - 1, left), (peak + 1, right)):
            axes.text(x, value + 0.02, f"{value:.2f}", ha="center", va="bottom", fontsize=9)
        axes.plot([true, true], [0, 1.17], "--", color=INK, linewidth=1.4)
        axes.text(true + 0.15, 1.17, f"joint {true:g}", va="center", fontsize=9.5)
        axes.plot(end, 1.06, "v", color=colour, markersize=8)
        axes.text(
            end - 0.25, 1.07, f"answer {end:g}", ha="right", va="center", color=colour, fontsize=9.5, fontweight="bold"
        )
        axes.set(xlim=(15.4, 24.6), ylim=(0, 1.25), xticks=range(16, 25, 2), yticks=[], xlabel="column of the map")
        axes.set_title(title)
        axes.spines["left"].set_visible(False)
    axes, places = panels[2], np.arange(len(UNSURE))
    for k, (name, values) in enumerate(errors.items()):
        bars = axes.bar(places + 0.27 * (k - 1), values, width=0.25, color=METHODS[name][1], label=name)
        axes.bar_label(bars, fmt="%.2f", fontsize=9, padding=2)
    axes.set_title("mean absolute error per axis,\nin input pixels")
    axes.set(
        xticks=places,
        xticklabels=["0 (sure)", "half a cell", "a cell"],
        yticks=[],
        ylim=(0, 1.6),
        xlabel="how unsure the network is",
    )
    axes.legend(loc="upper center", fontsize=9.5, labelspacing=0.3)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    save(figure, "quarter")


# Tables and what has no picture


def flip_rows() -> list[str]:
    """The measured flip errors, as rows of the table in coordinates.md: mean over the joints, in x."""
    rows = []
    cases = (
        ("published, mirrored back", EXACT, False, False, 0, -0.75),
        ("published, mirrored back and moved", EXACT, True, False, 0, 0.25),
        ("published, average of both", EXACT, True, True, 0, 0.125),
        ("published, average of both, Gaussian maps, unsure by half a cell", QUARTER, True, True, 0.5, 0.125),
        ("published, average of both without the move", EXACT, False, True, 0, -0.375),
        ("unbiased, mirrored back", MEAN, False, False, 0, 0),
        ("unbiased, average of both", MEAN, False, True, 0, 0),
        ("unbiased, average of both with the move (wrong)", MEAN, True, True, 0, 0.5),
    )
    for name, recipe, shift, average, unsure, expected in cases:
        codec = Codec(recipe)
        points = joints(codec)
        own, back = views(recipe, points, shift, unsure)
        error = decoded_error(recipe, (own + back) * 0.5 if average else back, points)[:, 0].mean()
        assert abs(error / codec.stride[0] - expected) < 0.02, (name, error / codec.stride[0])
        rows.append(f"| {name} | {error / codec.stride[0] + 0:+.2f} | {error + 0:+.1f} |".replace("-0.00", "+0.00"))
    return rows


def check_mirrors() -> None:
    """The mirror of training and that of the test: a pixel apart as published, the same when unbiased."""
    center, extent, size, wide = np.array([60.0, 44]), 70.0, (192, 256), 150
    for convention, apart in zip(CONVENTIONS, (1, 0), strict=True):
        for rotation in (0.0, 30.0):
            training = Frame.around_mirrored(wide, center, extent, size, -rotation, convention)
            test = Frame.around(center, extent, size, rotation, convention).mirror()
            assert np.allclose(training.matrix - test.matrix, [[0, 0, apart], [0, 0, 0]])
            assert training.mirrored and test.mirrored
        expected = [[96, 128], [95, 128]] if apart else [[95.5, 127.5]] * 2
        upright = Frame.around_mirrored(wide, center, extent, size, convention=convention), test
        assert np.allclose([frame.to_input(center) for frame in upright], expected)
    assert np.allclose(stride((192, 256), (48, 64), "unbiased"), [191 / 47, 255 / 63])


def check_page(rows: list[str]) -> None:
    """Every measured row stands in coordinates.md as it was measured, and every function where it says."""
    page = (HERE / "coordinates.md").read_text(encoding="utf-8")
    missing = [row for row in rows if row not in page]
    if missing:
        raise SystemExit("coordinates.md gives these rows otherwise:\n" + "\n".join(missing))
    named = re.findall(r"\| `([\w/]+\.py)` \| `(?:\w+\.)?(\w+)`", page)
    assert len(named) > 10, "the table of functions has gone"
    for file, function in named:
        source = (HERE.parent / "src" / "hrnet" / file).read_text(encoding="utf-8")
        assert f"def {function}(" in source, f"{file} has no function {function}"


def main() -> None:
    """Check, measure, draw."""
    style()
    check_grid()
    check_maps()
    check_mirrors()
    errors = measured_errors()
    draw_grid()
    draw_frame()
    draw_maps()
    draw_flip()
    draw_quarter(errors)
    quarter_rows = [f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |" for name, values in errors.items()]
    check_page(flip_rows() + quarter_rows)


if __name__ == "__main__":
    main()
