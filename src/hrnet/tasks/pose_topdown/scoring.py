"""The people of a data set predicted, each in its own box or in those of a detector, and scored."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hrnet.datasets.records import PoseData, Record
from hrnet.errors import HRNetError
from hrnet.geometry import center_and_extent
from hrnet.results.pose import Pose
from hrnet.scoring.oks import oks_nms, soft_oks_nms
from hrnet.scoring.protocol import looked_for, score
from hrnet.tasks.pose_topdown.inference import TopDownInference
from hrnet.tasks.pose_topdown.settings import PoseRecipe

SUPPRESSION = {"oks": oks_nms, "soft_oks": soft_oks_nms}


def evaluate(inference: TopDownInference, data: PoseData) -> dict[str, Any]:
    """Predict people and score their poses: `{"metrics": {...}, ...}`.

    People are looked for in the boxes that `data.boxes` brings from a detector, else every labelled person in its own.
    Where poses are scored without asking whose they are (AP, or a detector's boxes) those that show the same person
    are suppressed first, as `testing.nms` says.
    """
    chosen = [(record, *boxes_in(record, data, inference.recipe)) for record in data.records]
    chosen = [each for each in chosen if len(each[1])]
    if not chosen:
        raise HRNetError(
            f"{data.name} has no boxes to look for people in: name a detector's file with --boxes, a JSON list of "
            '{"image_id": ..., "bbox": [x, y, w, h], "score": ...}'
        )
    poses = list(inference.predict((record.read, boxes, scores) for record, boxes, scores in chosen))
    assigned = data.boxes is None
    if data.headline == "AP" or not assigned:
        poses = [suppressed(group, inference.recipe) for group in poses]
    return score(data, [record.id for record, _, _ in chosen], poses, assigned)


def boxes_in(record: Record, data: PoseData, recipe: PoseRecipe) -> tuple[np.ndarray, np.ndarray | None]:
    """Boxes (P, 4) in which people of a picture are looked for, and the scores (P,) of a detector's.

    A detector's boxes are taken as they are, less those scored below `testing.box_threshold` and those without size.
    Of the set's own people the labelled ones are taken; all of them where nobody is, as in a test set.
    """
    if data.boxes is not None:
        boxes, scores = data.boxes.get(record.id, (np.zeros((0, 4)), np.zeros(0)))
        kept = (scores >= recipe.testing.box_threshold) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return boxes[kept], scores[kept]
    return np.array([person.box for person in looked_for(data, record)], float).reshape(-1, 4), None


def suppressed(poses: Sequence[Pose], recipe: PoseRecipe) -> list[Pose]:
    """The poses of a picture that stay, by OKS at the area of the windows in which they were found (published code).

    Skeletons without sigmas keep all.
    """
    sigmas = np.array(recipe.model.keypoints.sigmas)
    if recipe.testing.nms == "none" or not len(sigmas) or not poses:
        return list(poses)
    (width, height), padding = recipe.model.input_size, recipe.framing.padding
    extents = [center_and_extent(pose.box, recipe.model.input_size, padding)[1] for pose in poses]
    kept = SUPPRESSION[recipe.testing.nms](
        np.array([pose.keypoints for pose in poses], float),
        np.array([pose.score for pose in poses]),
        np.square(extents) * height / width,
        sigmas,
        recipe.testing.nms_threshold,
    )
    return [poses[k] for k in kept]
