"""Drawn figures with exact truth: tests, docs and a first training need no download.

A figure is built in three dimensions, turned, projected and painted part by part from far to near; every part is the
convex hull of discs around joints. So the truth is what was drawn, and a joint is hidden where a nearer part that does
not contain it was painted over its pixel.
"""

import cv2
import numpy as np

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import COCO
from hrnet.errors import HRNetError

# The ranges of a limb's angles in degrees: upper segment forward and outward, then lower segment forward and outward,
# all measured from hanging straight down.
Limb = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
HANGING: Limb = ((-12, 15), (6, 22), (0, 40), (0, 14))
AKIMBO: Limb = ((-20, 0), (40, 52), (5, 20), (-55, -42))
RAISED: Limb = ((-10, 15), (100, 155), (-10, 15), (120, 195))
ASIDE: Limb = ((-10, 20), (50, 95), (-10, 20), (60, 140))
FORWARD: Limb = ((15, 40), (6, 18), (40, 95), (-12, 8))
BACKWARD: Limb = ((-40, -15), (6, 18), (-10, 30), (-5, 10))
STRAIGHT: Limb = ((-4, 8), (2, 9), (-8, 0), (0, 6))
APART: Limb = ((-5, 5), (14, 28), (-8, 0), (14, 26))
STEPPING: Limb = ((15, 35), (2, 8), (-10, 12), (0, 5))
PUSHING: Limb = ((-25, -8), (2, 8), (-50, -22), (0, 5))
LIFTED: Limb = ((45, 75), (3, 14), (-25, 5), (-3, 8))
SEATED: Limb = ((62, 85), (6, 22), (-12, 8), (0, 12))
BENT: Limb = ((10, 30), (42, 60), (-25, -5), (-5, 12))
STRETCHED: Limb = ((-5, 5), (30, 45), (-8, 0), (28, 42))

# One arm, the other arm, one leg, the other leg.
STANDING = ((HANGING, HANGING, STRAIGHT, STRAIGHT), (AKIMBO, AKIMBO, STRAIGHT, APART))
WAVING = ((RAISED, HANGING, STRAIGHT, STRAIGHT), (RAISED, RAISED, APART, APART), (RAISED, ASIDE, STRAIGHT, LIFTED))
WALKING = ((FORWARD, BACKWARD, PUSHING, STEPPING), (FORWARD, BACKWARD, PUSHING, LIFTED))
SITTING = ((FORWARD, HANGING, SEATED, SEATED),)
LUNGING = ((AKIMBO, ASIDE, BENT, STRETCHED), (ASIDE, RAISED, BENT, STRETCHED))
POSES = np.array((*STANDING, *WAVING, *WALKING, *SITTING, *LUNGING))

SKINS = np.array(((255, 219, 190), (241, 194, 155), (224, 172, 125), (198, 134, 90), (141, 85, 52), (110, 68, 45)))
HAIRS = np.array(((25, 20, 20), (60, 38, 25), (105, 65, 35), (205, 165, 90), (165, 75, 35), (150, 150, 150)))
HEAD = 0.078  # radius of the head, in body heights
# Points of the head, in its radii from its centre: towards the person's left, down, and forward.
FACE = {"nose": (0, 0.2, 0.9), "mouth": (0, 0.62, 0.75), "face": (0, 0, 0.1), "chin": (0, 0.45, 0.1)}
LEFT_FACE = {"left_eye": (0.36, -0.06, 0.78), "left_ear": (0.92, 0.05, 0), "left_mouth": (0.27, 0.47, 0.75)}
RIGHT_FACE = {"right_eye": (-0.36, -0.06, 0.78), "right_ear": (-0.92, 0.05, 0), "right_mouth": (-0.27, 0.47, 0.75)}
HEAD_POINTS = FACE | LEFT_FACE | RIGHT_FACE | {"hair": (0, -0.2, -0.15), "hair_end": (0, 1.2, -1)}
CIRCLE = np.exp(1j * np.arange(16) * np.pi / 8).view(np.float64).reshape(-1, 2)
SHIFT = 8  # fractional bits of the coordinates that OpenCV is given

# A part of the figure: the radius of the disc around each joint that it spans, how much nearer than these joints it
# counts when parts are painted from far to near, and its colour.
Part = tuple[dict[str, float], float, np.ndarray]


def figures(count: int, seed: int = 0, size: tuple[int, int] = (120, 160)) -> PoseData:
    """Draw `count` pictures of `size` (width, height), each with one person in one of ten kinds of pose.

    Keypoints are COCO's, in pixels of the picture, pixel centres at integer coordinates; from behind, the five points
    of the face are not labelled. `box` is the tight extent of the labelled keypoints, `area` the number of the
    figure's pixels. Figure k of a seed is always the same, however many are asked for; other seeds give others.
    `HRNetError` for sides under 32 px.
    """
    if min(size) < 32:
        raise HRNetError(f"size {size} is too small to draw a person in: ask for at least (32, 32) pixels")
    return PoseData("synthetic", COCO, tuple(_record(seed, k, size) for k in range(count)), metric="PCK")


