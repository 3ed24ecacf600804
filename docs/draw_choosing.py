"""Draw docs/pictures/choosing.jpg: the same photographs by the top-down and the bottom-up weights, and time both.

python docs/draw_choosing.py
"""

import time
from pathlib import Path

import numpy as np

import hrnet
from hrnet.datasets.boxes import read_boxes
from hrnet.images import read_image, write_image
from hrnet.results.drawing import contact_sheet
from hrnet.trainer import hardware

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
NAMES = ("coco_000000129648.jpg", "coco_000000000790.jpg", "codait_war0.jpg")


def main() -> None:
    boxes = read_boxes(PHOTOS / "boxes.json")
    both = {task: hrnet.Predictor(task=task, device="cpu") for task in ("pose_topdown", "pose_bottomup")}
    both["pose_bottomup, refined"] = hrnet.Predictor(task="pose_bottomup", device="cpu", refine=True)
    print(hardware())
    pictures: list[np.ndarray] = []
    labels: list[str] = []
    for name in NAMES:
        path = PHOTOS / name
        image = read_image(path)
        given = boxes.of(path)
        for task, predictor in both.items():
            arguments = (given[0],) if given and task == "pose_topdown" else ()
            times = []
            for _ in range(4):
                began = time.perf_counter()
                poses = predictor(image, *arguments)
                times.append(time.perf_counter() - began)
            pictures.append(predictor.draw(image, poses))
            labels.append(f"{task}: {len(poses)} people, {1000 * min(times):.0f} ms")
            print(name, labels[-1])
    sheet = contact_sheet(pictures, columns=3, cell=(420, 300), labels=labels)
    write_image(Path(__file__).parent / "pictures" / "choosing.jpg", sheet)


if __name__ == "__main__":
    main()
