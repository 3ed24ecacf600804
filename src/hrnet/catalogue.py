"""All recipes by name, and which recipe and weights a name or a file stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hrnet.engines.exported import FORMATS, read_exported
from hrnet.errors import HRNetError, UsageError, nearest
from hrnet.settings import Published, Recipe, describe
from hrnet.tasks.classification import recipes as classification
from hrnet.tasks.pose_bottomup import recipes as pose_bottomup
from hrnet.tasks.pose_topdown import recipes as pose_topdown
from hrnet.tasks.segmentation import recipes as segmentation
from hrnet.weights import cache, zoo
from hrnet.weights.files import embedded_weights, read_meta
from hrnet.weights.recognise import BATCH_COUNTER, Recognised, recognise

RECIPES: dict[str, Recipe] = {
    **pose_topdown.RECIPES,
    **pose_bottomup.RECIPES,
    **classification.RECIPES,
    **segmentation.RECIPES,
}
KINDS = {name.split("/")[0]: type(each) for name, each in RECIPES.items()}  # task -> the class of its recipes
DEFAULT = "pose_topdown/small_256x192"


def recipes() -> list[str]:
    """Names of all recipes."""
    return list(RECIPES)


def recipe(name: str) -> Recipe:
    """A recipe by name (`pose_topdown/w32_256x192`, or `w32_256x192` where only one task has it), or from a YAML file
    such as a run folder holds. Raises `UsageError` for an unknown name, with the nearest known one."""
    if name.endswith((".yaml", ".yml")):
        return recipe_from_yaml(read_yaml(Path(name)), name)
    matches = [known for known in RECIPES if name in (known, known.split("/")[1])]
    if len(matches) > 1:
        raise UsageError(f"several tasks have a recipe {name!r}: name one of {', '.join(matches)}")
    if not matches:
        known = RECIPES if "/" in name else dict.fromkeys(known.split("/")[1] for known in RECIPES)
        raise UsageError(f"there is no recipe {name!r}: {nearest(name, known)}")
    return RECIPES[matches[0]]


def read_yaml(path: Path) -> str:
    """The text of a recipe file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HRNetError(f"{path} does not exist: check the path of the recipe") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HRNetError(f"{path} cannot be read as a recipe ({reason}): name a YAML file of a run folder") from None


def recipe_from_yaml(text: str, source: str | Path) -> Recipe:
    """The recipe that `Recipe.to_yaml` wrote; the part of its name before the slash says which task it is of."""
    try:
        content = yaml.safe_load(text)
        name = str(content.get("name")) if isinstance(content, dict) else "None"
        kind = KINDS.get(name.split("/")[0])
        if kind is None:
            raise HRNetError(f"{source} holds no recipe: expected a name such as {DEFAULT}, found {name!r}")
        return kind.model_validate(content)
    except ValidationError as error:
        raise HRNetError(f"{source} holds no recipe of this version: {describe(error)}") from None
    except yaml.YAMLError as error:
        raise HRNetError(f"{source} is not YAML: {str(error).splitlines()[0]}") from None


@dataclass(frozen=True)
class Row:
    """One recipe as `hrnet models` shows it; parameters and GFLOPs are counted from the built network."""

    name: str
    input_size: str
    parameters: int
    gflops: float
    published: Published | None
    weights: Path | None
    licence: str


def overview() -> list[Row]:
    """Every recipe with its cost."""
    return [row(each) for each in RECIPES.values()]


def row(recipe: Recipe) -> Row:
    """Build a recipe's network on the meta device and count."""
    from hrnet.nets.cost import GFLOP, cost, on_meta

    with on_meta():
        parameters, multiply_adds = cost(recipe.model.build(), recipe.model.input_size)
    weights = embedded_weights(recipe.name)
    licence = read_meta(weights)["card"].get("licence", "not stated") if weights else ""
    size = "x".join(str(side) for side in recipe.model.input_size)
    return Row(recipe.name, size, parameters, multiply_adds / GFLOP, recipe.published, weights, licence)


def resolve(
    name_or_path: str | Path | None, weights: str | Path | None, task: str | None = None
) -> tuple[Recipe, Path]:
    """The recipe and the weights file that a user means.

    Nothing: the embedded weights, of `task` where one is named. A recipe's name: with `weights`, or those embedded for
    it. A weights file: the recipe that it carries. A name of published weights, such as
    `pose_topdown/w32_256x192@coco-mmpose0`, as either: its recipe, and its file, downloaded where it is not here yet.
    """
    if task is not None:
        name_or_path = for_task(task, None if name_or_path is None else str(name_or_path), weights)
    if name_or_path is None and weights is None:
        return meant(DEFAULT, None)
    return meant(name_or_path, weights)


def meant(name_or_path: str | Path | None, weights: str | Path | None) -> tuple[Recipe, Path]:
    """The recipe and the weights file of at least one of the two."""
    if name_or_path is None and is_published(str(weights)):
        return published(str(weights))
    if weights is None and is_published(str(name_or_path)):
        return published(str(name_or_path))
    if weights is None and looks_like_file(str(name_or_path)):
        name_or_path, weights = None, name_or_path
    if weights is None:
        chosen = recipe(str(name_or_path))
        path = embedded_weights(chosen.name)
        if path is None:
            names = (each.name for each in zoo.ZOO if each.recipe == chosen.name and each.source)
            known = next((f", or {each} as recipe" for each in names), "")
            raise HRNetError(
                f"no weights for {chosen.name} ship with the package: name a file with --weights (weights= in "
                f"Python){known}; 'hrnet models --zoo' lists what others published"
            )
        return recipe_in(path) or chosen, path
    path = weights_file(weights)
    if name_or_path is not None:
        return recipe(str(name_or_path)), path
    found = recipe_in(path)
    if found is None:
        raise HRNetError(f"{path} does not say which network it belongs to: name its recipe too; {', '.join(RECIPES)}")
    return found, path


