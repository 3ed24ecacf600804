"""Whether two runs over the same pictures and boxes find the same poses."""

from collections.abc import Sequence

import numpy as np

from hrnet.geometry import center_and_extent
from hrnet.results.agreement import Agreement, judged
from hrnet.results.pose import Pose
from hrnet.scoring.oks import likeness
from hrnet.tasks.pose_topdown.settings import PoseRecipe

DRAWN = 0.3  # joints scored below are not drawn
FEWEST = 20  # fewer joints do not tell
MEDIAN, NEARLY_ALL = "median px", "95 % px"
BUDGETS = {
    "fp32": {MEDIAN: 0.01, NEARLY_ALL: 0.5},
    "bf16": {MEDIAN: 0.1, NEARLY_ALL: 3.0},
    "fp16": {MEDIAN: 0.1, NEARLY_ALL: 3.0},
    "int8": {MEDIAN: 0.3, NEARLY_ALL: 8.0},
}


def agreement(
    recipe: PoseRecipe, found: Sequence[Sequence[Pose]], reference: Sequence[Sequence[Pose]], precision: str
) -> Agreement | None:
    """Distances between the joints of two runs in pixels of the crop, over joints that the reference would draw
    (score above 0.3), with their OKS and the largest change of a score; judged by the budget of a precision. None where
    so few joints are drawn that they do not tell."""
    pairs = [(p, q) for ps, qs in zip(found, reference, strict=True) for p, q in zip(ps, qs, strict=True)]
    distances, changes, similar = [], [], []
    for pose, expected in pairs:
        size, padding = recipe.model.input_size, recipe.framing.padding
        scale = size[0] / center_and_extent(expected.box, size, padding)[1]
        apart = np.linalg.norm(pose.keypoints - expected.keypoints, axis=1)
        sure = expected.scores > DRAWN
        distances.append(apart[sure] * scale)
        changes.append(np.abs(pose.scores - expected.scores))
        if expected.skeleton.sigmas and sure.any():
            similar.append(likeness(pose, expected)[sure].mean())
    px = np.concatenate(distances) if distances else np.zeros(0)
    if len(px) < FEWEST:
        return None
    figures: dict[str, float] = {"poses": len(pairs), "joints": len(px)}
    figures |= {MEDIAN: rounded(np.median(px)), NEARLY_ALL: rounded(np.percentile(px, 95))}
    figures |= {"OKS": rounded(np.mean(similar))} if similar else {}
    figures["score change"] = rounded(np.concatenate(changes).max())
    return judged(figures, BUDGETS[precision])


def rounded(value: np.floating) -> float:
    """Four digits."""
    return round(float(value), 4)
