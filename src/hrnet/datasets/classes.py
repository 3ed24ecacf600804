"""Class lists: what the labels of a segmentation mean, in the order of a network's maps.

Sources: the published segmentation code's data sets (cityscapes.py, pascal_ctx.py, lip.py) and SegNet's CamVid classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hrnet.errors import HRNetError

IGNORE = 255  # the label of pixels that neither teach nor count, whatever number a data set gives them
MOST_CLASSES = 254
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassList:
    """Names in the order of the network's maps, and what else a data set says about its classes.

    `values` maps the numbers in label files to positions, where these differ; `ignored` are further numbers of label
    files that mean "do not count" (255 always does). `palette` are the colours of drawings and palette PNGs.
    `weights` are the published weights of a loss, `flip_pairs` the classes that mirroring swaps, `categories` groups
    of classes that are scored together, `things` the classes whose instances Cityscapes scores.
    """

    name: str
    names: tuple[str, ...]
    palette: tuple[Colour, ...] = ()
    values: Mapping[int, int] | None = None
    ignored: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    categories: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    things: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.names) <= MOST_CLASSES:
            raise HRNetError(f"a class list has 1 to {MOST_CLASSES} names, {self.name} has {len(self.names)}")
        twice = [name for name in dict.fromkeys(self.names) if self.names.count(name) > 1]
        if twice:
            raise HRNetError(f"the class list {self.name} names '{twice[0]}' twice: give each class its own name")
        if not self.palette:
            object.__setattr__(self, "palette", bit_palette(len(self.names)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def flip_order(self) -> np.ndarray:
        """For each class the one that takes its place in the mirrored picture, (K,)."""
        order = np.arange(len(self))
        for a, b in self.flip_pairs:
            order[[a, b]] = b, a
        return order

    def lookup(self) -> np.ndarray:
        """From numbers in label files to positions, int16: 255 where a pixel is ignored, -1 where unknown.

        (256,), or longer where a data set's numbers are larger.
        """
        known = self.values if self.values is not None else {k: k for k in range(len(self))}
        table = np.full(max(256, *(value + 1 for value in (*known, *self.ignored))), -1, np.int16)
        for value, position in known.items():
            table[value] = position
        table[[*self.ignored, IGNORE]] = IGNORE
        return table

    def file_values(self) -> np.ndarray:
        """From positions to numbers in label files, (256,) uint8: the inverse of `lookup`, as submissions need it."""
        table = np.arange(256, dtype=np.uint8)
        for value, position in (self.values or {}).items():
            table[position] = min(value, IGNORE)
        return table


def bit_palette(count: int) -> tuple[Colour, ...]:
    """Colours that differ as early as possible: the bits of a number spread over red, green and blue from the top.

    The palette of PASCAL VOC, which the published code gives to every data set's PNGs.
    """
    numbers = np.arange(count)
    channels = [
        sum(((numbers >> (3 * place + channel)) & 1) << (7 - place) for place in range(8)) for channel in range(3)
    ]
    return tuple((int(r), int(g), int(b)) for r, g, b in zip(*channels, strict=True))


def own_classes(names: Sequence[str], palette: Sequence[Colour] = (), name: str = "own") -> ClassList:
    """A user's class list: labels 0 to K - 1 in the order of the names, 255 ignored."""
    return ClassList(name, tuple(names), tuple(palette))


CITYSCAPES = ClassList(
    "cityscapes",
    (
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
        "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    ),
    palette=(
        (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
        (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0),
        (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
    ),
    values=dict(
        zip((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33), range(19), strict=True)
    ),
    ignored=(0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30),
    weights=(
        0.8373, 0.918, 0.866, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023, 0.9539, 0.9843, 1.1116, 0.9037,
        1.0865, 1.0955, 1.0865, 1.1529, 1.0507,
    ),
    categories={
        "flat": (0, 1), "construction": (2, 3, 4), "object": (5, 6, 7), "nature": (8, 9), "sky": (10,),
        "human": (11, 12), "vehicle": (13, 14, 15, 16, 17, 18),
    },
    things=(11, 12, 13, 14, 15, 16, 17, 18),
)  # fmt: skip

CONTEXT_NAMES = (
    "aeroplane", "bag", "bed", "bedclothes", "bench", "bicycle", "bird", "boat", "book", "bottle", "building", "bus",
    "cabinet", "car", "cat", "ceiling", "chair", "cloth", "computer", "cow", "cup", "curtain", "dog", "door", "fence",
    "floor", "flower", "food", "grass", "ground", "horse", "keyboard", "light", "motorbike", "mountain", "mouse",
    "person", "plate", "platform", "pottedplant", "road", "rock", "sheep", "shelves", "sidewalk", "sign", "sky", "snow",
    "sofa", "table", "track", "train", "tree", "truck", "tvmonitor", "wall", "water", "window", "wood",
)  # fmt: skip
# Numbers of the 59 classes, and of background, in the original annotation of 459 classes, ascending.
CONTEXT_ORIGINAL = (
    0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159,
    162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397,
    415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip
CONTEXT_NUMBERS = 460  # of the original annotation, 0 included
PASCAL_CONTEXT_60 = ClassList("pascal_context_60", ("background", *CONTEXT_NAMES))
# Files hold 0 for background, which is left out, and 1 to 59.
PASCAL_CONTEXT_59 = ClassList(
    "pascal_context_59", CONTEXT_NAMES, values={value: value - 1 for value in range(1, 60)}, ignored=(0,)
)

LIP = ClassList(
    "lip",
    (
        "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
        "jumpsuits", "scarf", "skirt", "face", "left arm", "right arm", "left leg", "right leg", "left shoe",
        "right shoe",
    ),
    flip_pairs=((14, 15), (16, 17), (18, 19)),
)  # fmt: skip

CAMVID = ClassList(
    "camvid",
    (
        "sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian",
        "bicyclist",
    ),
    palette=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0), (192, 128, 128),
        (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
    ignored=(11,),
    # SegNet's: the median class's frequency over each class's
    weights=(0.2595, 0.1826, 4.5640, 0.1417, 0.9051, 0.3826, 9.6446, 1.8418, 0.6823, 6.2478, 7.3614),
)  # fmt: skip

CLASS_LISTS = {each.name: each for each in (CITYSCAPES, PASCAL_CONTEXT_59, PASCAL_CONTEXT_60, LIP, CAMVID)}
