"""A tiny recipe and a tiny COCO-style set of drawn figures, for tests that need a network or a training to be quick."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

import hrnet
from hrnet.datasets.skeleton import COCO
from hrnet.datasets.synthetic import figures

TINY = hrnet.recipe("small_256x192").but(
    name="pose_topdown/tiny",
    model__backbone__width=8,
    model__input_size=(64, 64),
    testing__flip=False,
    training__workers=0,
    training__precision="32",
)


def coco_file(path: Path, count: int = 3) -> Path:
    """Write a COCO-style file of drawn figures of 48 x 64 with its pictures, 0.png and so on, beside it."""
    images, annotations = [], []
    for number, record in enumerate(figures(count, seed=3, size=(48, 64)).records):
        Image.fromarray(record.image).save(path.parent / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 48, "height": 64})
        (person,) = record.people
        annotation = {
            "id": number + 1,
            "image_id": number,
            "category_id": 1,
            "iscrowd": 0,
            "bbox": [*person.box[:2].tolist(), *(person.box[2:] - person.box[:2]).tolist()],
            "area": person.area,
            "num_keypoints": int((person.visibility > 0).sum()),
            "keypoints": np.column_stack([person.keypoints, person.visibility]).ravel().tolist(),
        }
        annotations.append(annotation)
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
