"""Pictures to label maps: sizes, windows, scales, mirroring, batches through an engine.

Sizes are (height, width) here, widths first in recipes. Pictures (B, H, W, 3) are RGB from 0 to 255, uint8, or float32
once they are resampled; scores and evidence are (B, K, H, W).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

import cv2
import numpy as np

from hrnet.engines.engine import Engine
from hrnet.engines.inference import BatchedInference, Item, pixels_of
from hrnet.engines.pipeline import Arrays
from hrnet.errors import UsageError
from hrnet.images import MEAN
from hrnet.results.label_map import LabelMap
from hrnet.tasks.segmentation.codec import enlarged, evidence, labels_of, mirrored_back
from hrnet.tasks.segmentation.samples import short_side_size
from hrnet.tasks.segmentation.settings import SegmentationRecipe

Size = tuple[int, int]
MARGIN = 256  # pixels around a tile that are looked at but not answered for


class SegmentationInference(BatchedInference[Size, LabelMap]):
    """A recipe and an engine, ready to predict: the label map of each picture, in a list of one.

    Neighbouring pictures of one size share batches; a large one is looked at a tile and its surroundings at a time, so
    that memory does not grow with it.
    """

    most_bytes = 3 * 1_400_000  # more pixels at once cost memory and gain nothing

    def __init__(self, recipe: SegmentationRecipe, engine: Engine) -> None:
        self.recipe, self.engine, self.testing = recipe, engine, recipe.testing
        self.classes, self.aligned = recipe.model.class_list, recipe.model.aligned
        self.batch_size = recipe.testing.batch_size
        width, height = recipe.testing.window
        self.window = (height, width)
        if engine.decodes and not recipe.fits_into_a_graph:
            raise UsageError(
                "a graph that gives labels holds one look: leave testing.flip, scales and windows as they are"
            )

    def prepare(self, item: Item) -> tuple[Size, Sequence[np.ndarray]]:
        """The picture, or its tiles with what surrounds them."""
        image = pixels_of(item[0])
        size, step = (image.shape[0], image.shape[1]), self.testing.tile
        if not self.tiled(size):
            return size, [image]
        corners = self.corners(size)
        return size, [
            image[max(y - MARGIN, 0) : y + step + MARGIN, max(x - MARGIN, 0) : x + step + MARGIN] for y, x in corners
        ]

    def run(self, crops: np.ndarray) -> Arrays:
        """Labels (B, H, W) of pictures of one size."""
        return (self.labels(crops),)

    def finish(self, state: Size, answers: list[Arrays]) -> list[LabelMap]:
        """The label map, put together from tiles where it was looked at in tiles."""
        if not self.tiled(state):
            ((labels,),) = answers
            return [LabelMap(labels, self.classes)]
        labels, step = np.empty(state, np.uint8), self.testing.tile
        for (y, x), (seen,) in zip(self.corners(state), answers, strict=True):
            target = labels[y : y + step, x : x + step]
            inner = seen[y - max(y - MARGIN, 0) :, x - max(x - MARGIN, 0) :]
            target[:] = inner[: target.shape[0], : target.shape[1]]
        return [LabelMap(labels, self.classes)]

    def tiled(self, size: Size) -> bool:
        """Whether a picture of a size is looked at in tiles."""
        return self.testing.resize == "none" and not self.testing.base and size[0] * size[1] > self.testing.tile**2

    def corners(self, size: Size) -> list[Size]:
        """Upper left corners (y, x) of a picture's tiles."""
        step = self.testing.tile
        return [(y, x) for y in range(0, size[0], step) for x in range(0, size[1], step)]

    def labels(self, batch: np.ndarray) -> np.ndarray:
        """Labels (B, H, W) of pictures (B, H, W, 3), held at once."""
        size, testing = (batch.shape[1], batch.shape[2]), self.testing
        if testing.resize == "short_side":
            return self.labels_of_padded(batch, size)
        if testing.resize == "stretch":
            batch = rescaled(batch, self.window)
        elif size[0] * size[1] > testing.tile**2:
            # Evidence is added up at the picture's size; one that is larger than the largest scale gains nothing by it.
            batch = rescaled(batch, self.scaled_size(size, max(testing.scales)), cv2.INTER_AREA)
        found = self.scores(batch)
        if self.engine.decodes:  # labels already, of the size at which the network looked
            return rescaled(found.astype(np.uint8), size, cv2.INTER_NEAREST)
        return labels_of(found, size, self.aligned)

    def labels_of_padded(self, batch: np.ndarray, size: Size) -> np.ndarray:
        """Labels (B, H, W) by way of a fixed shorter side, padded with the mean colour to multiples of 8 pixels."""
        width, height = short_side_size(size, self.testing.side)
        below, right = -height % 8, -width % 8
        colour = tuple(float(value) for value in 255 * MEAN)
        batch = rescaled(batch, (height, width))
        batch = np.stack(
            [cv2.copyMakeBorder(each, 0, below, 0, right, cv2.BORDER_CONSTANT, value=colour) for each in batch]
        )
        scores = enlarged(self.scores(batch), (height + below, width + right), self.aligned)
        return labels_of(scores[:, :, :height, :width], size, self.aligned)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """What labels are the arg-max of, (B, K, ...), for pictures (B, H, W, 3): evidence added up over all scales.

        One look without mirroring stays at the network's resolution, for enlarging and arg-max are one step then.
        """
        testing, size = self.testing, (batch.shape[1], batch.shape[2])
        # Published code resamples normalised values, which gives the same as normalising resampled ones.
        scaled = [rescaled(batch, self.scaled_size(size, scale), exact=True) for scale in testing.scales]
        if len(scaled) == 1 and not testing.flip and self.sees_all(testing.scales[0]):
            return self.network(scaled[0])
        looks = (self.look(x, scale) for x, scale in zip(scaled, testing.scales, strict=True))
        return reduce(np.add, (enlarged(look, size, self.aligned) for look in looks))

    def scaled_size(self, size: Size, scale: float) -> Size:
        """The size at a scale: the longer side becomes `base` times the scale."""
        longer = int((self.testing.base or max(size)) * scale + 0.5)
        height, width = size
        if height > width:
            return longer, int(width * longer / height + 0.5)
        return int(height * longer / width + 0.5), longer

    def look(self, batch: np.ndarray, scale: float) -> np.ndarray:
        """Evidence (B, K, H, W) for pictures (B, H, W, 3) by the recipe's rule for windows."""
        size = (batch.shape[1], batch.shape[2])
        if self.sees_all(scale):
            return self.evidence(batch)
        if self.testing.windows == "tiled":
            return self.over(batch, tiled_windows(size, self.window), pad=False)
        batch = padded(batch, self.window)
        if max(size) <= min(self.window):
            return self.evidence(batch)[:, :, : size[0], : size[1]]
        windows = sliding_windows((batch.shape[1], batch.shape[2]), self.window)
        return self.over(batch, windows, pad=True)[:, :, : size[0], : size[1]]

    def sees_all(self, scale: float) -> bool:
        """Whether one look takes in all of a picture at a scale."""
        return self.testing.windows == "whole" or (self.testing.windows == "tiled" and scale <= 1)

    def over(self, batch: np.ndarray, windows: Iterable[Size], pad: bool) -> np.ndarray:
        """Evidence (B, K, H, W), averaged over windows given by their upper left corners (y, x)."""
        h, w = self.window
        total = np.zeros((len(batch), len(self.classes), *batch.shape[1:3]), np.float32)
        count = np.zeros((1, 1, *batch.shape[1:3]), np.float32)
        for y, x in windows:
            part = batch[:, y : y + h, x : x + w]
            found = self.evidence(padded(part, self.window) if pad else part)[:, :, : part.shape[1], : part.shape[2]]
            total[:, :, y : y + h, x : x + w] += found
            count[:, :, y : y + h, x : x + w] += 1
        return total / count

    def evidence(self, batch: np.ndarray) -> np.ndarray:
        """Evidence (B, K, H, W) for pictures (B, H, W, 3), scores averaged with the mirrored picture's where asked."""
        size = (batch.shape[1], batch.shape[2])
        scores = enlarged(self.network(batch), size, self.aligned)
        if self.testing.flip:
            mirrored = enlarged(self.network(batch[:, :, ::-1]), size, self.aligned)
            scores = 0.5 * (scores + mirrored_back(mirrored, self.classes.flip_order))
        return evidence(scores)

    def network(self, batch: np.ndarray) -> np.ndarray:
        """The engine's final scores, (B, K, H/4, W/4), or labels (B, H, W) where its graph decodes."""
        return self.engine.run(np.ascontiguousarray(batch))[-1]


