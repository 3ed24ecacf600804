"""A picture as the network is shown it: a random piece in training, the centre in testing.

Resizing is Pillow's, with antialiasing, because that is what the published code used.
"""

import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image

from hrnet.datasets.image_folder import ImageFolderData
from hrnet.tasks.classification.settings import Augmentation, ClassificationRecipe
from hrnet.training.pictures import recoloured

TRIES = 10


class ClassificationSamples:
    """The pictures of one or several data sets as training samples.

    `samples[epoch, index]` is `(piece (h, w, 3) uint8, class)`, and depends on the recipe's seed, the epoch and the
    index alone.
    """

    def __init__(self, recipe: ClassificationRecipe, sets: Sequence[ImageFolderData]) -> None:
        self.recipe = recipe
        self.records = [record for data in sets for record in data.records]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, np.int64]:
        epoch, index = key
        draws = random.Random(hash((self.recipe.training.seed, epoch, index)))
        record = self.records[index]
        piece = augmented(record.read(), self.recipe.augmentation, self.recipe.model.input_size, draws)
        return piece, np.int64(record.label)


def augmented(image: np.ndarray, options: Augmentation, size: tuple[int, int], draws: random.Random) -> np.ndarray:
    """A random piece of a picture at `size` (width, height), maybe mirrored and recoloured."""
    left, top, width, height = random_piece(image.shape[1], image.shape[0], options, draws)
    piece = np.asarray(
        Image.fromarray(image).resize(
            size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height), reducing_gap=None
        )
    )
    if draws.random() < options.flip:
        piece = piece[:, ::-1]
    if options.colour:
        piece = recoloured(np.ascontiguousarray(piece), options.colour, draws.random)
    return np.ascontiguousarray(piece)


def random_piece(width: int, height: int, options: Augmentation, draws: random.Random) -> tuple[int, int, int, int]:
    """Left, top, width and height of a piece of random area and proportion (published `RandomResizedCrop`).

    As in the torchvision release of the published code, proportions are uniform, and sides swap half of the time.
    After ten pieces that do not fit it is the centre square.
    """
    for _ in range(TRIES):
        area = draws.uniform(*options.area) * width * height
        proportion = draws.uniform(*options.proportion)
        w, h = round(math.sqrt(area * proportion)), round(math.sqrt(area / proportion))
        if draws.random() < 0.5:
            w, h = h, w
        if 0 < w <= width and 0 < h <= height:
            return draws.randint(0, width - w), draws.randint(0, height - h), w, h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def centre(image: np.ndarray, size: tuple[int, int], crop: float) -> np.ndarray:
    """The centre of a picture at `size` (width, height): the shorter side is first brought to int(size / crop).

    Rounding is torchvision's: the longer side is cut down, the corner rounded to the nearest even number. Pictures
    whose proportions differ from the input's are brought to where the input fits in.
    """
    width, height = image.shape[1], image.shape[0]
    target = int(max(size) / crop)
    if min(width, height) != target:
        wide = width > height
        fitted = (int(target * width / height), target) if wide else (target, int(target * height / width))
        image = np.asarray(Image.fromarray(image).resize(fitted, Image.Resampling.BILINEAR))
    top, left = round((image.shape[0] - size[1]) / 2), round((image.shape[1] - size[0]) / 2)
    return np.ascontiguousarray(image[top : top + size[1], left : left + size[0]])
