"""Maps of several resolutions, of the mirrored picture and of several scales to one set of heatmaps and tags."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hrnet.tasks.pose_bottomup.settings import BottomUpRecipe


@dataclass(frozen=True)
class Layout:
    """How a network's maps are read: J heatmaps first, then T tags where there are some; which maps are averaged, and
    which carry tags; `flip_order` (J,) swaps left and right; `centre` says that the last joint is dropped."""

    joints: int
    tags: int
    heatmap_maps: tuple[int, ...]
    tag_maps: tuple[int, ...]
    flip_order: np.ndarray
    drop_centre: bool = False
    whole_tags: bool = True  # tags as fine as the finest map; else as they come, where all come alike

    @classmethod
    def of(cls, recipe: BottomUpRecipe) -> "Layout":
        """The layout of a recipe's network, read as its tests ask."""
        model, testing = recipe.model, recipe.testing
        every = tuple(range(model.outputs))
        taught, asked = recipe.loss.heatmap_maps or every, testing.heatmap_maps or every
        averaged = tuple(k for k in every if k in taught and k in asked)
        order = np.concatenate([model.keypoints.flip_order, [len(model.keypoints)] * model.centre]).astype(int)
        tags = model.joints if model.tags == "per_joint" else 1
        whole = testing.grouping == "exact" or len(model.tag_maps) > 1 or testing.scales != (1.0,)
        return cls(model.joints, tags, averaged, model.tag_maps, order, model.centre and testing.ignore_centre, whole)

    def read(self, outputs: Sequence[np.ndarray], mirrored: bool = False) -> tuple[np.ndarray, list[np.ndarray]]:
        """Mean heatmaps (J, h, w) of maps (C, h, w), coarsest first, all as fine as the last, and the tag maps
        (T, h, w); those of the mirrored picture as if of the picture itself."""
        finest = outputs[-1].shape[2:0:-1]
        heatmaps = mean_of([resized(outputs[k][: self.joints], finest) for k in self.heatmap_maps])
        tags = [outputs[k][-self.tags :] for k in self.tag_maps]
        tags = [resized(tag, finest) for tag in tags] if self.whole_tags else tags
        if mirrored:
            heatmaps = heatmaps[self.flip_order, :, ::-1]
            tags = [(tag[self.flip_order] if self.tags > 1 else tag)[..., ::-1] for tag in tags]
        if self.drop_centre:
            heatmaps, tags = heatmaps[:-1], [tag[:-1] if self.tags > 1 else tag for tag in tags]
        return heatmaps, tags


class Aggregate:
    """Heatmaps averaged over passes and scales, and tags side by side, as scales come in, the largest first.

    With `size` (width, height) everything is enlarged to it before it is summed; without, to the first scale's maps.
    """

    def __init__(self, layout: Layout, size: tuple[int, int] | None = None) -> None:
        self.layout, self.size, self.scales = layout, size, 0
        self.total = self.tags = np.zeros(0, np.float32)  # the tags (T, h, w, D), plain before mirrored

    def add(self, passes: Sequence[Sequence[np.ndarray]], tags: bool) -> None:
        """Take in the maps of one scale: of the picture and, with the flip test, of its mirror image. Tags of one scale
        only are kept. Joint after joint, so that little more than the sum is held at full size."""
        read = [self.layout.read(outputs, mirrored=n == 1) for n, outputs in enumerate(passes)]
        heatmaps, found = [each for each, _ in read], [each for _, several in read for each in several]
        size = self.size or (self.total if self.scales else heatmaps[0]).shape[2:0:-1]
        if not self.scales:
            self.total = np.zeros((len(heatmaps[0]), *size[::-1]), np.float32)
        for plane, several in zip(self.total, enlarged(heatmaps, size), strict=True):
            plane += mean_of(several)
        if tags:
            size = size if self.size or self.scales else found[0].shape[2:0:-1]  # may be coarser than heatmaps
            self.tags = np.empty((len(found[0]), *size[::-1], len(found)), np.float32)
            for plane, several in zip(self.tags, enlarged(found, size), strict=True):
                np.stack(several, axis=-1, out=plane)
        self.scales += 1

    @property
    def heatmaps(self) -> np.ndarray:
        """The mean heatmaps (J, h, w)."""
        return self.total if self.scales == 1 else self.total / np.float32(self.scales)


def enlarged(maps: Sequence[np.ndarray], size: tuple[int, ...]) -> Iterator[list[np.ndarray]]:
    """For one channel after the other, that of each of several maps (C, h, w), at a size (width, height)."""
    for channel in range(len(maps[0])):
        yield [resized(each[channel : channel + 1], size)[0] for each in maps]


def mean_of(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of arrays of one shape, float32."""
    return np.asarray(sum(maps[1:], start=maps[0]) / np.float32(len(maps)))


def resized(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps (C, h, w) at another size (width, height), bilinear between the centres of cells."""
    if maps.shape[2:0:-1] == tuple(size):
        return maps
    return np.stack([cv2.resize(each, tuple(size), interpolation=cv2.INTER_LINEAR) for each in maps])