def _record(seed: int, number: int, size: tuple[int, int]) -> Record:
    rng = np.random.default_rng((seed, number))
    (width, height), name = size, f"synthetic_{seed}_{number:06d}"
    behind = rng.random() < 0.4
    joints = _joints(rng)
    points, near = _view(rng, np.array(list(joints.values())), behind)
    place = {joint: index for index, joint in enumerate(joints)}
    parts = _dressed(rng, behind)
    parts.sort(key=lambda part: part[1] + sum(near[place[joint]] for joint in part[0]) / len(part[0]))

    disc = [place[joint] for part, _, _ in parts for joint in part]
    radius = np.array([radius for part, _, _ in parts for radius in part.values()])[:, None]
    low, high = (points[disc] - radius).min(0), (points[disc] + radius).max(0)
    room = np.array([width - 3, height - 3])
    scale = min(rng.uniform(0.58, 0.9) * height / (high - low)[1], *(room / (high - low)))
    points = 1 + scale * (points - low) + rng.random(2) * (room - scale * (high - low))

    image, owners = _scene(rng, width, height), np.zeros((height, width), np.uint8)
    rims, start = _rims(points[disc], scale * radius), 0
    for owner, (part, _, colour) in enumerate(parts, start=1):
        outline = cv2.convexHull(rims[start : (start := start + len(part))].reshape(-1, 2))
        cv2.fillConvexPoly(image, outline, colour.tolist(), cv2.LINE_AA, SHIFT)
        cv2.fillConvexPoly(owners, outline, owner, cv2.LINE_8, SHIFT)
    noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(1, 6)
    image = np.clip(image + noise, 0, 255).astype(np.uint8)

    keypoints = points[[place[joint] for joint in COCO.keypoints]]
    painted = [{}, *(part for part, _, _ in parts)]
    over = [painted[owners[round(y), round(x)]] for x, y in keypoints.tolist()]
    visibility = np.array([2 if joint in part else 1 for joint, part in zip(COCO.keypoints, over, strict=True)])
    if behind:
        visibility[:5], keypoints[:5] = 0, 0
    labelled = keypoints[visibility > 0]
    box, area = np.concatenate([labelled.min(0), labelled.max(0)]), float(np.count_nonzero(owners))
    return Record(image, width, height, name, (Person(box, keypoints, visibility, area, id=name),))


