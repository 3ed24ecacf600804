"""Labels as they stand in their file, faults included: what readers refuse or clean away is kept for checks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hrnet.datasets.coco import as_coco, category_of, entries, load_json, part_sizes, skeleton_of
from hrnet.datasets.opening import begins_a_list, coco_files, has_split, is_lspet, open_data, opened, split_files
from hrnet.datasets.pictures import find_pictures
from hrnet.datasets.records import PoseData
from hrnet.datasets.skeleton import Skeleton
from hrnet.datasets.yolo import is_yolo
from hrnet.errors import HRNetError

# A person's keypoints (K, 3) as x, y, visibility, and box x, y, w, h, both as written; None where they are no numbers.
Points = np.ndarray | None


@dataclass(frozen=True)
class Labels:
    """One split: its pictures and annotations as plain entries of COCO's form.

    `pictures` maps a picture's position in `images` to its file or pixels. `boxed` says that boxes and areas are the
    labeller's own, and not made of keypoints by a reader.
    """

    name: str
    skeleton: Skeleton
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    pictures: list[Path | np.ndarray]
    boxed: bool = True
    parts: tuple[tuple[str, int], ...] = ()
    area_share: float = 1.0

    def keypoints(self, annotation: dict[str, Any]) -> Points:
        """Keypoints (K, 3) of an annotation; zeros where it has none, None where there are too many or too few."""
        values: list[Any] = []
        for part, count in self.parts or (("keypoints", len(self.skeleton)),):
            values += list(annotation.get(part) or [0] * 3 * count)
        numbers = numbers_in(values)
        return None if numbers is None or len(numbers) != 3 * len(self.skeleton) else numbers.reshape(-1, 3)

    def area(self, annotation: dict[str, Any]) -> float:
        """A person's area: as stated, or the share of the box that stands for it; 0 where both are faulty."""
        area = numbers_in([annotation["area"]]) if "area" in annotation else None
        box = numbers_in(annotation.get("bbox", ()))
        if area is None and box is not None and len(box) == 4:
            return self.area_share * float(box[2] * box[3])
        return 0.0 if area is None else float(area[0])


def numbers_in(values: Any) -> np.ndarray | None:
    """A list as finite numbers, None where it is none."""
    try:
        numbers = np.array(values, float).reshape(-1)
    except (TypeError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def read_labels(data: str | Path, images: Sequence[Path] = ()) -> list[Labels]:
    """All splits of a data set, one by one. Raises `HRNetError` where a path holds no labels at all."""
    path = Path(data)
    if str(data) == "synthetic":
        return [
            of_records(open_data("synthetic", split), f"synthetic_{split}", boxed=False) for split in ("train", "val")
        ]
    if path.is_file() and path.suffix == ".json" and not begins_a_list(path):
        return [of_coco(path, images)]
    if path.is_dir() and not is_lspet(path) and not is_yolo(path / "data.yaml") and coco_files(path):
        splits = [file for split in ("train", "val", "test") for file in split_files(path, split)]
        if splits:
            return [of_coco(file, images) for file in splits]
        return [together([of_coco(file, images) for file in coco_files(path)], path.name)]
    if has_split(data):
        return [
            of_records(opened(path, split, images), f"{path.name}_{split}", boxed=not is_lspet(path))
            for split in ("train", "val")
        ]
    return [of_records(opened(path, "train", images), path.stem, boxed=False)]


def of_coco(path: Path, images: Sequence[Path]) -> Labels:
    """A COCO-style file as it stands."""
    content = load_json(path)
    listed = [image for image in entries(content, path, "images", "id", "file_name") if image.get("is_labeled", True)]
    given = entries(content, path, "annotations") if "annotations" in content else []
    annotations = [each | {name: id_of(each.get(name, "?")) for name in ("id", "image_id")} for each in given]
    category, same = category_of(
        entries(content, path, "categories", "id", "name"), annotations, path, "annotations" in content
    )
    layout, skeleton = skeleton_of(category, annotations, path)
    pictures = find_pictures(path, [image["file_name"] for image in listed], images)
    unlabelled = {image["id"] for image in content["images"] if not image.get("is_labeled", True)}
    kept = [a for a in annotations if a.get("category_id") in same and a["image_id"] not in unlabelled]
    files: list[Path | np.ndarray] = [pictures.path(image["file_name"]) for image in listed]
    parts = tuple(part_sizes(layout, len(skeleton)))
    return Labels(path.stem, skeleton, listed, kept, files, parts=parts, area_share=layout.area_share)


def id_of(value: Any) -> Any:
    """An id as it can be looked up, whatever the file has in its place."""
    return value if isinstance(value, int | float | str) else repr(value)


def together(parts: list[Labels], name: str) -> Labels:
    """Files of one set without splits, such as one per video, as one."""
    if any(labels.skeleton != parts[0].skeleton for labels in parts):
        raise HRNetError(f"the files of {name} have different keypoints: name them one by one")
    return replace(
        parts[0],
        name=name,
        images=[image for labels in parts for image in labels.images],
        annotations=[annotation for labels in parts for annotation in labels.annotations],
        pictures=[picture for labels in parts for picture in labels.pictures],
    )


def of_records(data: PoseData, name: str, boxed: bool = True) -> Labels:
    """Labels of another format, by their reader."""
    content = as_coco(data)
    return Labels(
        name, data.skeleton, content["images"], content["annotations"], [r.image for r in data.records], boxed
    )