def rescaled(batch: np.ndarray, size: Size, interpolation: int = cv2.INTER_LINEAR, exact: bool = False) -> np.ndarray:
    """Pictures (B, H, W, 3) at another size; `exact` keeps fractions, as float32."""
    if batch.shape[1:3] == size:
        return batch
    pictures = batch.astype(np.float32) if exact else batch
    return np.stack([cv2.resize(each, (size[1], size[0]), interpolation=interpolation) for each in pictures])


def padded(batch: np.ndarray, size: Size) -> np.ndarray:
    """Pictures (B, H, W, 3) with sides of at least `size`: black comes below and to the right."""
    below, right = max(size[0] - batch.shape[1], 0), max(size[1] - batch.shape[2], 0)
    return np.pad(batch, ((0, 0), (0, below), (0, right), (0, 0))) if below or right else batch


def tiled_windows(size: Size, window: Size) -> Iterator[Size]:
    """Corners (y, x) of windows side by side; the last of a row or column is moved inwards (Cityscapes' rule)."""
    rows, columns = (math.ceil(side / step) for side, step in zip(size, window, strict=True))
    for r in range(rows):
        for c in range(columns):
            yield (
                max(min((r + 1) * window[0], size[0]) - window[0], 0),
                max(min((c + 1) * window[1], size[1]) - window[1], 0),
            )


def sliding_windows(size: Size, window: Size) -> Iterator[Size]:
    """Corners (y, x) of windows that move by two thirds of their sides; those at the border may reach over it."""
    steps = [int(side * 2 / 3) for side in window]
    rows, columns = (
        math.ceil((side - length) / step) + 1 for side, length, step in zip(size, window, steps, strict=True)
    )
    return ((r * steps[0], c * steps[1]) for r in range(rows) for c in range(columns))
