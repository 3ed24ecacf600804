"""Skeletons of one's own: a small YAML file says what the keypoints are called, joined and mirrored."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator

from hrnet.datasets.skeleton import SKELETONS, Skeleton
from hrnet.errors import HRNetError, UsageError, nearest

FIELDS = ("name", "keypoints", "limbs", "flip_pairs", "sigmas", "upper_body")
ENDINGS = (".yaml", ".yml")
# What stands for left in a name, and what stands in its place for right.
SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))
LETTERS = ((r"(?<![A-Za-z])L(?![a-z])", "R"), (r"(?<![A-Za-z])l(?![A-Za-z])", "r"), (r"(?<=[a-z0-9])L$", "R"))


def read_skeleton(path: Path) -> Skeleton:
    """Read a skeleton file. Raises `HRNetError` naming the file and what does not fit."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HRNetError(f"{path} does not exist: write one with hrnet init-skeleton DATA") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HRNetError(f"{path} cannot be read as YAML: {str(error).splitlines()[0]}") from None
    return skeleton_from(content, str(path))


def skeleton_from(content: Any, source: str) -> Skeleton:
    """The skeleton that a mapping with `FIELDS` describes; `keypoints` is all it must have."""
    if not isinstance(content, Mapping) or "keypoints" not in content:
        raise HRNetError(f"{source} is no skeleton: expected 'keypoints', a list of names; optional: {listed()}")
    for field in content:
        if field not in FIELDS:
            raise HRNetError(f"{source}: a skeleton has no {field!r}: {nearest(str(field), FIELDS)}")
    try:
        return Skeleton(
            name=str(content.get("name", "own")),
            keypoints=names_in(content["keypoints"]),
            limbs=pairs_in(content.get("limbs")),
            flip_pairs=pairs_in(content.get("flip_pairs")),
            sigmas=tuple(float(value) for value in content.get("sigmas") or ()),
            upper_body=names_in(content.get("upper_body")),
        )
    except HRNetError as error:
        raise HRNetError(f"{source}: {error}") from None
    except (TypeError, ValueError):
        raise HRNetError(
            f"{source}: expected names as text, limbs and flip_pairs as pairs of names, sigmas as numbers"
        ) from None


def listed() -> str:
    """The fields that may be left out."""
    return ", ".join(field for field in FIELDS if field != "keypoints")


def names_in(values: Any) -> tuple[str, ...]:
    """A list of names; numbers count as names."""
    if isinstance(values, str):
        raise ValueError
    return tuple(str(value) for value in values or ())


def pairs_in(values: Any) -> tuple[tuple[str, str], ...]:
    """A list of pairs of names."""
    pairs = [names_in(pair) for pair in values or ()]
    return tuple((first, second) for first, second in pairs)


def skeleton_values(skeleton: Skeleton) -> dict[str, Any]:
    """A skeleton as the plain values that `skeleton_from` reads."""
    return {
        "name": skeleton.name,
        "keypoints": list(skeleton.keypoints),
        "limbs": [list(limb) for limb in skeleton.limbs],
        "flip_pairs": [list(pair) for pair in skeleton.flip_pairs],
        "sigmas": list(skeleton.sigmas),
        "upper_body": list(skeleton.upper_body),
    }


def skeleton_text(skeleton: Skeleton) -> str:
    """A skeleton as the text of its file, with what each field is for."""
    values = skeleton_values(skeleton)
    remarks = {
        "name": "any word",
        "keypoints": "in the order of the labels",
        "limbs": "which keypoints a drawing joins",
        "flip_pairs": "which keypoints change places in the mirror: left and right",
        "sigmas": "OKS constants, one per keypoint; without them a set is scored by PCK. hrnet check estimates them",
        "upper_body": "half of the keypoints, for the half-body augmentation; may stay empty",
    }
    lines = []
    for field, value in values.items():
        short = None if field in ("limbs", "flip_pairs", "sigmas", "upper_body") else False  # inner lists on one line
        text = yaml.safe_dump({field: value}, default_flow_style=short, width=110, allow_unicode=True)
        lines.append(f"# {remarks[field]}\n{text}")
    return "\n".join(lines)


def guessed_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Left and right keypoints told by their names: `left_ear` and `right_ear`, `pawL` and `pawR`, `l_eye`, `r_eye`."""
    pairs = []
    for name in names:
        mirrored = [name.replace(left, right) for left, right in SIDES if left in name]
        mirrored += [re.sub(left, right, name) for left, right in LETTERS]
        found = next((other for other in mirrored if other != name and other in names), None)
        if found is not None:
            pairs.append((name, found))
    return tuple(pairs)


def chosen_skeleton(value: Any) -> Any:
    """What a recipe's `skeleton` may be: a known name, the path of a skeleton file, or a skeleton in full."""
    if isinstance(value, str) and value.endswith(ENDINGS):
        value = read_skeleton(Path(value))
    if isinstance(value, Mapping):
        value = skeleton_from(value, "skeleton")
    if isinstance(value, str) and value not in SKELETONS:
        raise UsageError(f"there is no skeleton {value!r}, and it is no YAML file: {nearest(value, SKELETONS)}")
    if isinstance(value, Skeleton) and SKELETONS.get(value.name) == value:
        return value.name
    return value


# The type of a recipe's field. It is kept in full in the recipe's YAML, so that weights know their own keypoints.
SkeletonChoice = Annotated[str | Skeleton, BeforeValidator(chosen_skeleton)]


def skeleton_named(choice: str | Skeleton) -> Skeleton:
    """The skeleton itself."""
    return SKELETONS[choice] if isinstance(choice, str) else choice
