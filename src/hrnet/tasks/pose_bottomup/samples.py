"""A record as the network is shown it in training: crop, augmentation, pasted people, and the truth that goes with it.

Four kinds of ground say what the heatmap loss may count where: nothing (outside the picture, crowds, people without
labels), all joints that the data set knows, and, for each person of whom only some joints are labelled, those alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as run_lengths

from hrnet.datasets.records import Person, PoseData, Record
from hrnet.datasets.skeleton import Skeleton
from hrnet.errors import HRNetError
from hrnet.geometry import Frame
from hrnet.images import SUFFIXES, picture_size
from hrnet.tasks.pose_bottomup.pasting import Cutout, bounds, corners, paste, place
from hrnet.tasks.pose_bottomup.settings import Augmentation, BottomUpRecipe
from hrnet.training.pictures import Pictures, blurred, recoloured

NOTHING, EVERYTHING, PEOPLE = 0, 1, 2  # kinds of ground; person p's own is PEOPLE + p
MOST_PASTED = 3  # on an annotated picture
FEWEST_JOINTS = 6  # of people who are pasted


@dataclass
class Shown:
    """A person in a training picture: joints (J, 2) in input pixels, the same in cells of each map (M, J, 2), which of
    them are labelled and can be seen (J,), which are labelled at all (J,), and its box in input pixels."""

    points: np.ndarray
    cells: np.ndarray
    labelled: np.ndarray
    known: np.ndarray
    box: np.ndarray


@dataclass
class Scene:
    """A training picture on its way: pixels (H, W, 3), the kind of ground of each map's cells, the joints (J,) that
    count on ordinary ground, and its people."""

    image: np.ndarray
    grounds: list[np.ndarray]
    known: np.ndarray
    people: list[Shown] = field(default_factory=list)


class BottomUpSamples:
    """The pictures of one or several data sets as training samples; sets join by keypoint name.

    `samples[epoch, index]` is `(picture (H, W, 3) uint8, joints (M, P, J, 4) float32, counted (2 + P, J) float32,
    ground (h, w) uint8 of each of the M maps)`. A joint is x, y in cells of the map, visibility, sigma in cells;
    `counted[g]` says which joints count in the heatmap loss on ground of kind g.

    Sets whose pictures are labelled throughout are shown as they are. People who are alone in their picture (all of
    LSPET) can be pasted, on pictures without people and, where the recipe says so, on scenes.
    """

    def __init__(self, recipe: BottomUpRecipe, sets: Sequence[PoseData]) -> None:
        self.recipe, self.skeleton = recipe, recipe.model.keypoints
        kept = [data.without(recipe.without) for data in sets]
        self.scenes = [(r, d.skeleton) for d in kept if d.complete and d.labelled for r in d.records if r.people]
        pasting = recipe.augmentation.mosaics or recipe.augmentation.paste
        self.cutouts = [
            c for d in kept for r in d.records if pasting and (c := cutout_of(r, d.skeleton, self.skeleton))
        ]
        self.backgrounds = backgrounds_in(recipe.augmentation)
        most = max((sum(learnt(person) for person in record.people) for record, _ in self.scenes), default=0)
        self.most = max(most + MOST_PASTED * bool(recipe.augmentation.paste), recipe.augmentation.people[1])
        self.pictures = Pictures()

    def __len__(self) -> int:
        return len(self.scenes) + (self.recipe.augmentation.mosaics if self.backgrounds and self.cutouts else 0)

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
        epoch, index = key
        seed = hash((self.recipe.training.seed, epoch, index))
        draws, coin = np.random.RandomState(seed % 2**32), random.Random(seed)
        options = self.recipe.augmentation
        if index < len(self.scenes):
            scene = self.scene(*self.scenes[index], draws, coin)
            pasted = draws.randint(1, MOST_PASTED + 1) if options.paste and coin.random() < options.paste else 0
        else:
            scene = self.background(draws)
            pasted = draws.randint(options.people[0], options.people[1] + 1)
        if pasted and self.cutouts:
            self.paste(scene, pasted, draws)
        image = scene.image
        if options.blur and coin.random() < options.blur:
            image = blurred(image, coin.random)
        if options.colour:
            image = recoloured(image, options.colour, coin.random)
        return (image, *self.truth(scene))

    def scene(self, record: Record, skeleton: Skeleton, draws: np.random.RandomState, coin: random.Random) -> Scene:
        """An annotated picture through a random window."""
        model, image = self.recipe.model, self.pictures.read(record)
        windows = random_windows(image, [model.input_size, *model.map_sizes], self.recipe.augmentation, draws, coin)
        frame, *maps = windows
        positions = self.skeleton.positions_in(skeleton)
        mask = counted_region(record)
        # As published: the mask is warped as a picture, so what lies outside the picture does not count either.
        grounds = [(window.warp(mask) > 127).astype(np.uint8) * EVERYTHING for window in maps]
        scene = Scene(frame.warp(image), grounds, positions >= 0)
        for person in filter(learnt, record.people):
            points, labelled = renamed(person, positions)
            if frame.mirrored:
                order = self.skeleton.flip_order
                points, labelled = points[order], labelled[order]
            cells = np.stack([window.to_input(points) for window in maps])
            outline = corners(person.box)
            box = bounds(frame.to_input(outline))
            if self.recipe.codec.unlabelled == "unknown" and (scene.known & ~labelled).any():
                for ground, window in zip(grounds, maps, strict=True):
                    own_ground(ground, window.to_input(outline), PEOPLE + len(scene.people))
            scene.people.append(Shown(frame.to_input(points), cells, labelled, labelled, box))
        return scene

    def background(self, draws: np.random.RandomState) -> Scene:
        """A picture without people, a random square of it or more."""
        model = self.recipe.model
        image = self.pictures.read(self.backgrounds[draws.randint(len(self.backgrounds))])
        height, width = image.shape[:2]
        aspect = model.input_size[0] / model.input_size[1]
        extent = min(width, height * aspect) * draws.uniform(0.5, 1)
        room = np.array([width - extent, height - extent / aspect])
        middle = np.array([extent, extent / aspect]) / 2 + room * draws.rand(2)
        frame = Frame.around(middle, extent, model.input_size)
        if draws.rand() < 0.5:
            frame = frame.mirror()
        picture = cv2.warpAffine(image, frame.matrix, frame.size, borderMode=cv2.BORDER_REFLECT)
        grounds = [np.full(size[::-1], EVERYTHING, np.uint8) for size in model.map_sizes]
        return Scene(picture, grounds, np.ones(len(self.skeleton), bool))

    def paste(self, scene: Scene, count: int, draws: np.random.RandomState) -> None:
        """Paste up to `count` people; whom they cover loses the joints that lie beneath."""
        model, options = self.recipe.model, self.recipe.augmentation
        owners = np.zeros(scene.image.shape[:2], np.uint8)
        for _ in range(count):
            cutout = self.cutouts[draws.randint(len(self.cutouts))]
            frame = place(cutout, model.input_size, [person.box for person in scene.people], options, draws)
            if frame is None:
                continue
            image = self.pictures.read(cutout.record)
            if options.colour:
                image = recoloured(image, options.colour, draws.rand)
            covered, region = paste(scene.image, image, cutout, frame, options, draws)
            owners[region][covered] = 1
            for person in scene.people:
                person.labelled = person.labelled & ~under(person.points, owners)
            points, labelled = frame.to_input(cutout.points), cutout.labelled
            if frame.mirrored:
                order = self.skeleton.flip_order
                points, labelled = points[order], labelled[order]
            shares = np.array(model.map_sizes, float) / model.input_size
            box = bounds(frame.to_input(corners(cutout.box)))
            for ground, (across, down) in zip(scene.grounds, shares, strict=True):
                steps = round(1 / down), round(1 / across)
                ground[owners[:: steps[0], :: steps[1]] > 0] = PEOPLE + len(scene.people)
            seen = labelled & under(points, owners)
            scene.people.append(Shown(points, points * shares[:, None], seen, labelled, box))
            owners[:] = 0

    def truth(self, scene: Scene) -> tuple[np.ndarray, ...]:
        """Joints, what counts where, and the ground of each map."""
        codec = self.recipe.codec
        count, centre = len(self.skeleton), self.recipe.model.centre
        joints = np.zeros((len(scene.grounds), self.most, count + centre, 4), np.float32)
        counted = np.zeros((PEOPLE + self.most, count + centre), np.float32)
        counted[EVERYTHING:, count:] = 1
        counted[EVERYTHING, :count] = scene.known
        for p, person in enumerate(scene.people):
            length = (person.box[2:] - person.box[:2]).max()
            sigma = codec.sigma * np.clip(length / 256, 0.4, 2.5) if codec.scale_aware else codec.sigma
            joints[:, p, :count, :2], joints[:, p, :count, 2] = person.cells, person.labelled
            joints[:, p, :, 3] = sigma
            counted[PEOPLE + p, :count] = person.known
            if centre and person.labelled.any():
                joints[:, p, -1, :2] = person.cells[:, person.labelled].mean(axis=1)
                joints[:, p, -1, 2] = 1
        return joints, counted, *scene.grounds


def random_windows(
    image: np.ndarray,
    sizes: Sequence[tuple[int, int]],
    options: Augmentation,
    draws: np.random.RandomState,
    coin: random.Random,
) -> list[Frame]:
    """The same random window of a picture for each of `sizes`, in the published order of draws.

    Published `RandomAffineTransform` and `RandomHorizontalFlip`: nothing knows of half pixels, so a joint's cell is the
    matrix times its pixel, and each map is mirrored by itself.
    """
    height, width = image.shape[:2]
    side = min(height, width) if options.side == "short" else max(height, width)
    low, high = options.scale
    scale = side / 200 * ((high - low) * draws.random_sample() + low)
    rotation = options.rotation * (2 * draws.random_sample() - 1)
    reach, center = int(options.shift * 200 * scale), np.array([width / 2, height / 2])
    if reach:
        center += [draws.randint(-reach, reach), draws.randint(-reach, reach)]
    frames = [Frame.around(center, 200 * scale, size, rotation) for size in sizes]
    return [frame.mirror() for frame in frames] if coin.random() < options.flip else frames


def counted_region(record: Record) -> np.ndarray:
    """255 where the heatmap loss counts, 0 on crowds and on people without labels; (H, W) uint8."""
    region = np.full((record.height, record.width), 255, np.uint8)
    for person in record.people:
        if person.crowd or not learnt(person):
            outline = covered(person.segment, region.shape)
            if outline is not None:
                region[outline] = 0
            else:
                x1, y1, x2, y2 = np.rint(person.box).astype(int)
                region[y1 : y2 + 1, x1 : x2 + 1] = 0
    return region


def covered(segment: Any, size: tuple[int, ...]) -> np.ndarray | None:
    """Where a segment as COCO writes it lies in a picture of `size` (height, width); None where there is no outline."""
    encoded: Any = run_lengths.frPyObjects
    outlines: Any = []
    if isinstance(segment, list):
        polygons = [each for each in segment if isinstance(each, list) and len(each) >= 6 and len(each) % 2 == 0]
        outlines = encoded(polygons, *size) if polygons else []
    elif isinstance(segment, dict) and list(segment.get("size", ())) == list(size) and "counts" in segment:
        outlines = [segment if isinstance(segment["counts"], str | bytes) else encoded(segment, *size)]
    return run_lengths.decode(run_lengths.merge(outlines)) > 0 if outlines else None


def learnt(person: Person) -> bool:
    """Whether a person teaches anything: published code keeps all people with a labelled joint."""
    return bool(person.visibility.any())


def renamed(person: Person, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (J, 2) and labelled (J,) at `positions` of the person's own; -1 is a joint that it does not have."""
    labelled = (positions >= 0) & (person.visibility[positions] > 0)
    return np.where(labelled[:, None], person.keypoints[positions], 0.0), labelled


