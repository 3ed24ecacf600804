"""How many exchanged left and right sides `hrnet check` finds, and whom it suspects wrongly: docs/data.md quotes it.

    python benchmarks/exchanged_sides.py DATA [SHARE]

Exchanges all pairs, then one pair each, of SHARE (0.05) of the people of each split, and checks.
"""

import sys

import numpy as np

from hrnet.doctor.labels import Labels, read_labels
from hrnet.doctor.sides import comparable, swapped_sides


def exchanged(labels: Labels, share: float, single: bool) -> set[int]:
    """Exchange sides of a share of the people, in place; positions of their annotations."""
    rng, skeleton = np.random.default_rng(0), labels.skeleton
    pairs = [(skeleton.index(a), skeleton.index(b)) for a, b in skeleton.flip_pairs]
    able = {id(each) for each in comparable(labels)[0]}
    planted = set()
    for k, annotation in enumerate(labels.annotations):
        points = labels.keypoints(annotation)
        if points is None or id(annotation) not in able or rng.random() >= share:
            continue
        chosen = [pairs[rng.integers(len(pairs))]] if single else pairs
        if single and not (points[list(chosen[0]), 2] > 0).all():
            continue
        for a, b in chosen:
            points[[a, b]] = points[[b, a]]
        labels.annotations[k] = annotation | {"keypoints": points.ravel().tolist(), "id": f"planted {k}"}
        planted.add(k)
    return planted


def main(data: str, share: float = 0.05) -> None:
    for single in (False, True):
        for labels in read_labels(data):
            before = {str(finding.annotation) for finding in swapped_sides(labels)}
            planted = exchanged(labels, share, single)
            found = {str(finding.annotation) for finding in swapped_sides(labels)}
            hits = sum(name.startswith("planted") for name in found)
            what = "one pair" if single else "all pairs"
            print(
                f"{labels.name}, {what}: {hits} of {len(planted)} exchanged found, {len(found) - hits} of "
                f"{len(labels.annotations) - len(planted)} others suspected ({len(before)} before)"
            )


if __name__ == "__main__":
    main(sys.argv[1], *(float(value) for value in sys.argv[2:]))
