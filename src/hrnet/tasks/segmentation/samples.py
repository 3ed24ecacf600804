"""A labelled picture as the network is shown it in training: scale, crop, mirror (published `BaseDataset.gen_sample`).

Pictures are (H, W, 3) uint8, labels (H, W) uint8 positions in the class list; both go through the same geometry.
"""

import random
from collections.abc import Sequence

import cv2
import numpy as np

from hrnet.datasets.classes import IGNORE
from hrnet.datasets.label_maps import LabelledPicture, LabelMapData
from hrnet.tasks.segmentation.settings import Augmentation, SegmentationRecipe
from hrnet.training.pictures import recoloured

Pair = tuple[np.ndarray, np.ndarray]


class SegmentationSamples:
    """The pictures of one or several data sets as training samples.

    `samples[epoch, index]` is `(crop (h, w, 3) uint8, labels (h, w) uint8, 255 where ignored)`, and depends on the
    recipe's seed, the epoch and the index alone.
    """

    def __init__(self, recipe: SegmentationRecipe, sets: Sequence[LabelMapData]) -> None:
        self.recipe = recipe
        self.records = [record for data in sets for record in data.records]
        self.flip_order = label_order(recipe.model.class_list.flip_order)
        self.pairs = Pairs()

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> Pair:
        epoch, index = key
        draws = random.Random(hash((self.recipe.training.seed, epoch, index)))
        image, labels = self.pairs.read(self.records[index])
        return augmented(image, labels, self.recipe.augmentation, self.flip_order, draws)


class Pairs:
    """Decoded pairs, kept while they fit into `limit` bytes: small sets are decoded once, large ones each time."""

    def __init__(self, limit: int = 1 << 30) -> None:
        self.kept: dict[int, Pair] = {}
        self.room = limit

    def read(self, record: LabelledPicture) -> Pair:
        """Pixels and labels of a record."""
        pair = self.kept.get(id(record))
        if pair is None:
            pair = record.read_both()
            size = sum(each.nbytes for each in pair)
            if size <= self.room:
                self.room -= size
                self.kept[id(record)] = pair
        return pair


def augmented(
    image: np.ndarray, labels: np.ndarray, options: Augmentation, flip_order: np.ndarray, draws: random.Random
) -> Pair:
    """A piece of the picture and its labels, after the recipe's augmentation."""
    mirror = draws.random() < options.flip
    if options.stretch:
        # The published code hands (height, width) to a function that takes (width, height); its crops are squares.
        image, labels = mirrored(image, labels, flip_order) if mirror else (image, labels)
        image, labels, mirror = *resized(image, labels, options.crop), False
    if options.short_side:
        image, labels = resized(image, labels, short_side_size(image.shape[:2], options.short_side))
    scale = 0.5 + draws.randint(0, options.scale_steps) / 10.0
    image, labels = resized(image, labels, long_side_size(image.shape[:2], int(options.long_side * scale + 0.5)))
    image, labels = cut(*padded(image, labels, options.crop), options.crop, draws)
    if mirror:
        image, labels = mirrored(image, labels, flip_order)
    if options.colour:
        image = recoloured(np.ascontiguousarray(image), options.colour, draws.random)
    return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def long_side_size(size: tuple[int, ...], side: int) -> tuple[int, int]:
    """(width, height) of a picture of `size` (height, width) whose longer side becomes `side`; rounds as published."""
    height, width = size
    if height > width:
        return int(width * side / height + 0.5), side
    return side, int(height * side / width + 0.5)


def short_side_size(size: tuple[int, ...], side: int) -> tuple[int, int]:
    """(width, height) of a picture of `size` (height, width) whose shorter side becomes `side`; rounds as published."""
    height, width = size
    if height < width:
        return int(width * side / height + 0.5), side
    return side, int(height * side / width + 0.5)


def resized(image: np.ndarray, labels: np.ndarray, size: tuple[int, int]) -> Pair:
    """Both at `size` (width, height): the picture bilinear, labels the nearest (cv2: floor(destination * scale))."""
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_LINEAR),
        cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST),
    )


def padded(image: np.ndarray, labels: np.ndarray, size: tuple[int, int]) -> Pair:
    """Both with sides of at least `size` (width, height): black and ignored pixels come below and to the right."""
    right, below = max(size[0] - image.shape[1], 0), max(size[1] - image.shape[0], 0)
    if not right and not below:
        return image, labels
    return (
        cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0)),
        cv2.copyMakeBorder(labels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=IGNORE),
    )


def cut(image: np.ndarray, labels: np.ndarray, size: tuple[int, int], draws: random.Random) -> Pair:
    """A piece of `size` (width, height) anywhere in the picture."""
    x = draws.randint(0, image.shape[1] - size[0])
    y = draws.randint(0, image.shape[0] - size[1])
    window = np.s_[y : y + size[1], x : x + size[0]]
    return image[window], labels[window]


def label_order(flip_order: np.ndarray) -> np.ndarray:
    """For every label value the one that it has in the mirrored picture, (256,) uint8."""
    order = np.arange(256, dtype=np.uint8)
    order[: len(flip_order)] = flip_order
    return order


def mirrored(image: np.ndarray, labels: np.ndarray, order: np.ndarray) -> Pair:
    """Both mirrored, classes that are left or right swapped by `order` (256,)."""
    return image[:, ::-1], order[labels[:, ::-1]]
