"""How long grouping takes beside the network: 30 people, maps of HigherHRNet-W32 at 512 x 512 with flip tags.

    python benchmarks/grouping_speed.py

"clear": tags two apart, all joints seen. "crowded": 30 % of joints missing, and ten stray peaks per joint with tags of
their own. Maps are drawn at the network's resolutions (heatmaps at stride 2, tags at stride 4) with faint noise, and
enlarged for `exact`. Times are the least of several, in turns with the eager float32 network, so that ratios hold.
"""

import time

import numpy as np
import torch

import hrnet
from hrnet.tasks.pose_bottomup.aggregation import resized
from hrnet.tasks.pose_bottomup.grouping import group
from hrnet.tasks.pose_bottomup.recipes import higher_w32_512
from hrnet.trainer import hardware

PEOPLE, JOINTS, SIDE = 30, 17, 512


def maps(
    crowded: bool, seed: int = 0, people: int = PEOPLE, size: tuple[int, int] = (SIDE, SIDE)
) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps (17, h / 2, w / 2) and tags (17, h / 4, w / 4, 2) of people in an input of `size` (width, height)."""
    draws, (width, height) = np.random.default_rng(seed), size
    heatmaps = draws.normal(0, 0.005, (JOINTS, height // 2, width // 2)).astype(np.float32)
    tags = draws.normal(0, 0.05, (JOINTS, height // 4, width // 4, 2)).astype(np.float32)
    for joint in range(JOINTS):
        places = apart(people + 10 * crowded, size, draws)
        for person in range(people):
            if not (crowded and draws.random() < 0.3):
                put(heatmaps[joint], tags[joint], places[person], 2.0 * person, draws)
        for place in places[people:]:
            put(heatmaps[joint], tags[joint], place, draws.uniform(0, 2 * people), draws)
    return heatmaps, tags


def apart(count: int, size: tuple[int, int], draws: np.random.Generator) -> np.ndarray:
    """Places (count, 2) in input pixels, no two nearer than 50 pixels."""
    limit = np.array(size) - 10
    places = draws.uniform(10, limit)[None]
    while len(places) < count:
        place = draws.uniform(10, limit)
        if np.linalg.norm(places - place, axis=1).min() >= 50:
            places = np.vstack([places, place])
    return places


def put(heatmap: np.ndarray, tags: np.ndarray, at: np.ndarray, tag: float, draws: np.random.Generator) -> None:
    """One peak, at `at` in input pixels, and its tag around it, in place."""
    y, x = np.indices(heatmap.shape)
    square = (x - at[0] / 2) ** 2 + (y - at[1] / 2) ** 2
    np.maximum(heatmap, (draws.uniform(0.4, 0.9) * np.exp(-square / 8)).astype(np.float32), out=heatmap)
    near = square[::2, ::2] < 6**2
    tags[near] = tag + draws.normal(0, 0.1, (near.sum(), 2))


def least(times: list[float]) -> float:
    """Milliseconds of the quickest run."""
    return 1000 * min(times)


def main() -> None:
    torch.manual_seed(0)
    model = higher_w32_512.but(model__backbone__init="kaiming").model  # published starts give denormals, which are slow
    network, image = model.build().eval(), torch.randn(1, 3, SIDE, SIDE)
    scenes = {name: maps(crowded=name == "crowded") for name in ("clear", "crowded")}
    large = {
        name: (
            resized(h, (SIDE, SIDE)),
            np.stack([resized(t, (SIDE, SIDE)) for t in np.moveaxis(tags, -1, 0)], axis=-1),
        )
        for name, (h, tags) in scenes.items()
    }
    exact, times = higher_w32_512.testing, {}
    fast = exact.but(grouping="fast")
    for _ in range(5):
        began = time.perf_counter()
        with torch.inference_mode():
            network(image)
        times.setdefault("network", []).append(time.perf_counter() - began)
        for scene in scenes:
            for name, testing, (heatmaps, tags) in (("exact", exact, large[scene]), ("fast", fast, scenes[scene])):
                began = time.perf_counter()
                group(heatmaps, tags, testing)
                times.setdefault(f"{name}, {scene}", []).append(time.perf_counter() - began)
    whole = least(times["network"])
    print(f"HigherHRNet-W32 at 512, eager fp32: {whole:.0f} ms ({hardware()}, hrnet {hrnet.__version__})")
    for name, each in times.items():
        if name != "network":
            print(f"{name:<16} {least(each):7.1f} ms = {least(each) / whole:.3f} of it")


if __name__ == "__main__":
    main()
