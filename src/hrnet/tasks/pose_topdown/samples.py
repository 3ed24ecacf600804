"""A record's person as the network is shown it in training: crop, augmentation, target maps."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import Skeleton
from hrnet.geometry import Frame, center_and_extent, extent_of
from hrnet.tasks.pose_topdown.codec import Codec
from hrnet.tasks.pose_topdown.settings import Augmentation, PoseRecipe
from hrnet.training.pictures import Pictures, blurred, recoloured

FAR_OUTSIDE = -1e6


class Draws:
    """Random numbers of one sample, drawn from the two generators that the published code draws from.

    NumPy's is shared and seeded anew, as making one takes longer than warping a picture: only the latest draws hold.
    """

    numbers = np.random.RandomState(0)

    def __init__(self, seed: int) -> None:
        self.uniform = random.Random(seed).random
        self.numbers.seed(seed % 2**32)
        self.normal = self.numbers.randn
        self.uniform_numpy = self.numbers.rand


@dataclass(frozen=True)
class Pick:
    """One person to learn from, with keypoints in the recipe's skeleton."""

    record: Record
    person: Person
    keypoints: np.ndarray
    labelled: np.ndarray


class PoseSamples:
    """The people of one or several data sets as training samples; sets join by keypoint name.

    `samples[epoch, index]` is `(crop (H, W, 3) uint8, target maps (K, h, w) float32, weights (K,) float32)`, and
    depends on the recipe's seed, the epoch and the index alone. A joint that a set does not label has weight 0.
    """

    def __init__(self, recipe: PoseRecipe, sets: Sequence[PoseData]) -> None:
        self.recipe, self.codec = recipe, Codec(recipe)
        skeleton = recipe.model.keypoints
        for data in sets:
            data.demand_shared(skeleton)
        self.picks = [
            renamed(record, person, data.skeleton, skeleton)
            for data in sets
            for record in data.without(recipe.without).records
            for person in record.people
            if not person.crowd and person.visibility.any()
        ]
        self.pictures = Pictures()

    def __len__(self) -> int:
        return len(self.picks)

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        epoch, index = key
        pick, recipe = self.picks[index], self.recipe
        draws = Draws(hash((recipe.training.seed, epoch, index)))
        image = self.pictures.read(pick.record)
        crop, points, labelled = augmented(image, pick, recipe, draws)
        maps, weights = self.codec.encode(points, labelled)
        if pick.person.pseudo:
            weights = weights * recipe.loss.pseudo_weight
        return crop, maps, weights


def renamed(record: Record, person: Person, source: Skeleton, target: Skeleton) -> Pick:
    """The person with keypoints (K, 2) and labelled (K,) in the target's order; joints unknown there are unlabelled."""
    positions = target.positions_in(source)
    labelled = (positions >= 0) & (person.visibility[positions] > 0)
    return Pick(record, person, np.where(labelled[:, None], person.keypoints[positions], 0.0), labelled)


def augmented(
    image: np.ndarray, pick: Pick, recipe: PoseRecipe, draws: Draws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The crop (H, W, 3) uint8, keypoints (K, 2) in it and labelled (K,), after the recipe's augmentation.

    The order of steps and of random draws is the published one (`JointsDataset.__getitem__`), with the named options
    that the published code lacks before it and after it.
    """
    options = recipe.augmentation
    if options.cut_off and draws.uniform() < options.cut_off:
        image, pick = cut_off(image, pick, draws)
    frame = random_frame(image.shape[1], pick, recipe, draws)
    crop, points, labelled = frame.warp(image), frame.to_input(pick.keypoints), pick.labelled
    if frame.mirrored:
        order = recipe.model.keypoints.flip_order
        points, labelled = points[order], labelled[order]
    if options.blur and draws.uniform() < options.blur:
        crop = blurred(crop, draws.uniform)
    if options.colour:
        crop = recoloured(crop, options.colour, draws.uniform)
    return crop, points, labelled


def random_frame(picture_width: int, pick: Pick, recipe: PoseRecipe, draws: Draws) -> Frame:
    """The window on a person, varied as the recipe says."""
    size, options = recipe.model.input_size, recipe.augmentation
    center, extent = center_and_extent(pick.person.box, size, recipe.framing.padding)
    half = half_body(pick, recipe.model.keypoints, size, options, draws)
    if half is not None:
        center, extent = half
    extent *= np.clip(draws.normal() * options.scale + 1, 1 - options.scale, 1 + options.scale)
    turning = draws.uniform() <= options.rotation_probability
    rotation = np.clip(draws.normal() * options.rotation, -2 * options.rotation, 2 * options.rotation) if turning else 0
    mirrored = bool(options.flip) and draws.uniform() <= options.flip
    if options.shift:
        reach = options.shift * extent * np.array([1, size[1] / size[0]])
        center = center + reach * [2 * draws.uniform() - 1, 2 * draws.uniform() - 1]
    convention = recipe.framing.convention
    if mirrored:
        return Frame.around_mirrored(picture_width, center, extent, size, rotation, convention)
    return Frame.around(center, extent, size, rotation, convention)


def half_body(
    pick: Pick, skeleton: Skeleton, size: tuple[int, int], options: Augmentation, draws: Draws
) -> tuple[np.ndarray, float] | None:
    """Centre and extent of the upper or lower body alone, or None (published `half_body_transform`).

    The published choice of the upper body draws a normal number and compares it with 0.5: a probability of 0.69.
    """
    if (
        not skeleton.upper_body
        or pick.labelled.sum() <= options.half_body_above
        or draws.uniform_numpy() >= options.half_body
    ):
        return None
    there = pick.labelled & (pick.keypoints > FAR_OUTSIDE).all(axis=1)
    upper, lower = there & skeleton.upper, there & ~skeleton.upper
    chosen = upper if draws.normal() < 0.5 and upper.sum() > 2 else lower if lower.sum() > 2 else upper
    if chosen.sum() < 2:
        return None
    points = pick.keypoints[chosen]
    _, extent = center_and_extent(extent_of(points), size, padding=1.5)
    return points.mean(axis=0), extent


def cut_off(image: np.ndarray, pick: Pick, draws: Draws) -> tuple[np.ndarray, Pick]:
    """Let the picture end within the person, most often below, so that a quarter to three quarters of the box remain.

    What lies beyond is black, and the joints there are known to be absent: they move far outside.
    """
    side = ("bottom", "bottom", "bottom", "left", "right", "top")[int(6 * draws.uniform())]
    axis = 1 if side in ("bottom", "top") else 0
    low, high = pick.person.box[axis], pick.person.box[axis + 2]
    kept = (0.25 + 0.5 * draws.uniform()) * (high - low)
    ends = side in ("bottom", "right")
    edge = round(low + kept) if ends else round(high - kept)

    image, box, points = image.copy(), pick.person.box.copy(), pick.keypoints.copy()
    beyond = slice(max(edge, 0), None) if ends else slice(0, max(edge, 0))
    image[beyond if axis == 1 else (slice(None), beyond)] = 0
    box[axis + 2 if ends else axis] = edge
    points[points[:, axis] >= edge if ends else points[:, axis] < edge] = FAR_OUTSIDE
    return image, replace(pick, person=replace(pick.person, box=box), keypoints=points)
