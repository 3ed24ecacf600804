"""Drawing poses: warm colours for the left, cool ones for the right, pale ones for trunk and head."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hrnet.errors import HRNetError
from hrnet.results.pose import Pose

if TYPE_CHECKING:
    from hrnet.datasets.skeleton import Skeleton

Colour = tuple[int, int, int]

DARK: Colour = (14, 16, 22)
LIGHT: Colour = (255, 255, 255)
# (side, part) -> RGB. Orange against blue, unlike red against green, is told apart by all kinds of colour vision.
COLOURS: dict[tuple[str, str], Colour] = {
    ("left", "arm"): (255, 190, 30),
    ("left", "leg"): (255, 96, 36),
    ("right", "arm"): (60, 208, 255),
    ("right", "leg"): (72, 122, 255),
}
# Boxes of the first, second, ... person, and from the first again; trunk and head are a paler tone of the same.
PEOPLE: tuple[Colour, ...] = (
    (120, 226, 130),
    (246, 116, 196),
    (176, 132, 255),
    (206, 230, 84),
    (70, 220, 196),
    (255, 140, 140),
)
FACE = {"nose", "eye", "ear", "mouth"}
ARM = {"elbow", "wrist", "hand"}
LEG = {"knee", "ankle", "foot", "heel", "toe"}


def draw_poses(image: np.ndarray, poses: Sequence[Pose], *, min_score: float = 0.3, boxes: bool = True) -> np.ndarray:
    """Draw poses on a copy of a picture, (H, W, 3) RGB uint8.

    Line widths follow the size of each person. Keypoints that score below `min_score` or are not finite are left out,
    and so are their limbs. `boxes` adds each person's box with the score of the pose. Larger people are drawn first,
    so that smaller ones stay visible before them. Raises `HRNetError` for another kind of picture.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise HRNetError(
            f"cannot draw on a picture of shape {image.shape} and type {image.dtype}, expected (height, width, 3) and "
            "uint8: convert it to RGB"
        )
    canvas = image.copy()
    people = [(pose, PEOPLE[i % len(PEOPLE)], line_width(pose, canvas)) for i, pose in enumerate(poses)]
    people.sort(key=lambda person: -person[2])
    framed = [person for person in people if boxes and np.isfinite(person[0].box).all()]
    for pose, colour, width in framed:
        draw_box(canvas, pose.box, colour, width)
    for pose, colour, width in people:
        draw_skeleton(canvas, pose, colour, width, min_score)
    for pose, colour, width in framed:
        draw_score(canvas, pose, colour, width)
    return canvas


def line_width(pose: Pose, canvas: np.ndarray) -> float:
    """Width of a person's limbs in pixels: a share of the person's size, and where that is thin, more of it."""
    _, _, w, h = pose.bbox
    size = math.sqrt(abs(w * h)) if math.isfinite(w * h) else 0.0
    picture = max(canvas.shape)
    return min(max(0.02 * size, min(0.035 * size, picture / 400), 1.0), picture / 40)