def for_task(task: str | None, name: str | None, weights: str | Path | None) -> str | None:
    """The recipe that a task and a name stand for: the one whose weights ship where nothing else is named.

    Raises `UsageError` for an unknown task, and for a recipe or weights of another one.
    """
    if task is None:
        return name
    if task not in KINDS:
        raise UsageError(f"there is no task {task!r}: {nearest(task, KINDS)}")
    if name is None and weights is None:
        shipped = [known for known in RECIPES if known.startswith(f"{task}/") and embedded_weights(known)]
        if not shipped:
            raise UsageError(f"no weights for {task} ship with the package: name a file with --weights")
        return shipped[0]
    named = name is not None and not looks_like_file(name) and not is_published(name)
    chosen = recipe(str(name)) if named else resolve(name, weights)[0]
    if not chosen.name.startswith(f"{task}/"):
        raise UsageError(f"{chosen.name} is not of the task {task}: leave --task out, or name other weights")
    return name


def looks_like_file(text: str) -> bool:
    """Whether a text names a weights file rather than a recipe."""
    return text.endswith((".safetensors", ".pth", ".pt", ".tar", ".ckpt", *FORMATS)) or Path(text).is_file()


def recipe_in(path: Path) -> Recipe | None:
    """The recipe inside a weights file of ours, None for others."""
    meta = read_exported(path) if path.suffix in FORMATS else read_meta(path)
    return recipe_from_yaml(meta["recipe"], path) if meta else None


def published(name: str) -> tuple[Recipe, Path]:
    """The recipe and the file of published weights, downloaded where it is not here yet."""
    entry = zoo.entry(name)
    if entry.is_trunk:
        raise HRNetError(f"{entry.name} has no head that finds anything: start a training with --from and --trunk")
    return recipe(entry.recipe), cache.obtain(entry)


def weights_file(name_or_path: str | Path, recipe: Recipe | None = None) -> Path:
    """A weights file by its path, by a name of published weights, downloaded where it is not here yet, or "embedded":
    those that ship for `recipe`, else the top-down ones of the package."""
    text = str(name_or_path)
    if text == "embedded":
        return (recipe and embedded_weights(recipe.name)) or resolve(DEFAULT, None)[1]
    return cache.obtain(zoo.entry(text)) if is_published(text) else Path(name_or_path)


def is_published(text: str) -> bool:
    """Whether a text has the form of a name of published weights, and no file bears it."""
    return "@" in text and not looks_like_file(text)


def add_published(file: Path, name: str | None = None) -> zoo.Entry:
    """File a download made by hand under the published weights that it is, so that their name finds it.

    Told by the file's name, or given as `name`. Raises `HRNetError` for a file of another network or hash.
    """
    if name is None:
        matches = [each for each in zoo.ZOO if each.file == file.name]
        if not matches:
            fits = fitting(recognise(file))
            alike = ", ".join(each.name for each in zoo.ZOO if each.recipe in fits and cache.cached(each) is None)
            choice = f"say which it is with --name: {alike}" if alike else "none of them has its shape"
            raise HRNetError(f"{file.name} is the name of no published weights that are known: {choice}")
        name = matches[0].name
    entry = zoo.entry(name)
    if not entry.is_trunk and entry.recipe not in fitting(recognise(file)):
        raise HRNetError(f"{file} ({recognise(file)}) does not fit {entry.recipe}: it is not the file of {entry.name}")
    cache.keep(file, entry)
    return entry


def fitting(found: Recognised) -> list[str]:
    """Recipes whose network has exactly the tensors of a recognised file, batch counters aside; nothing is read."""
    import torch

    names = {n: s.shape for n, s in found.tensors.items() if not n.endswith(BATCH_COUNTER)}
    for bias in found.layout.biases if found.layout else ():
        names[bias] = names[f"{bias.removesuffix('bias')}weight"][:1]
    fits = []
    for known in RECIPES.values():
        backbone = getattr(known.model, "backbone", None)
        if found.network is None or known.name.split("/")[0] != found.network.task or differs(backbone, found.shape):
            continue
        with torch.device("meta"):
            state = known.model.build().state_dict()
        if {n: tuple(value.shape) for n, value in state.items() if not n.endswith(BATCH_COUNTER)} == names:
            fits.append(known.name)
    return fits


def differs(backbone: Any, shape: Mapping[str, Any]) -> bool:
    """Whether a backbone is surely another than a file's, without building it."""
    return any(hasattr(backbone, name) and getattr(backbone, name) != value for name, value in shape.items())


def recipe_for(found: Recognised, name: str | None) -> Recipe:
    """The recipe of a name, or that inside the file, or the only one that fits a recognised file."""
    if name is not None:
        return recipe(name)
    inside = recipe_in(found.path)
    if inside is not None:
        return inside
    fits = fitting(found)
    if len(fits) != 1:
        which = f"fits {', '.join(fits)}" if fits else "fits no recipe of this version"
        raise HRNetError(f"{found.path} ({found}) {which}: name one with --recipe")
    return RECIPES[fits[0]]
