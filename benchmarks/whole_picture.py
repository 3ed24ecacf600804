"""What is found where no boxes are given and one person is there: PCK@0.2 on LSPET val, each way.

python benchmarks/whole_picture.py LSPET

Of several people found the surest counts; a picture in which nobody is found counts as wrong.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import hrnet
from hrnet.datasets.opening import open_data
from hrnet.results.pose import Pose
from hrnet.scoring.pck import pck, scored

FAR = -1e6  # pixels: where nobody is


def main(folder: str) -> None:
    data = open_data(Path(folder), "val")
    people = [[person for person in record.people if scored(person)] for record in data.records]
    fp32 = {"engine": "torch", "precision": "fp32"}

    def tell(label: str, found: Iterable[list[Pose]]) -> None:
        poses, nobody = [], 0
        for each in found:
            nobody += not each
            poses.append(each[:1] or [nowhere])
        figures = pck(data, people, poses)
        value, interval = figures["metrics"]["PCK@0.2"], figures["interval"]["PCK@0.2"]
        print(f"{label:<50} PCK@0.2 {value:.4f}  {interval}, nobody in {nobody} pictures")

    def pictures() -> Iterable[tuple]:
        return ((record.read, None, None) for record in data.records)

    one = hrnet.Predictor(task="pose_topdown", **fp32)
    skeleton = one.recipe.model.keypoints
    count = len(skeleton.keypoints)
    nowhere = Pose(np.full((count, 2), FAR, np.float32), np.zeros(count, np.float32), 0.0, np.zeros(4), skeleton)
    for label, search in (("the whole picture is the box", False), ("looked for first (testing.search)", True)):
        one.inference.recipe = one.recipe.but(testing__search=search)
        tell(label, one.inference.predict(pictures()))
    boxed = ((record.read, np.array([person.box for person in record.people]), None) for record in data.records)
    tell("boxes given", one.inference.predict(boxed))
    tell("found bottom-up", hrnet.Predictor(task="pose_bottomup", **fp32).inference.predict(pictures()))
    tell(
        "found bottom-up, looked at top-down (the default)",
        hrnet.Predictor(**fp32).without_boxes.inference.predict(pictures()),
    )


if __name__ == "__main__":
    main(sys.argv[1])