def draw_skeleton(canvas: np.ndarray, pose: Pose, colour: Colour, width: float, min_score: float) -> None:
    """Draw limbs over their dark contour, then keypoints; trunk and head take a pale tone of the person's colour."""
    red, green, blue = ((value + 2 * 255) // 3 for value in colour)
    neutral = (red, green, blue)
    with np.errstate(invalid="ignore"):
        shown = np.isfinite(pose.keypoints).all(axis=1) & (pose.scores >= min_score)
    names = pose.skeleton.keypoints
    points = {names[k]: (float(x), float(y)) for k, (x, y) in enumerate(pose.keypoints) if shown[k]}
    limbs = [(a, b) for a, b in pose.skeleton.limbs if a in points and b in points]
    thin = {name: 0.5 if is_face(name) else 1.0 for name in points}
    own = own_sides(pose.skeleton)
    contour = max(0.9, 0.35 * width)
    for a, b in limbs:
        stroke(canvas, points[a], points[b], width * min(thin[a], thin[b]) / 2 + contour, DARK, 0.5, contour)
    for a, b in limbs:
        stroke(canvas, points[a], points[b], width * min(thin[a], thin[b]) / 2, colour_of(own, a, b) or neutral)
    for name, point in points.items():
        radius = width * thin[name]
        stroke(canvas, point, point, radius + 0.6 * contour, DARK, 0.5, contour)
        stroke(canvas, point, point, radius, LIGHT)
        stroke(canvas, point, point, 0.66 * radius, colour_of(own, name) or neutral)


def is_face(name: str) -> bool:
    """Whether a keypoint lies on the face, which is drawn finely to stay visible."""
    return not FACE.isdisjoint(name.split("_"))


def own_sides(skeleton: "Skeleton") -> dict[str, str]:
    """Side of each paired keypoint of a being without a person's arms and legs; empty for people."""
    words = {word for name in skeleton.keypoints for word in name.split("_")}
    if words & (ARM | LEG):
        return {}
    return {name: side for pair in skeleton.flip_pairs for name, side in zip(pair, ("left", "right"), strict=True)}


def colour_of(own: dict[str, str], *names: str) -> Colour | None:
    """Colour of a keypoint or of a limb between two; None for what lies in the middle, or joins both sides."""
    if own:
        sides = {own[name] for name in names if name in own}
        return COLOURS[sides.pop(), "arm"] if len(sides) == 1 else None
    return joint_colour(names[0]) if len(names) == 1 else limb_colour(names[0], names[1])


def side_of(name: str) -> str:
    """First word of a keypoint's name, which tells left from right."""
    return name.partition("_")[0]


def limb_colour(a: str, b: str) -> Colour | None:
    """Colour of an arm or a leg; None for trunk and head."""
    words = {*a.split("_"), *b.split("_")}
    part = "arm" if words & ARM else "leg" if words & LEG else ""
    return COLOURS.get((side_of(a), part)) if side_of(a) == side_of(b) else None


def joint_colour(name: str) -> Colour | None:
    """Colour of a keypoint: that of the arm or leg that it belongs to; None for trunk and head."""
    words = set(name.split("_"))
    part = "arm" if words & (ARM | FACE | {"shoulder"}) else "leg" if words & (LEG | {"hip"}) else ""
    return COLOURS.get((side_of(name), part))


def draw_box(canvas: np.ndarray, box: np.ndarray, colour: Colour, width: float) -> None:
    """Draw the frame of a box, thinner than limbs."""
    x1, y1, x2, y2 = (float(value) for value in box)
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    edges = list(zip(corners, corners[1:] + corners[:1], strict=True))
    radius = max(0.5, 0.15 * width)
    for a, b in edges:
        stroke(canvas, a, b, 2 * radius, DARK, 0.3, 2 * radius)
    for a, b in edges:
        stroke(canvas, a, b, radius, colour)


def draw_score(canvas: np.ndarray, pose: Pose, colour: Colour, width: float) -> None:
    """Write a pose's score above its box; below where the picture ends there; inside where it ends at both."""
    if not math.isfinite(pose.score):
        return
    label = text_block(f"{pose.score:.2f}", max(7, round(3 * width)), DARK, colour)
    (x1, y1, _, y2), height = (float(value) for value in pose.box), len(label)
    y = y1 - height if y1 >= height else y2 if y2 + height <= len(canvas) else y1
    paste(canvas, label, x1, y)


def stroke(
    canvas: np.ndarray,
    a: tuple[float, float],
    b: tuple[float, float],
    radius: float,
    colour: Colour,
    opacity: float = 1.0,
    softness: float = 1.0,
) -> None:
    """Blend a line with round ends from a to b (a disc where they are equal) into a picture, in place.

    Each pixel is covered by its distance to the line: fully within `radius` less half of `softness`, not at all
    beyond `radius` plus half of it. One pixel of softness is antialiasing at any position and width; cv2's
    antialiased shapes come out 1.3 pixels too wide, which is much on a small person.
    """
    reach = radius + softness / 2
    (ax, ay), (bx, by) = a, b
    rows, columns = canvas.shape[:2]
    left, top = max(0, math.ceil(min(ax, bx) - reach)), max(0, math.ceil(min(ay, by) - reach))
    right, bottom = min(columns, math.floor(max(ax, bx) + reach) + 1), min(rows, math.floor(max(ay, by) + reach) + 1)
    if left >= right or top >= bottom:
        return
    x, y = np.arange(left, right) - ax, np.arange(top, bottom)[:, None] - ay
    dx, dy = bx - ax, by - ay
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy or 1.0), 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy)
    cover = np.clip((reach - distance) / softness, 0, 1)[..., None] * opacity
    window = canvas[top:bottom, left:right]
    window[:] = np.rint(window + cover * (np.array(colour) - window))


def contact_sheet(
    pictures: Sequence[np.ndarray], columns: int, cell: tuple[int, int], labels: Sequence[str] = ()
) -> np.ndarray:
    """Lay pictures, each (H, W, 3) RGB uint8, row by row into equal cells of `cell` (width, height) pixels.

    Each keeps its proportions and is centred on a dark ground. The labels, where given, stand below in order; what is
    too long for a cell is cut. Returns (rows * cell height and gaps, columns * cell width and gaps, 3) RGB uint8.
    """
    width, height = cell
    gap, strip = 4, 18 if labels else 0
    rows = max(1, math.ceil(len(pictures) / columns))
    sheet = np.full((rows * (height + strip + gap) + gap, columns * (width + gap) + gap, 3), DARK, np.uint8)
    for i, picture in enumerate(pictures):
        left = gap + i % columns * (width + gap)
        top = gap + i // columns * (height + strip + gap)
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = [max(1, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
        fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        paste(sheet[top : top + height, left : left + width], fitted, (width - size[0]) / 2, (height - size[1]) / 2)
        if i < len(labels):
            paste(sheet[top + height :, left : left + width], text_block(labels[i], 9, LIGHT, DARK), 0, 0)
    return sheet


def text_block(text: str, height: int, colour: Colour, background: Colour) -> np.ndarray:
    """Set a line of text on a plain ground: RGB uint8, digits about `height` pixels tall, the ground twice that."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, height / 22
    thickness = max(1, round(1.6 * scale))
    (columns, rows), _ = cv2.getTextSize(text, font, scale, thickness)
    margin = round(0.4 * height)
    block = np.full((rows + 2 * margin, columns + 2 * margin, 3), background, np.uint8)
    return cv2.putText(block, text, (margin, margin + rows), font, scale, colour, thickness, cv2.LINE_AA)


def paste(canvas: np.ndarray, block: np.ndarray, x: float, y: float) -> None:
    """Copy a block into a picture with its upper left corner at x, y, moved to lie inside where it can."""
    rows, columns = canvas.shape[:2]
    left = round(min(max(x, 0), max(columns - block.shape[1], 0)))
    top = round(min(max(y, 0), max(rows - block.shape[0], 0)))
    window = canvas[top : top + block.shape[0], left : left + block.shape[1]]
    window[:] = block[: window.shape[0], : window.shape[1]]
