"""How long scoring takes: OKS-NMS of 100 poses, and COCO AP of 50,000 poses beside faster-coco-eval.

python benchmarks/scoring_speed.py
"""

import contextlib
import io
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from faster_coco_eval import COCO as FasterCOCO
from faster_coco_eval import COCOeval_faster

from hrnet.datasets.records import PoseData
from hrnet.datasets.skeleton import COCO
from hrnet.results.pose import Pose
from hrnet.scoring.coco_ap import average_precision
from hrnet.scoring.oks import oks_nms, soft_oks_nms
from hrnet.trainer import hardware

PICTURES, PEOPLE, POSES = 5000, 3, 10  # of each picture: 50,000 poses, about as many as COCO val with a detector
SIGMAS = np.array(COCO.sigmas)


def main() -> None:
    print(hardware())
    rng = np.random.default_rng(0)
    poses = rng.uniform(0, 2000, (100, 17, 2)), rng.uniform(size=100), rng.uniform(1e3, 1e5, 100), SIGMAS
    for suppress in (oks_nms, soft_oks_nms):
        spent = seconds(lambda f=suppress: f(*poses), 200)
        print(f"{suppress.__name__:<14} 100 poses x 17 keypoints  {1e3 * spent:.2f} ms")
    data, ids, found, results = drawn(rng)
    ours, theirs = [], []
    for _ in range(5):  # in turn, so that both meet the same weather
        ours.append(seconds(lambda: average_precision(data, ids, found), 1))
        theirs.append(seconds(lambda: library(data, results), 1))
    print(f"COCO AP of {len(results)} poses, {len(data.truth['annotations'])} people, {PICTURES} pictures")
    print(f"  average_precision  {median(ours):.2f} s   faster-coco-eval  {median(theirs):.2f} s")
    assert average_precision(data, ids, found)["metrics"]["AP"] == round(library(data, results), 4)


def seconds(call: Callable[[], object], times: int) -> float:
    """Median time of a call."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return median(spent)


def drawn(rng: np.random.Generator) -> tuple[PoseData, list[int], list[list[Pose]], list[dict]]:
    """People and poses at random: of each picture's ten poses three are near its people."""
    annotations, found, results = [], [], []
    for picture in range(PICTURES):
        people = rng.uniform(0, 400, (PEOPLE, 1, 2)) + rng.uniform(0, 150, (PEOPLE, 17, 2))
        near = people + rng.uniform(0, 12, (PEOPLE, 1, 1)) * rng.standard_normal((PEOPLE, 17, 2))
        points = np.concatenate([near, rng.uniform(0, 500, (POSES - PEOPLE, 17, 2))])
        for number, person in enumerate(people):
            values = np.column_stack([person, np.full(17, 2)])
            annotations.append(
                {"id": len(annotations) + 1, "image_id": picture, "category_id": 1, "iscrowd": 0, "num_keypoints": 17}
                | {"keypoints": values.ravel().tolist(), "area": 4e3 * (number + 1), "bbox": [0, 0, 100, 100]}
            )
        scores = rng.uniform(size=POSES)
        found.append([Pose(p, np.ones(17), float(s), np.zeros(4), COCO) for p, s in zip(points, scores, strict=True)])
        for pose in found[-1]:
            values = np.column_stack([pose.keypoints, pose.scores])
            results.append(
                {"image_id": picture, "category_id": 1, "keypoints": values.ravel().tolist(), "score": pose.score}
            )
    images = [{"id": picture, "width": 640, "height": 640} for picture in range(PICTURES)]
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}]
    truth = {"images": images, "annotations": annotations, "categories": categories}
    return PoseData("drawn", COCO, (), "AP", truth), list(range(PICTURES)), found, results


def library(data: PoseData, results: list[dict]) -> float:
    """AP as faster-coco-eval computes it from COCO results."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = FasterCOCO(data.truth)
        run = COCOeval_faster(truth, truth.loadRes(results), "keypoints", print_function=lambda *_: None)
        run.run()
    return float(run.stats[0])


if __name__ == "__main__":
    main()
