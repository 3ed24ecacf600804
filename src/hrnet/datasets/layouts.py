"""How data sets of COCO's form differ from COCO: names, further fields, sizes. Values, no code paths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hrnet.datasets.skeleton import AIC, COCO, COCO_WHOLEBODY, CROWDPOSE, LSPET, MPII, POSETRACK18, Skeleton


@dataclass(frozen=True)
class Layout:
    """One data set's way of filling COCO's form.

    `names` are the keypoints as its files call them, where that is not what the skeleton calls them. `parts` are
    fields of an annotation whose keypoints follow those of "keypoints". `area_share` is the share of the box that
    counts as a person's area where the file gives none.
    """

    skeleton: Skeleton
    names: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    area_share: float = 1.0


COCO_LAYOUT = Layout(COCO)
WHOLEBODY_LAYOUT = Layout(COCO_WHOLEBODY, COCO.keypoints, ("foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts"))
CROWDPOSE_LAYOUT = Layout(
    CROWDPOSE,
    names=tuple("head" if name == "head_top" else name for name in CROWDPOSE.keypoints),
    area_share=0.53,  # crowdposetools: "tmparea"
)
LAYOUTS = (
    COCO_LAYOUT,  # OCHuman too
    CROWDPOSE_LAYOUT,
    replace(CROWDPOSE_LAYOUT, names=tuple("top_head" if n == "head_top" else n for n in CROWDPOSE.keypoints)),
    Layout(AIC),
    Layout(POSETRACK18),
    Layout(MPII),
    Layout(LSPET),
    Layout(COCO_WHOLEBODY),
)


def layout_of(category: dict[str, Any], annotations: Sequence[dict[str, Any]]) -> Layout | None:
    """The layout whose names a category carries, letter case and spaces aside; None for somebody's own keypoints."""
    names = tuple(str(name).strip().lower().replace(" ", "_") for name in category["keypoints"])
    if names == COCO.keypoints and any(part in a for a in annotations for part in WHOLEBODY_LAYOUT.parts):
        return WHOLEBODY_LAYOUT
    return next((layout for layout in LAYOUTS if (layout.names or layout.skeleton.keypoints) == names), None)
