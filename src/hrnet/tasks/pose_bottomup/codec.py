"""Joints to what maps should hold. Heatmap targets are drawn where the loss runs, so that samples stay small.

B pictures, P people, J joints; cells are (x, y) on the map named.
"""

import torch
from torch import Tensor


def heatmap_targets(joints: Tensor, size: tuple[int, int]) -> Tensor:
    """Heatmaps (B, J, h, w) of joints (B, P, J, 4): x, y in cells, visibility, sigma in cells; `size` is (w, h).

    Published `HeatmapGenerator`: a bell of peak 1 around the cell that holds the joint, cut three sigmas and a cell
    away and at the map's edge; of several people the highest counts. Kept from the published code: coordinates are
    truncated towards zero, so -0.9 lies in cell 0; where three sigmas end in a half, the peak lies half a cell aside,
    on the side that rounding half to even decides.
    """
    width, height = size
    cells, there = cells_of(joints, size)
    picture, _, joint = there.nonzero(as_tuple=True)
    cell, sigma = cells[there], joints[..., 3][there][:, None]  # (N, 2), (N, 1)
    targets = joints.new_zeros(len(joints) * joints.shape[2] * height * width)
    if len(cell):
        steps = torch.arange(int(torch.ceil(6 * sigma.max() + 3)), device=joints.device)
        start, stop = torch.round(cell - 3 * sigma - 1).long(), torch.round(cell + 3 * sigma + 2).long()
        at = start[..., None] + steps  # (N, 2, S): columns and rows of a patch
        limit = torch.tensor(size, device=joints.device)[:, None]
        inside = (at >= 0) & (at < torch.minimum(limit, stop[..., None]))
        bell = torch.exp(-((steps - 3 * sigma - 1) ** 2) / (2 * sigma**2))[:, None]  # (N, 1, S)
        column, row = (bell * inside).unbind(dim=1)
        x, y = at.clamp(min=0).minimum(limit - 1).unbind(dim=1)
        plane = (picture * joints.shape[2] + joint)[:, None, None]
        index = (plane * height + y[:, :, None]) * width + x[:, None, :]  # (N, S, S)
        targets.scatter_reduce_(0, index.flatten(), (row[:, :, None] * column[:, None, :]).flatten(), "amax")
    return targets.view(len(joints), joints.shape[2], height, width)


def tag_places(joints: Tensor, size: tuple[int, int], shared: bool) -> tuple[Tensor, Tensor]:
    """Where each joint's tag stands in its picture's flattened tag maps, (B, P, J), and whether it is taught at all.

    `joints` and `size` as above. With one shared tag map, joints point into that.
    """
    cells, there = cells_of(joints, size)
    place = cells[..., 1].long() * size[0] + cells[..., 0].long()
    if not shared:
        place = place + torch.arange(joints.shape[2], device=joints.device) * size[0] * size[1]
    return place * there, there


def cells_of(joints: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The cells (..., 2) that hold joints (..., 4), as floats, and whether each is labelled and on the map."""
    cells = joints[..., :2].trunc()
    limit = torch.tensor(size, device=joints.device)
    return cells, (joints[..., 2] > 0) & ((cells >= 0) & (cells < limit)).all(dim=-1)
