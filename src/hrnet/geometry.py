"""Frame: the one map between a picture and a network's input. Every pixel and every keypoint goes through it.

Pictures are sampled at pixel centres, and the centre of pixel (0, 0) is the point (0, 0). Boxes are x1, y1, x2, y2.
"""

from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

Convention = Literal["published", "unbiased"]


@dataclass(frozen=True, eq=False)
class Frame:
    """An affine map from a picture to a network's input of `size` (width, height).

    `matrix` is the 2x3 map of points, picture to input. `mirrored` says that left and right are swapped on the way,
    so that whoever carries keypoints back also swaps their names.
    """

    matrix: np.ndarray
    size: tuple[int, int]
    mirrored: bool = False
    inverse: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inverse", inverted(self.matrix))

    @classmethod
    def around(
        cls,
        center: tuple[float, float] | np.ndarray,
        extent: float,
        size: tuple[int, int],
        rotation: float = 0.0,
        convention: Convention = "published",
    ) -> "Frame":
        """The window of width `extent` (picture pixels) around `center`, turned by `rotation` degrees, as input.

        The window has the input's shape, so its height follows. A positive rotation turns the window clockwise on
        the screen, so the content appears turned the other way. The two conventions differ in what spans what:

        - "published" (get_affine_transform of the published code): `width / extent`, and `center` lands on
          `(width / 2, height / 2)`, half a pixel right and below the middle of the pixel grid.
        - "unbiased" (UDP, Huang et al., CVPR 2020): lengths are counted between pixel centres, `(width - 1) / extent`,
          and `center` lands on `((width - 1) / 2, (height - 1) / 2)`, so that mirroring maps the grid onto itself.

        An empty window (extent 0) gives the zero map, as OpenCV's solver does in the published code.
        """
        width, height = size
        span = np.array([width, height], float) - (convention == "unbiased")
        scale = 0.0 if extent == 0 else span[0] / extent
        angle = np.deg2rad(rotation)
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        linear = np.array([[cosine, sine], [-sine, cosine]])
        shift = span / 2 - linear @ np.asarray(center, float) if scale else np.zeros(2)
        return cls(np.column_stack([linear, shift]), size)

    @classmethod
    def around_mirrored(
        cls,
        picture_width: int,
        center: np.ndarray,
        extent: float,
        size: tuple[int, int],
        rotation: float = 0.0,
        convention: Convention = "published",
    ) -> "Frame":
        """The same window seen in the mirrored picture, as the published training does: first the picture's x becomes
        `picture_width - 1 - x`, then the window is cut with the rotation unchanged."""
        there = np.array([picture_width - 1 - center[0], center[1]])
        window = cls.around(there, extent, size, rotation, convention)
        flip = np.array([[-1.0, 0.0, picture_width - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        return cls(window.matrix @ flip, size, mirrored=True)

    def mirror(self) -> "Frame":
        """The same window with the input mirrored left to right, pixel grid onto pixel grid: x becomes W - 1 - x."""
        flip = np.array([[-1.0, 0.0, self.size[0] - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrix = (flip @ np.vstack([self.matrix, [0, 0, 1]]))[:2]
        return Frame(matrix, self.size, not self.mirrored)

    def to_input(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in picture pixels as points in the network's input."""
        return np.asarray(points, float) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in the network's input as points in picture pixels."""
        return np.asarray(points, float) @ self.inverse[:, :2].T + self.inverse[:, 2]

    def warp(self, image: np.ndarray) -> np.ndarray:
        """The picture (H, W, C) uint8 seen through the frame: (height, width, C), bilinear, black outside."""
        return cv2.warpAffine(image, self.matrix, self.size, flags=cv2.INTER_LINEAR)


def inverted(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a 2x3 map; the zero map stays zero, as in OpenCV."""
    linear = matrix[:, :2]
    if np.linalg.det(linear) == 0:
        return np.zeros((2, 3))
    back = np.linalg.inv(linear)
    return np.column_stack([back, -back @ matrix[:, 2]])


def center_and_extent(box: np.ndarray, size: tuple[int, int], padding: float = 1.25) -> tuple[np.ndarray, float]:
    """Centre (x, y) and width of the window of the input's shape that holds a box x1, y1, x2, y2, widened by `padding`.

    Published `_box2cs`: the centre is x + w / 2, and the shorter side is enlarged to the input's aspect.
    """
    corner, far = np.asarray(box[:2], float), np.asarray(box[2:], float)
    width, height = far - corner
    return (corner + far) / 2, padding * max(width, height * size[0] / size[1])


def windows(width: int, height: int, size: tuple[int, int], most: int = 9) -> list[tuple[np.ndarray, float]]:
    """Centres and widths of windows of the input's shape that cover a picture, each overlapping the next by half.

    They are as high as a wide picture and as wide as a high one; no more than `most`, which then lie apart.
    """
    aspect = size[0] / size[1]
    extent = min(width, height * aspect)
    side = np.array([extent, extent / aspect])
    room = np.array([width, height]) - side
    count = min(most, 1 + int(np.ceil(2 * (room / side).max() - 1e-6)))
    steps = np.linspace(0, 1, count) if count > 1 else np.array([0.5])
    return [(side / 2 + room * step, float(extent)) for step in steps]


def extent_of(points: np.ndarray) -> np.ndarray:
    """The tight box x1, y1, x2, y2 of points (N, 2)."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
