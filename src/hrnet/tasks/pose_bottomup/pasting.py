"""People pasted into pictures: one labelled person at a time becomes a crowd, with exact truth.

Two kinds of edges are cut, the rectangle around a person and the hull of its joints, each hard or soft, so that no kind
of edge tells the network where people are.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from hrnet.datasets.records import Record
from hrnet.geometry import Frame
from hrnet.tasks.pose_bottomup.settings import Augmentation

TRIES = 12


@dataclass(frozen=True)
class Cutout:
    """A person alone in its picture, with keypoints (J, 2) and labelled (J,) in the recipe's skeleton."""

    record: Record
    points: np.ndarray
    labelled: np.ndarray
    box: np.ndarray


def corners(box: np.ndarray) -> np.ndarray:
    """The four corners (4, 2) of a box x1, y1, x2, y2, all around."""
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], float)


def bounds(points: np.ndarray) -> np.ndarray:
    """The box of points (N, 2)."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def area(box: np.ndarray) -> float:
    """Square pixels of a box, 0 for one turned inside out."""
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The box that two boxes share."""
    return np.concatenate([np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])])


def place(
    cutout: Cutout, size: tuple[int, int], taken: list[np.ndarray], options: Augmentation, draws: np.random.RandomState
) -> Frame | None:
    """A place for a person in an input of `size` (width, height): a frame from its picture to the input.

    At least `options.inside` of its box lies inside, and of the smaller of any two boxes no more than `options.overlap`
    is shared; None where no such place was found.
    """
    longer, middle = np.subtract(cutout.box[2:], cutout.box[:2]).max(), (cutout.box[:2] + cutout.box[2:]) / 2
    whole = np.array([0, 0, *size], float)
    for _ in range(TRIES):
        length = min(size) * np.exp(draws.uniform(*np.log(options.size)))
        frame = Frame.around(middle, size[0] * longer / length, size, draws.uniform(-1, 1) * options.rotation)
        if draws.rand() < options.flip:
            frame = frame.mirror()
        shift = (draws.rand(2) - 0.5) * size
        frame = Frame(frame.matrix + np.column_stack([np.zeros((2, 2)), shift]), size, frame.mirrored)
        box = bounds(frame.to_input(corners(cutout.box)))
        crowded = any(area(shared(box, other)) > options.overlap * min(area(box), area(other)) for other in taken)
        if not crowded and area(shared(box, whole)) >= options.inside * area(box):
            return frame
    return None


def paste(
    canvas: np.ndarray,
    image: np.ndarray,
    cutout: Cutout,
    frame: Frame,
    options: Augmentation,
    draws: np.random.RandomState,
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Paint a person, seen through a frame, onto `canvas` (H, W, 3) in place.

    Returns what it covers, (h, w) of bool, and the rows and columns of the canvas where that lies.
    """
    longer = np.subtract(cutout.box[2:], cutout.box[:2]).max()
    margin = longer * draws.uniform(0.05, 0.45)
    hull, soft = draws.rand() < options.hull, draws.rand() < options.soft
    height, width = image.shape[:2]
    low = np.floor(np.maximum(cutout.box[:2] - margin, 0)).astype(int)
    high = np.ceil(np.minimum(cutout.box[2:] + margin + 1, [width, height])).astype(int)
    scale = float(np.sqrt(abs(np.linalg.det(frame.matrix[:, :2]))))

    edge = bounds(frame.to_input(corners(np.concatenate([low, high - 1]))))
    x0, y0 = np.floor(np.clip(edge[:2], 0, frame.size)).astype(int)
    x1, y1 = np.ceil(np.clip(edge[2:] + 1, 0, frame.size)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 0), bool), (slice(0, 0), slice(0, 0))
    source, matrix = shrunk(image[low[1] : high[1], low[0] : high[0]], scale)
    to_picture = np.vstack([matrix, [0, 0, 1]]) + np.array([[0, 0, low[0]], [0, 0, low[1]], [0, 0, 0]])
    to_roi = np.array([[1.0, 0, -x0], [0, 1, -y0]]) @ np.vstack([frame.matrix, [0, 0, 1]]) @ to_picture
    roi_size = int(x1 - x0), int(y1 - y0)
    patch = cv2.warpAffine(source, to_roi, roi_size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(np.full(source.shape[:2], 255, np.uint8), to_roi, roi_size, flags=cv2.INTER_LINEAR)
    if hull:
        joints = frame.to_input(cutout.points[cutout.labelled]) - [x0, y0]
        alpha &= around(joints, roi_size, max(4.0, 0.6 * margin * scale))
    covered = alpha > 127
    if soft:
        width = 2 * int(draws.uniform(1, max(1.5, 0.06 * longer * scale))) + 1
        alpha = 2 * (np.maximum(cv2.blur(alpha, (width, width), borderType=cv2.BORDER_REPLICATE), 128) - 128)
    place = slice(int(y0), int(y1)), slice(int(x0), int(x1))
    share = alpha[..., None].astype(np.float32) / 255
    canvas[place] = np.rint(canvas[place] * (1 - share) + patch * share).astype(np.uint8)
    return covered, place


def shrunk(source: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture made small by areas where much smaller is wanted, which bilinear sampling would do badly; and the 2x3
    map of points back to the larger one."""
    if scale > 0.6:
        return source, np.eye(2, 3)
    height, width = source.shape[:2]
    size = max(2, round(width * scale * 1.2)), max(2, round(height * scale * 1.2))
    x, y = width / size[0], height / size[1]
    back = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])
    return cv2.resize(source, size, interpolation=cv2.INTER_AREA), back


def around(joints: np.ndarray, size: tuple[int, int], reach: float) -> np.ndarray:
    """255 within `reach` of the convex hull of joints (N, 2), else 0; (h, w) uint8."""
    mask = np.zeros(size[::-1], np.uint8)
    outline = cv2.convexHull(np.round(joints).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 255)
    cv2.polylines(mask, [outline], True, 255, thickness=max(1, int(2 * reach)))
    return mask