def own_ground(ground: np.ndarray, outline: np.ndarray, kind: int) -> None:
    """Mark ordinary ground (h, w) within a person's outline (4, 2) as the person's own, in place."""
    inside = np.zeros_like(ground)
    cv2.fillConvexPoly(inside, np.rint(outline).astype(np.int32), 1)
    ground[(inside > 0) & (ground == EVERYTHING)] = kind


def under(points: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Which points (N, 2) lie on a marked pixel of `owners` (H, W)."""
    x, y = np.rint(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < owners.shape[1]) & (y < owners.shape[0])
    return inside & (owners[np.where(inside, y, 0), np.where(inside, x, 0)] > 0)


def cutout_of(record: Record, source: Skeleton, target: Skeleton) -> Cutout | None:
    """The person to be pasted from a picture, if it is alone there and labelled well enough."""
    if len(record.people) != 1 or record.people[0].crowd:
        return None
    points, labelled = renamed(record.people[0], target.positions_in(source))
    return Cutout(record, points, labelled, record.people[0].box) if labelled.sum() >= FEWEST_JOINTS else None


def backgrounds_in(options: Augmentation) -> list[Record]:
    """The pictures without people that a recipe names, from its folder and all folders in it."""
    if not options.backgrounds or not options.mosaics:
        return []
    paths = sorted(path for path in Path(options.backgrounds).rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise HRNetError(f"augmentation.backgrounds {options.backgrounds!r} holds no pictures: name another folder")
    return [Record(path, *picture_size(path), id=path.stem, people=()) for path in paths]
