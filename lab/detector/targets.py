"""From network maps to faces, the assignment of labels to cells, and the loss.

Assignment is task-aligned (Feng et al., "TOOD", 2021): of the cells near a face's centre, at any stride, the
few whose present score and overlap are best are trained to be that face, and the score learns the overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from facespace.faces.layouts import OWN_SIDE_UNIT, STRIDES
from lab.detector.labels import Labels

CELLS_PER_FACE = 8
SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
# Candidate cells: this share of a box side around its centre, or this many cells, whichever is more.
CENTRE_RADIUS, CENTRE_RADIUS_CELLS = 0.3, 1.0
SCORE_WEIGHT, BOX_WEIGHT = 2.0, 2.0  # that of landmarks is 1
FOCUS = 2.0


@dataclass(frozen=True)
class Truth:
    """The labels of B pictures as tensors, as many places for each as the fullest needs.

    Attributes:
        boxes: of faces, shape (B, G, 4), zero where a picture has fewer; G is one or more.
        landmarks: shape (B, G, 5, 2), NaN where nobody knows them.
        present: bool, shape (B, G).
        ignored: regions where nothing is trained, shape (B, R, 4), zero where there are fewer.
    """

    boxes: Tensor
    landmarks: Tensor
    present: Tensor
    ignored: Tensor

    def to(self, device: str) -> "Truth":
        """The same on a device."""
        return Truth(*(getattr(self, of.name).to(device, non_blocking=True) for of in fields(self)))


def stack_labels(labels: Sequence[Labels]) -> Truth:
    """The labels of a batch of one or more pictures."""
    faces = [of.boxes_xyxy[of.is_face] for of in labels]
    return Truth(
        _padded(faces),
        _padded([of.landmarks_xy[of.is_face] for of in labels]),
        _padded([np.ones(len(boxes), np.bool_) for boxes in faces]),
        _padded([of.boxes_xyxy[~of.is_face] for of in labels]),
    )


def _padded(parts: Sequence[NDArray[Any]]) -> Tensor:
    padded = np.zeros((len(parts), max(1, *map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    for row, part in zip(padded, parts, strict=True):
        row[: len(part)] = part
    return torch.from_numpy(padded)


def cells(height: int, width: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Centres of all cells, shape (A, 2), and their strides, shape (A,), for a picture of that size."""
    centres, strides = [], []
    for stride in STRIDES:
        ys, xs = torch.meshgrid(
            torch.arange(height // stride, device=device),
            torch.arange(width // stride, device=device),
            indexing="ij",
        )
        centres.append((torch.stack([xs, ys], -1).reshape(-1, 2) + 0.5) * stride - 0.5)
        strides.append(torch.full((centres[-1].shape[0],), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)


def decode(maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Score logits (B, A), boxes (B, A, 4), landmarks (B, A, 5, 2), cell centres (A, 2) and strides (A,)."""
    height, width = maps[0].shape[-2] * STRIDES[0], maps[0].shape[-1] * STRIDES[0]
    centres, strides = cells(height, width, maps[0].device)
    flat = torch.cat([m.float().flatten(2) for m in maps], 2).transpose(1, 2)
    middle = centres + flat[..., 1:3] * strides[:, None]
    sides = flat[..., 3:5].clamp(-6, 6).exp() * (OWN_SIDE_UNIT * strides[:, None])
    boxes = torch.cat([middle - sides / 2, middle + sides / 2], -1)
    landmarks = middle[..., None, :] + flat[..., 5:].reshape(*flat.shape[:2], 5, 2) * sides[..., None, :]
    return flat[..., 0], boxes, landmarks, centres, strides


def paired_iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of boxes, shapes broadcast: (..., 4) and (..., 4) -> (...)."""
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    overlap = inner[..., 0] * inner[..., 1]
    return overlap / (_area(a) + _area(b) - overlap).clamp(min=1e-6)


def _area(boxes: Tensor) -> Tensor:
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


@torch.no_grad()
def assign(
    scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, faces: Tensor, present: Tensor
) -> tuple[Tensor, Tensor]:
    """Which face of its picture each cell stands for, -1 for none, and the score it should give, both (B, A).

    Args:
        scores: that the cells give now, shape (B, A).
        boxes: likewise, shape (B, A, 4).
        centres: shape (A, 2).
        strides: shape (A,).
        faces: boxes of the labelled faces, shape (B, G, 4).
        present: bool, shape (B, G): which of these there are.
    """
    faces = faces[:, :, None]
    iou = paired_iou(faces, boxes[:, None])
    middle, sides = (faces[..., :2] + faces[..., 2:]) / 2, faces[..., 2:] - faces[..., :2]
    radius = torch.maximum(sides * CENTRE_RADIUS, strides[:, None] * CENTRE_RADIUS_CELLS)
    near = ((centres - middle).abs() <= radius).all(-1) & present[..., None]
    fit = (scores[:, None] ** SCORE_POWER * iou**OVERLAP_POWER + 1e-9) * near
    best = fit.topk(CELLS_PER_FACE, dim=-1)
    chosen = torch.zeros_like(near).scatter_(-1, best.indices, best.values > 0)
    fit = fit * chosen
    fit_of_cell, face_idx = fit.max(1)
    taken = fit_of_cell > 0
    # The best cell of a face learns the face's best overlap, the others less in proportion to their fit.
    share = (iou * chosen).amax(-1) / fit.amax(-1).clamp(min=1e-12)
    quality = fit_of_cell * share.gather(1, face_idx)
    return torch.where(taken, face_idx, -1), torch.where(taken, quality, 0.0).clamp(0, 1)


def detection_loss(maps: tuple[Tensor, ...], truth: Truth) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch of pictures with these labels, and its parts for the log; nothing waits for a GPU."""
    logits, boxes, landmarks, centres, strides = decode(maps)
    face_idx, quality = assign(
        logits.detach().sigmoid(), boxes.detach(), centres, strides, truth.boxes, truth.present
    )
    chosen, at = face_idx >= 0, face_idx.clamp(min=0)
    regions = truth.ignored[:, :, None]
    ignored = ((centres >= regions[..., :2]) & (centres <= regions[..., 2:])).all(-1).any(1)
    total = quality.sum().clamp(min=1.0)
    gap = (quality - logits.sigmoid()).abs() ** FOCUS
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    score_loss = (gap * entropy * (chosen | ~ignored)).sum() / total
    weight = quality.clamp(min=0.05) * chosen
    faces = truth.boxes.gather(1, at[..., None].expand(-1, -1, 4))
    points = truth.landmarks.gather(1, at[..., None, None].expand(-1, -1, 5, 2))
    box_loss = (_box_loss(boxes, faces) * weight).sum() / total
    landmark_loss = _landmark_loss(landmarks, points, faces, weight)
    loss = SCORE_WEIGHT * score_loss + BOX_WEIGHT * box_loss + landmark_loss
    n_cells = chosen.sum()
    parts = {"loss": loss, "score": score_loss, "box": box_loss, "landmarks": landmark_loss}
    parts |= {"cells": n_cells.float(), "quality": total / n_cells.clamp(min=1)}
    return loss, {name: part.detach() for name, part in parts.items()}


def _box_loss(boxes: Tensor, truth: Tensor) -> Tensor:
    """1 - DIoU (Zheng et al., 2020), plus the misfit of each side: small boxes need it; (..., 4) twice -> (...)."""
    hull = torch.maximum(boxes[..., 2:], truth[..., 2:]) - torch.minimum(boxes[..., :2], truth[..., :2])
    apart = (boxes[..., :2] + boxes[..., 2:] - truth[..., :2] - truth[..., 2:]) / 2
    distance = (apart**2).sum(-1) / (hull**2).sum(-1).clamp(min=1e-6)
    sides = (truth[..., 2:] - truth[..., :2]).clamp(min=1.0)
    misfit = ((boxes - truth).abs() / torch.cat([sides, sides], -1)).clamp(max=2).mean(-1)
    return 1 - paired_iou(boxes, truth) + distance + 0.5 * misfit


def _landmark_loss(landmarks: Tensor, truth: Tensor, boxes: Tensor, weight: Tensor) -> Tensor:
    """Distance in shares of the box's side, mean of five points; nearly L1: small errors still count.

    The mean, by ``weight``, of the cells whose face has landmarks: they are NaN where nobody knows them.
    """
    known = torch.isfinite(truth).all(-1).all(-1)
    side = _area(boxes).sqrt().clamp(min=4.0)
    points = torch.where(known[..., None, None], truth, 0.0)
    error = torch.where(known[..., None, None], landmarks - points, 0.0).abs() / side[..., None, None]
    loss = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").mean((-1, -2)) * 5
    return (loss * weight * known).sum() / (weight * known).sum().clamp(min=1.0)
