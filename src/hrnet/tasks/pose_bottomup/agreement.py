"""Whether two runs over the same pictures find the same people."""

from collections.abc import Sequence

import numpy as np

from hrnet.results.agreement import Agreement, judged
from hrnet.results.pose import Pose
from hrnet.scoring.oks import likeness

FEWEST = 4  # fewer people do not tell
SAME = 0.5  # OKS from which two poses show one person
LOST, APART = "people lost", "1 - OKS"
BUDGETS = {
    "fp32": {LOST: 0.01, APART: 0.002},
    "bf16": {LOST: 0.05, APART: 0.02},
    "fp16": {LOST: 0.05, APART: 0.02},
    "int8": {LOST: 0.1, APART: 0.05},
}


def agreement(found: Sequence[Sequence[Pose]], reference: Sequence[Sequence[Pose]], precision: str) -> Agreement | None:
    """The share of people whom one run alone finds, and how far the poses of the others are from OKS 1; judged by the
    budget of a precision. None where there are too few people to tell, or no sigmas to measure with."""
    people = [pose for poses in reference for pose in poses]
    if len(people) < FEWEST or not people[0].skeleton.sigmas:
        return None
    alike, lost = [], 0
    for ours, theirs in zip(found, reference, strict=True):
        best = [max((oks(pose, expected) for pose in ours), default=0.0) for expected in theirs]
        kept = [value for value in best if value >= SAME]
        alike += kept
        lost += len(best) - len(kept) + max(len(ours) - len(theirs), 0)
    figures = {"people": len(people), LOST: round(lost / len(people), 4)}
    figures |= {APART: round(1 - float(np.mean(alike)), 5)} if alike else {}
    return judged(figures, BUDGETS[precision])


def oks(pose: Pose, expected: Pose) -> float:
    """How alike two poses are in the joints that the expected one has."""
    return float(likeness(pose, expected)[expected.scores > 0].mean())
