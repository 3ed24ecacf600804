"""Pictures of several people with exact truth, from people of LSPET and pictures without people.

    python benchmarks/mosaics.py LSPET BACKGROUNDS OUT [COUNT] [SEED]

Writes OUT/mosaics.json, of COCO's form, and OUT/images: two to six people of LSPET's validation part each, the twelve
joints that LSPET and COCO share, area 0.53 of the box. Crops are pasted upright, some over others; of two people's
boxes at most a quarter of the smaller is shared; joints beneath a later crop are not labelled, and people of whom fewer
than six stay are ignore regions. The same arguments give the same pictures.
"""

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrnet.datasets.opening import open_data
from hrnet.datasets.skeleton import COCO
from hrnet.geometry import extent_of
from hrnet.images import output_folder, read_image, write_image, write_text
from hrnet.tasks.pose_bottomup.pasting import bounds, corners, paste, place
from hrnet.tasks.pose_bottomup.samples import backgrounds_in, cutout_of, under
from hrnet.tasks.pose_bottomup.settings import Augmentation

SIZE = (448, 336)
AREA = 0.53  # of the box, as where no segment is known


def main(lspet: str, backgrounds: str, out: str, count: int = 200, seed: int = 0) -> None:
    upright = Augmentation(rotation=0, flip=0, size=(0.25, 0.75), overlap=0.25, inside=1, hull=0, soft=0)
    options = upright.but(backgrounds=backgrounds, mosaics=1)
    data, folder = open_data(lspet, "val"), output_folder(Path(out) / "images")
    cutouts = [cut for record in data.records if (cut := cutout_of(record, data.skeleton, COCO))]
    empty = backgrounds_in(options)
    images, annotations = [], []
    for number in range(1, count + 1):
        draws = np.random.RandomState([seed, number])
        canvas = cv2.resize(read_image(empty[draws.randint(len(empty))].image), SIZE, interpolation=cv2.INTER_CUBIC)
        people = compose(canvas, cutouts, options, draws)
        write_image(folder / f"{number:06d}.png", canvas)
        images.append({"id": number, "file_name": f"{number:06d}.png", "width": SIZE[0], "height": SIZE[1]})
        for person in people:
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": 1, **person})
    category = {"id": 1, "name": "person", "keypoints": COCO.keypoints, "skeleton": []}
    truth = {"images": images, "annotations": annotations, "categories": [category]}
    write_text(Path(out) / "mosaics.json", json.dumps(truth))
    print(f"{count} pictures, {sum(p['num_keypoints'] > 0 for p in annotations)} people: {out}/mosaics.json")


def compose(canvas: np.ndarray, cutouts: list, options: Augmentation, draws: np.random.RandomState) -> list[dict]:
    """Paste two to six people onto a canvas in place; their annotations."""
    owners, shown, boxes = np.zeros(SIZE[::-1], np.uint8), [], []
    wanted = draws.randint(2, 7)
    while len(shown) < wanted:
        cutout = cutouts[draws.randint(len(cutouts))]
        frame = place(cutout, SIZE, boxes, options, draws)
        if frame is None:
            if len(shown) >= 2:
                break
            continue
        covered, region = paste(canvas, read_image(cutout.record.image), cutout, frame, options, draws)
        owners[region][covered] = len(shown) + 1
        shown.append((frame.to_input(cutout.points), cutout.labelled))
        boxes.append(bounds(frame.to_input(corners(cutout.box))))
    return [annotation(p, points, known, owners) for p, (points, known) in enumerate(shown, start=1)]


def annotation(number: int, points: np.ndarray, known: np.ndarray, owners: np.ndarray) -> dict[str, Any]:
    """A person as COCO writes it; joints that somebody else covers are not labelled."""
    labelled = known & under(points, (owners == number).astype(np.uint8))
    x1, y1, x2, y2 = extent_of(points[labelled if labelled.any() else known])
    enough = labelled.sum() >= 6
    keypoints = np.where((labelled & enough)[:, None], np.column_stack([points, np.full(len(points), 2)]), 0)
    box = [round(float(value), 2) for value in (x1, y1, x2 - x1, y2 - y1)]
    return {
        "bbox": box,
        "area": AREA * box[2] * box[3],
        "iscrowd": int(not enough),
        "num_keypoints": int(labelled.sum()) if enough else 0,
        "keypoints": keypoints.round(2).ravel().tolist(),
    }


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:6]))
