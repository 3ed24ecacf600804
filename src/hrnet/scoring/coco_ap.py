"""Average precision by OKS, as COCO and CrowdPose compute it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hrnet.datasets.records import PoseData
from hrnet.errors import HRNetError
from hrnet.results.pose import Pose
from hrnet.scoring.bootstrap import ap_intervals
from hrnet.scoring.curves import Curves, curves_of, mean
from hrnet.scoring.matching import RANGES, Found, Matches, Truths, found_of, match, positions, truths_of

CROWDING = {"easy": (-np.inf, 0.2), "medium": (0.2, 0.8), "hard": (0.8, np.inf)}  # by a picture's crowdIndex


def average_precision(data: PoseData, image_ids: Sequence[Any], poses: Sequence[Sequence[Pose]]) -> dict[str, Any]:
    """AP and AR of the poses found in pictures: `{"metrics": {"AP": ...}, ...}`.

    `image_ids` are the pictures looked at and `poses` what was found in each; pictures of the file that are not listed
    count as pictures in which nothing was found. A set whose pictures carry CrowdPose's `crowdIndex` gets AP for easy,
    medium and hard pictures instead of medium and large people. Intervals are 95 % bootstrap intervals over people.
    Raises `HRNetError` where the set has no truth or no sigmas.
    """
    matches = match_poses(data, image_ids, poses)
    metrics = crowding_metrics(data, matches) if crowded(data) else size_metrics(curves_of(matches))
    return {
        "metrics": {name: round(value, 4) for name, value in metrics.items()},
        "interval": ap_intervals(matches),
        "people": int(matches.counted[0].sum()),
        "poses": sum(len(found) for found in poses),
        "pictures": len(image_ids),
    }


def match_poses(data: PoseData, image_ids: Sequence[Any], poses: Sequence[Sequence[Pose]]) -> Matches:
    """The poses found in pictures matched with the people of the data set."""
    return match(*scorable(data, image_ids, poses))


def scorable(
    data: PoseData, image_ids: Sequence[Any], poses: Sequence[Sequence[Pose]]
) -> tuple[Truths, Found, np.ndarray]:
    """Truth and poses as arrays, and the sigmas (K,); one sentence where AP is undefined."""
    if data.truth is None:
        raise HRNetError(f"{data.name} is no COCO-style file, so AP is undefined: it is scored by {data.metric}")
    if not data.skeleton.sigmas:
        raise HRNetError(f"{data.name}: its skeleton has no OKS sigmas, so AP is undefined")
    places, count = places_of(data.truth), len(data.skeleton)
    strange = [each for each in image_ids if each not in places]
    if strange:
        raise HRNetError(
            f"{data.name} has no picture of the id {strange[0]!r}: poses can be scored only where truth is"
        )
    found = [(places[each], pose) for each, group in zip(image_ids, poses, strict=True) for pose in group]
    return truths_of(data.truth["annotations"], places, count), found_of(found, count), np.array(data.skeleton.sigmas)


def places_of(truth: dict[str, Any]) -> dict[Any, int]:
    """Position of each picture of a COCO-style file by its id."""
    return positions([image["id"] for image in truth["images"]])


def size_metrics(curves: Curves) -> dict[str, float]:
    """COCO's ten figures, from curves of all, medium and large people at ten thresholds."""
    whole, medium, large = range(len(RANGES))
    metrics = {}
    for name, values in (("AP", curves.precision), ("AR", curves.recall)):
        metrics |= {
            name: mean(values[whole]),
            f"{name}50": mean(values[whole, 0]),
            f"{name}75": mean(values[whole, 5]),
            f"{name}M": mean(values[medium]),
            f"{name}L": mean(values[large]),
        }
    return metrics


def crowding_metrics(data: PoseData, matches: Matches) -> dict[str, float]:
    """CrowdPose's nine figures: AP and AR of all pictures, and AP of easy, medium and hard ones."""
    sizes = size_metrics(curves_of(matches))
    metrics = {name: value for name, value in sizes.items() if name[-1] not in "ML"}
    truth = data.truth or {"images": []}
    places, indices = places_of(truth), {image["id"]: image.get("crowdIndex", 0.0) for image in truth["images"]}
    for name, (low, high) in CROWDING.items():
        pictures = [place for each, place in places.items() if low <= indices[each] < high]
        metrics[f"AP_{name}"] = mean(curves_of(matches, np.array(pictures, int)).precision[0])
    return metrics


def crowded(data: PoseData) -> bool:
    """Whether the pictures say how crowded they are, as CrowdPose's do."""
    return data.truth is not None and any("crowdIndex" in image for image in data.truth["images"])
