"""Fine-tuning on few samples: keypoints of the data, a schedule for their number, and a head that starts by name."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrnet.catalogue import recipe_in
from hrnet.datasets.opening import skeleton_in
from hrnet.datasets.skeleton import SKELETONS
from hrnet.settings import DataSet, Recipe
from hrnet.tasks.pose_topdown.settings import PoseRecipe
from hrnet.weights.files import Start

if TYPE_CHECKING:
    from torch import nn

FEW = 5000  # samples; above it a recipe's own schedule stays
SHOWN, MOST_TIMES, STEPS_AN_EPOCH = 20_000, 100, 16


def adapted(
    recipe: Recipe, data: Sequence[str], images: Sequence[Path] = (), changes: Mapping[str, Any] | None = None
) -> tuple[Recipe, list[str]]:
    """The recipe as fine-tuning on `data` wants it, and a line on each thing that was changed.

    `changes` are recipe fields that the user sets, as `Recipe.override` takes them: they stay as they are set.
    """
    recipe, notes = recipe.override(changes or {}), []
    own = own_keypoints(recipe, data)
    if own is not None:
        recipe, note = own
        notes.append(note)
    read = {each: recipe.read(each, "train", images) for each in data}
    count = len(recipe.samples([read[each] for each in data]))
    if isinstance(recipe, PoseRecipe) and (kept_back := held_back(recipe, read.values())):
        notes.append(f"left out by the recipe's without, pictures kept for tests: {', '.join(kept_back)}")
    if 0 < count < FEW:
        recipe = for_few(recipe, count).override(changes or {})
    return recipe, [*notes, schedule(recipe, count)]


def held_back(recipe: PoseRecipe, sets: Iterable[DataSet]) -> list[str]:
    """File names of the pictures that the recipe never trains on, as far as the sets have them."""
    names = {record.name for data in sets for record in data.records if Path(record.name).stem in recipe.without}
    return sorted(names)


def own_keypoints(recipe: Recipe, data: Sequence[str]) -> tuple[Recipe, str] | None:
    """The recipe with the keypoints of the data, where all sets have the same and no recipe of ours knows them."""
    if not isinstance(recipe, PoseRecipe) or "synthetic" in data:
        return None
    skeletons = [skeleton_in(Path(each)) for each in data]
    first = skeletons[0]
    known = {each.keypoints for each in SKELETONS.values()} | {recipe.model.keypoints.keypoints}
    if first.keypoints in known or any(each.keypoints != first.keypoints for each in skeletons):
        return None
    return recipe.but(model__skeleton=first), f"keypoints: the {len(first)} of {data[0]} ({first.name})"


def schedule(recipe: Recipe, count: int) -> str:
    """The line that says how long a recipe trains on `count` samples, and how fast it learns."""
    training, optim = recipe.training, recipe.optim
    return (
        f"schedule: {training.epochs} epochs of {count} samples in batches of {training.batch_size}, "
        f"learning rate {optim.lr:g}, {optim.schedule}"
    )


def for_few(recipe: Recipe, count: int) -> Recipe:
    """A schedule for few samples: some 20,000 are shown, each at most 100 times, in 16 steps an epoch, at half the rate
    that the recipe's would scale to."""
    training = recipe.training
    epochs = min(MOST_TIMES, max(10, round(SHOWN / count)))
    batch = min(training.batch_size, 2 ** max(3, round(math.log2(count / STEPS_AN_EPOCH))))
    rate = float(f"{0.5 * recipe.optim.lr * math.sqrt(batch / training.batch_size):.1g}")
    return recipe.but(
        training__epochs=epochs,
        training__batch_size=batch,
        training__validate_every=max(1, epochs // 10),
        training__ema_decay=min(training.ema_decay, 0.99),
        optim=recipe.optim.but(lr=rate, schedule="cosine", warmup=0.1),
    )


def begin_from(recipe: Recipe, network: "nn.Module", start: Start) -> str:
    """Load starting weights into a recipe's network and say what was done.

    Weights of other keypoints, where they are ours and say so, give the trunk and the maps of the joints that have the
    same names; the other maps begin anew.
    """
    before = None if start.new_head or start.trunk else recipe_in(start.path)
    if not isinstance(recipe, PoseRecipe) or not isinstance(before, PoseRecipe):
        return str(start.fill(network))
    if before.model.keypoints.keypoints == recipe.model.keypoints.keypoints:
        return str(start.fill(network))
    old = before.model.build()
    start.fill(old)
    report = Start(start.path, new_head=True).fill(network)
    joints = network.take_head(old)  # type: ignore[operator]
    return f"{report}\njoints that start by name: {', '.join(joints) or 'none'}"
