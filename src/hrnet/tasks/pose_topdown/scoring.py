"""Every labelled person of a data set in its own box, predicted and scored."""

from typing import Any

import numpy as np

from hrnet.datasets.records import PoseData
from hrnet.scoring.pck import scored
from hrnet.scoring.protocol import score
from hrnet.tasks.pose_topdown.inference import TopDownInference


def evaluate(inference: TopDownInference, data: PoseData) -> dict[str, Any]:
    """Predict every labelled person of a data set in its own box and score: `{"metrics": {...}, ...}`."""
    records = [record for record in data.records if any(scored(person) for person in record.people)]
    boxes = [np.array([person.box for person in record.people if scored(person)]) for record in records]
    poses = inference.predict((record.read(), each, None) for record, each in zip(records, boxes, strict=True))
    return score(data, [record.id for record in records], list(poses), assigned=True)