def _joints(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Joints and a few helpers as (x, y, z) in body heights: towards the person's left, down, and forward."""
    angles = np.radians(rng.uniform(*np.moveaxis(POSES[rng.integers(len(POSES))], -1, 0))).reshape(4, 2, 2)
    forward, outward = np.moveaxis(angles[[1, 0, 3, 2]] if rng.random() < 0.5 else angles, -1, 0)
    # (4 limbs, 2 segments, 3): unit vectors along the limbs of a left side
    segments = np.stack([np.sin(outward), np.cos(outward) * np.cos(forward), np.cos(outward) * np.sin(forward)], -1)
    lean, bow, look = np.radians(rng.uniform((-14, -4, -20), (14, 14, 20)))
    trunk, arm, forearm, leg, shank = rng.uniform(0.92, 1.08, 5) * (0.29, 0.165, 0.145, 0.235, 0.225)

    left = np.array([np.cos(lean), np.sin(lean), 0])
    down = np.array([-np.sin(lean) * np.cos(bow), np.cos(lean) * np.cos(bow), -np.sin(bow)])
    ahead, neck = np.cross(left, down), -trunk * down
    axes = np.stack([left * np.cos(look) - ahead * np.sin(look), down, left * np.sin(look) + ahead * np.cos(look)])
    joints = {name: neck - 0.125 * down + HEAD * np.array(at) @ axes for name, at in HEAD_POINTS.items()}
    joints["neck"] = neck
    for row, (side, sign) in enumerate((("left", 1), ("right", -1))):
        shoulder, hip = neck + 0.105 * sign * left, np.array([0.062 * sign, 0, 0])
        (upper, lower), (thigh, shin) = segments[row] * (sign, 1, 1), segments[row + 2] * (sign, 1, 1)
        elbow, knee = shoulder + arm * upper, hip + leg * thigh
        wrist, ankle = elbow + forearm * lower, knee + shank * shin
        toe = ankle + 0.07 * (np.array([0.4 * sign, -shin[2], shin[1]]) + 0.35 * shin)
        names = (f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe"))
        places = (shoulder, elbow, wrist, wrist + 0.04 * lower, hip, knee, ankle, toe)
        joints |= dict(zip(names, places, strict=True))
    return joints


def _view(rng: np.random.Generator, joints: np.ndarray, behind: bool) -> tuple[np.ndarray, np.ndarray]:
    """Joints (J, 3) of the body as seen: (J, 2) across and down the picture, and (J,) nearness to the viewer."""
    turn, tilt, roll = np.radians(rng.uniform((-40, 4, -14), (40, 20, 14)) + np.array((180 * behind, 0, 0)))
    x, y, z = joints.T
    x, z = x * np.cos(turn) + z * np.sin(turn), z * np.cos(turn) - x * np.sin(turn)
    y = y * np.cos(tilt) + z * np.sin(tilt)
    return np.stack([x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)], axis=1), z


def _dressed(rng: np.random.Generator, behind: bool) -> list[Part]:
    """The parts of a body in random clothes; radii in body heights. From behind, the face has no features."""
    skin, hair = SKINS[rng.integers(len(SKINS))], HAIRS[rng.integers(len(HAIRS))]
    shirt, trousers, shoe = rng.uniform(20, 235, (3, 3))
    sleeve, leg = (shirt if rng.random() < 0.5 else skin), (trousers if rng.random() < 0.7 else skin)
    r, tail = HEAD, {"hair_end": 0.045} if rng.random() < 0.4 else {}
    parts: list[Part] = [
        ({"left_shoulder": 0.045, "right_shoulder": 0.045, "left_hip": 0.055, "right_hip": 0.055}, 0.02, shirt),
        ({"neck": 0.035, "chin": 0.03}, 0.0, skin * 0.9),
        ({"hair": 1.05 * r} | tail, 0.02, hair),
        ({"face": 0.9 * r, "chin": 0.65 * r}, 0.02, skin),
    ]
    pairs: list[Part] = [
        ({"ear": 0.24 * r}, 0.025, skin * 0.9),
        ({"shoulder": 0.045, "elbow": 0.035}, 0.03, shirt * 0.88),
        ({"elbow": 0.032, "wrist": 0.025}, 0.04, sleeve * 0.94),
        ({"wrist": 0.025, "hand": 0.03}, 0.045, skin),
        ({"hip": 0.06, "knee": 0.043}, 0.0, trousers),
        ({"knee": 0.041, "ankle": 0.028}, -0.01, leg * 0.96),
        ({"ankle": 0.03, "toe": 0.025}, 0.0, shoe),
    ]
    if not behind:
        lips = {"left_mouth": 0.08 * r, "mouth": 0.08 * r, "right_mouth": 0.08 * r}
        parts += [({"nose": 0.17 * r}, 0.03, skin * 0.8), (lips, 0.03, skin * (0.75, 0.4, 0.4))]
        pairs += [({"eye": 0.16 * r}, 0.03, np.array((30, 22, 28)))]
    for side, light in (("left", 1.0), ("right", 0.88)):
        for part, bias, colour in pairs:
            parts.append(({f"{side}_{joint}": radius for joint, radius in part.items()}, bias, colour * light))
    return parts


def _rims(centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Points on the rims of discs, (N, 16, 2), as the fixed-point numbers from which OpenCV fills their hull.

    OpenCV paints 0.6 px beyond an outline, evenly all round.
    """
    rims = centres[:, None] + np.maximum(radii - 0.6, 0.1)[:, None] * CIRCLE
    return np.round(rims * 2**SHIFT).astype(np.int32)


def _scene(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Background (height, width, 3): a gradient between two colours with random shapes on it, some blurred."""
    colours = rng.uniform(20, 235, (9, 3))
    colours += rng.uniform(0.2, 0.7) * (colours.mean(1, keepdims=True) - colours)
    slope = np.add.outer(np.linspace(0, rng.uniform(-1, 1), height), np.linspace(0, rng.uniform(-1, 1), width))
    share = ((slope - slope.min()) / np.ptp(slope)).astype(np.float32)[..., None]
    ends = colours[:2].astype(np.float32)
    image = (ends[0] + share * (ends[1] - ends[0])).astype(np.uint8)
    for colour in colours[rng.integers(2, 7) :]:
        corners = rng.uniform((0, 0), (width, height), (rng.integers(1, 4), 2))
        rims = _rims(corners, rng.uniform(0.01, 0.1, (len(corners), 1)) * height)
        cv2.fillConvexPoly(image, cv2.convexHull(rims.reshape(-1, 2)), colour.tolist(), cv2.LINE_AA, SHIFT)
    return cv2.blur(image, (5, 5)) if rng.random() < 0.5 else image
