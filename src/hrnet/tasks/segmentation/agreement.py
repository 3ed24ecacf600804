"""Whether two runs over the same pictures give the same labels."""

from collections.abc import Sequence

import numpy as np

from hrnet.results.agreement import Agreement, judged
from hrnet.results.label_map import LabelMap

OTHER = "other labels"
BUDGETS = {"fp32": {OTHER: 0.001}, "bf16": {OTHER: 0.02}, "fp16": {OTHER: 0.005}, "int8": {OTHER: 0.05}}


def agreement(
    found: Sequence[Sequence[LabelMap]], reference: Sequence[Sequence[LabelMap]], precision: str
) -> Agreement:
    """The share of pixels whose label differs between two runs, judged by the budget of a precision."""
    pairs = [(one.labels, other.labels) for (one,), (other,) in zip(found, reference, strict=True)]
    other = sum(int(np.count_nonzero(one != two)) for one, two in pairs)
    pixels = sum(one.size for one, _ in pairs)
    figures = {"pixels": pixels, OTHER: round(other / max(pixels, 1), 6)}
    return judged(figures, BUDGETS[precision])
