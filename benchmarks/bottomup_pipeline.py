"""From a photograph to twenty people: HigherHRNet-W32 at 512, no flip test, beside the published way.

    python benchmarks/bottomup_pipeline.py PHOTO [RECIPE]

Starting weights find nobody, so the network runs for real and its maps are then replaced by drawn ones of twenty
people: "clear" and "crowded", as in grouping_speed.py. The published way is eager float32, and a search of the whole
map for every person and joint where joints are missing; its people must equal ours. Times are the least of several, in
turns.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from grouping_speed import maps
from torch.nn import functional as F

import hrnet
from hrnet.benchmark.network import eager
from hrnet.engines.choosing import Network, Way, engine_of
from hrnet.engines.engine import Engine
from hrnet.errors import HRNetError
from hrnet.images import read_image
from hrnet.settings import Recipe
from hrnet.tasks.pose_bottomup import inference
from hrnet.tasks.pose_bottomup.grouping import Peaks, adjust, match, shift
from hrnet.tasks.pose_bottomup.settings import Testing
from hrnet.trainer import hardware

PEOPLE, ROUNDS = 20, 5
OURS = inference.group


class Drawn:
    """An engine that runs a network and answers with drawn maps of the same shapes."""

    name, precision, decodes = "drawn", "fp32", False

    def __init__(self, run: object, size: tuple[int, int], crowded: bool) -> None:
        heatmaps, tags = maps(crowded, people=PEOPLE, size=size)
        coarse = np.stack([cv2.resize(each, tags.shape[2:0:-1], interpolation=cv2.INTER_AREA) for each in heatmaps])
        self.run_network, self.drawn = run, (np.concatenate([coarse, tags[..., 0]])[None], heatmaps[None])

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        found = self.run_network(pictures)  # type: ignore[operator]
        assert [tuple(each.shape) for each in found] == [each.shape for each in self.drawn]
        return self.drawn


def published(heatmaps: np.ndarray, tags: np.ndarray, testing: Testing) -> tuple[np.ndarray, np.ndarray]:
    """People and scores with peaks by max-pooling and top-k, and the whole map searched for each person and joint."""
    tags = np.broadcast_to(tags, (len(heatmaps), *tags.shape[1:]))
    given = torch.from_numpy(heatmaps)
    pooled = F.max_pool2d(given[None], testing.nms_kernel, 1, testing.nms_kernel // 2)[0]
    values, cells = (given * (pooled == given)).flatten(1).topk(testing.max_people)
    peaks, width = [], heatmaps.shape[2]
    for joint in range(len(heatmaps)):
        high = values[joint].double() > testing.detection_threshold
        y, x = np.divmod(cells[joint][high].numpy(), width)
        peaks.append(Peaks(np.stack([x, y], axis=1), values[joint][high].numpy(), tags[joint, y, x]))
    people = match(peaks, testing)
    scores = people[:, :, 2].mean(axis=1)
    adjust(people, heatmaps)
    for person in people:
        seen = np.flatnonzero(person[:, 2] > 0)
        x, y = person[seen, :2].astype(int).T
        mean = tags[seen, y, x].mean(axis=0)
        for joint in range(len(heatmaps)):
            away = np.sqrt(((tags[joint] - mean) ** 2).sum(axis=2))
            best = np.argmax(heatmaps[joint] - np.round(away))
            y, x = divmod(int(best), width)
            if person[joint, 2] == 0 and heatmaps[joint, y, x] > 0:
                moved = shift(heatmaps, np.array([joint]), np.array([x]), np.array([y]))[0]
                person[joint, :3] = *(np.array([x, y]) + moved), heatmaps[joint, y, x]
    return people, scores


def quickest(recipe: Recipe, network: torch.nn.Module) -> Engine:
    """OpenVINO, in bf16 where the processor has it."""
    source = Network("benchmark", recipe.probe_size, lambda: network, recipe.free)
    try:
        return engine_of(Way("openvino", "bf16"), source)
    except HRNetError:
        return engine_of(Way("openvino", "fp32"), source)


def main(photo: Path, name: str) -> None:
    recipe = hrnet.recipe(name).override({"testing.flip": False, "model.backbone.init": "kaiming"})
    torch.manual_seed(0)
    network = recipe.model.build().eval()
    height, width = read_image(photo).shape[:2]
    size = inference.input_size(width, height, 512)
    engine, plain = quickest(recipe, network), eager(network)
    fast = recipe.but(testing__grouping="fast")
    label = f"{engine.name} {engine.precision}"
    ways = {
        "eager fp32, published grouping": (recipe, plain, published),
        "eager fp32, exact": (recipe, plain, OURS),
        f"{label}, exact": (recipe, engine.run, OURS),
        f"{label}, fast": (fast, engine.run, OURS),
    }
    print(f"{recipe.name}, {photo.name} at {size[0]} x {size[1]}, {hardware()}")
    for scene in ("clear", "crowded"):
        paths = {way: each.inference(Drawn(run, size, scene == "crowded")) for way, (each, run, _) in ways.items()}
        times: dict[str, list[float]] = {}
        found = {}
        for _ in range(ROUNDS):
            for way, (_, run, grouping) in ways.items():
                run(np.zeros((1, size[1], size[0], 3), np.uint8))  # threads of the library before spin on for a while
                inference.group = grouping
                began = time.perf_counter()
                (found[way],) = paths[way].predict([(lambda: read_image(photo), None, None)])
                times.setdefault(way, []).append(time.perf_counter() - began)
        one, other, *_ = (np.stack([pose.keypoints for pose in poses]) for poses in found.values())
        np.testing.assert_array_equal(one, other)
        first, second = (min(times[way]) for way in list(ways)[:2])
        print(f"{scene}: {PEOPLE} people, {len(one)} groups")
        for way, each in times.items():
            print(f"{way:<32} {1000 * min(each):7.0f} ms  {first / min(each):6.1f} x  {second / min(each):6.1f} x")
    print("times faster than the published way, and than eager fp32 with our grouping")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "pose_bottomup/higher_w32_512")
