"""What kind of error costs how much: miss, swap, inversion, jitter, and the errors of scores and of the background.

M. R. Ronchi, P. Perona, "Benchmarking and error diagnosis in multi-instance pose estimation", ICCV 2017, as its
published code (`coco-analyze`) does it: poses are matched with people at OKS 0.1, each labelled keypoint of a matched
pose gets one label, and the gain of an error type is the AP of poses in which that error alone has been repaired.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hrnet.datasets.records import PoseData
from hrnet.results.pose import Pose
from hrnet.scoring.coco_ap import scorable
from hrnet.scoring.curves import interpolated, mean
from hrnet.scoring.matching import Found, Matches, Truths, match, nearest
from hrnet.scoring.oks import SPACING, pairwise_oks, similarity

LABELS = ("good", "jitter", "inversion", "swap", "miss")
REPAIRS = ("miss", "swap", "inversion", "jitter")  # in the order in which the published figure applies them
LEAST_OKS = 0.1  # of a pose and the person that it is compared with
NEAR, FAR = 0.85, 0.5  # similarities above which a keypoint is good, and below which it is missed
SIZES = (32.0**2, 1e5**2)  # people smaller than COCO's medium take no part


@dataclass(frozen=True)
class Labelled:
    """Matched poses, by their positions `pose` (M,) and those of their people `person` (M,), with `label` (M, K), an
    index into `LABELS` or -1 where nothing is labelled, and `repaired` (M, K, 2) keypoints with every error corrected.
    """

    pose: np.ndarray
    person: np.ndarray
    label: np.ndarray
    repaired: np.ndarray


def breakdown(data: PoseData, image_ids: Sequence[Any], poses: Sequence[Sequence[Pose]]) -> dict[str, Any]:
    """Errors of poses found in pictures (arguments as in `average_precision`).

    `counts` are the labels of all keypoints, `per_joint` those of each; `people` are those matched. `gains` are what
    AP, whose present value is `baseline`, would gain if one kind of error were repaired and all else stayed: each of
    the four keypoint errors, the poses' `score`s, `background` (poses of nobody), and `unfound` people (measured
    without background). Someone smaller than COCO's medium takes no part. Raises `HRNetError` where AP is undefined.
    """
    truths, found, sigmas = scorable(data, image_ids, poses)
    labelled = label_keypoints(truths, found, sigmas, data.skeleton.flip_order)
    counts = np.array([(labelled.label == code).sum(axis=0) for code in range(len(LABELS))])
    tables = {name: mean(row) for name, row in ap_tables(truths, found, sigmas, labelled).items()}
    gains = {name: tables[name] - tables["baseline"] for name in (*REPAIRS, "score", "background")}
    gains["unfound"] = tables["unfound"] - tables["background"]
    return {
        "people": len(labelled.person),
        "baseline": round(tables["baseline"], 4),
        "counts": {name: int(row.sum()) for name, row in zip(LABELS, counts, strict=True)},
        "per_joint": {
            joint: {name: int(n) for name, n in zip(LABELS, counts[:, k], strict=True)}
            for k, joint in enumerate(data.skeleton.keypoints)
        },
        "gains": {name: round(gain, 4) for name, gain in gains.items()},
    }


def label_keypoints(
    truths: Truths, found: Found, sigmas: np.ndarray, flip_order: np.ndarray, sizes: tuple[float, float] = SIZES
) -> Labelled:
    """Match poses, in the order of their list, with people at OKS 0.1 and label each keypoint that the person has.

    The similarity of a keypoint is compared with all it could have been meant for: the person's own keypoint, the one
    on the person's other side (inversion), and those of everybody else in the picture, on either side (swap).
    """
    matches = match(truths, found, sigmas, np.array([LEAST_OKS]), (sizes,))
    partner = matches.partner[0, 0]
    chosen = np.flatnonzero((partner >= 0) & (truths.visibility[partner] > 0).any(axis=1))
    pose, person = matches.found.source[chosen], partner[chosen]
    label = np.full((len(pose), len(sigmas)), -1)
    repaired = found.keypoints[pose].copy()
    for m, (p, g) in enumerate(zip(pose, person, strict=True)):
        group = np.flatnonzero(truths.picture == truths.picture[g])
        group = np.concatenate([[g], group[group != g]])
        candidates = np.concatenate([truths.keypoints[group], truths.keypoints[group][:, flip_order]])
        seen = np.concatenate([truths.visibility[group], truths.visibility[group][:, flip_order]]) > 0
        areas = np.tile(truths.area[group], 2)
        alike = np.where(seen, similarity(found.keypoints[p] - candidates, areas, sigmas), -1)
        best, row = np.maximum(alike.max(axis=0), 0), alike.argmax(axis=0)
        label[m] = np.where(seen[0], labels_of(best, row, len(group)), -1)
        repaired[m] = corrected(found.keypoints[p], truths.keypoints[g], label[m], best, float(truths.area[g]), sigmas)
    return Labelled(pose, person, label, repaired)


def labels_of(best: np.ndarray, row: np.ndarray, people: int) -> np.ndarray:
    """Labels (K,) from the highest similarity and the row where it stands: 0 the own keypoint, `people` its mirror."""
    good, jitter, inversion, swap, miss = range(len(LABELS))
    own = np.where(best >= NEAR, good, jitter)
    return np.where(best < FAR, miss, np.where(row == 0, own, np.where(row == people, inversion, swap)))


def corrected(
    keypoints: np.ndarray, truth: np.ndarray, label: np.ndarray, best: np.ndarray, area: float, sigmas: np.ndarray
) -> np.ndarray:
    """Keypoints (K, 2) with their errors repaired: beside the true place, as near as the label allows.

    Kept from the published code: the distance is meant to give a similarity of 0.85 to jitter, 0.5 to a miss and the
    similarity it had to a swap or an inversion, but is half as long (it takes sigma for 2 sigma), which gives its
    fourth root.
    """
    _, jitter, inversion, swap, miss = range(len(LABELS))
    aim = np.clip(best, SPACING, 1 - SPACING)
    aim = np.where(label == jitter, NEAR, np.where(label == miss, FAR, aim))
    away = np.sqrt(-np.log(aim) * 2 * area) * sigmas
    wrong = np.isin(label, (jitter, inversion, swap, miss))
    return np.where(wrong[:, None], truth + np.stack([away, np.zeros_like(away)], axis=1), keypoints)


def ap_tables(
    truths: Truths,
    found: Found,
    sigmas: np.ndarray,
    labelled: Labelled,
    sizes: tuple[float, float] = SIZES,
    cumulative: bool = False,
) -> dict[str, np.ndarray]:
    """AP at each OKS threshold (T,) as found (`baseline`) and with one kind of error repaired; -1 where nobody is left.

    `cumulative` repairs one kind after the other, as the published precision-recall figures do.
    """
    tables, now = {}, found
    tables["baseline"] = table(match(truths, found, sigmas, ranges=(sizes,)))
    for name in REPAIRS:
        each = repaired(now if cumulative else found, labelled, name)
        tables[name] = table(match(truths, each, sigmas, ranges=(sizes,)))
        now = each if cumulative else now
    rescored = replace(now, score=optimal_scores(truths, now, sigmas, sizes))
    tables["score"] = table(match(truths, rescored, sigmas, ranges=(sizes,)))
    matches = match(truths, rescored if cumulative else found, sigmas, ranges=(sizes,))
    tables["background"] = table(matches, background=False)
    tables["unfound"] = table(matches, background=False, unfound=False)
    return tables


def repaired(found: Found, labelled: Labelled, name: str) -> Found:
    """The poses with the keypoints of one label corrected; their areas stay."""
    keypoints = found.keypoints.copy()
    m, k = np.nonzero(labelled.label == LABELS.index(name))
    keypoints[labelled.pose[m], k] = labelled.repaired[m, k]
    return replace(found, keypoints=keypoints)


def table(matches: Matches, background: bool = True, unfound: bool = True) -> np.ndarray:
    """AP at each threshold (T,): with poses of nobody and people whom nobody found, or as if these did not exist."""
    right, wrong = matches.right[0][:, matches.order], matches.wrong[0][:, matches.order]
    people = np.full(len(right), matches.counted[0].sum())
    curves = interpolated(right, wrong & background, people if unfound else right.sum(axis=1))
    return curves.precision.mean(axis=1)


def optimal_scores(truths: Truths, found: Found, sigmas: np.ndarray, sizes: tuple[float, float] = SIZES) -> np.ndarray:
    """The scores (D,) that would be best: each pose's highest OKS with a person, softly suppressed picture by picture.

    Suppression multiplies by `exp(-OKS**2 / 0.5)`, with the keypoints' extents as areas.
    """
    ordered = found.surest()
    outside = (truths.area < sizes[0]) | (truths.area > sizes[1])
    scores = nearest(replace(truths, ignored=truths.ignored | outside), ordered, sigmas)[1]
    for group in np.split(np.arange(len(ordered)), np.flatnonzero(np.diff(ordered.picture)) + 1):
        oks = pairwise_oks(ordered.keypoints[group], ordered.area[group], sigmas)
        left = np.ones(len(group), bool)
        for _ in group:
            best = np.where(left, scores[group], -1).argmax()
            left[best] = False
            scores[group[left]] *= np.exp(-(oks[best, left] ** 2) / 0.5)
    found_order = np.empty_like(scores)
    found_order[ordered.source] = scores
    return found_order
