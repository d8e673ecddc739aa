"""From network maps to faces, the assignment of labels to cells, and the loss.

Assignment is task-aligned (Feng et al., "TOOD", 2021): of the cells near a face's centre, at any stride, the
few whose present score and overlap are best are trained to be that face, and the score learns the overlap.
"""

from collections.abc import Sequence

import torch
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


def cells(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres of all cells, shape (A, 2), and their strides, shape (A,), for a picture of that size."""
    centres, strides = [], []
    for stride in STRIDES:
        ys, xs = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        centres.append((torch.stack([xs, ys], -1).reshape(-1, 2) + 0.5) * stride - 0.5)
        strides.append(torch.full((centres[-1].shape[0],), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def decode(maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Score logits (B, A), boxes (B, A, 4), landmarks (B, A, 5, 2), cell centres (A, 2) and strides (A,)."""
    height, width = maps[0].shape[-2] * STRIDES[0], maps[0].shape[-1] * STRIDES[0]
    centres, strides = cells(height, width)
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
    scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, faces: Tensor
) -> tuple[Tensor, Tensor]:
    """Which face each of a picture's cells stands for, -1 for none, and the score it should give, both (A,).

    Args:
        scores: that the cells give now, shape (A,).
        boxes: likewise, shape (A, 4).
        centres: shape (A, 2).
        strides: shape (A,).
        faces: boxes of the labelled faces, shape (G, 4).
    """
    if not len(faces):
        return torch.full(scores.shape, -1), torch.zeros_like(scores)
    faces = faces[:, None]
    iou = paired_iou(faces, boxes)
    middle, sides = (faces[..., :2] + faces[..., 2:]) / 2, faces[..., 2:] - faces[..., :2]
    radius = torch.maximum(sides * CENTRE_RADIUS, strides[:, None] * CENTRE_RADIUS_CELLS)
    near = ((centres - middle).abs() <= radius).all(-1)
    fit = (scores**SCORE_POWER * iou**OVERLAP_POWER + 1e-9) * near
    best = fit.topk(CELLS_PER_FACE, dim=-1)
    chosen = torch.zeros_like(near).scatter_(1, best.indices, best.values > 0)
    fit = fit * chosen
    fit_of_cell, face_idx = fit.max(0)
    taken = fit_of_cell > 0
    # The best cell of a face learns the face's best overlap, the others less in proportion to their fit.
    quality = fit_of_cell * ((iou * chosen).amax(-1) / fit.amax(-1).clamp(min=1e-12))[face_idx]
    return torch.where(taken, face_idx, -1), torch.where(taken, quality, 0.0).clamp(0, 1)


def detection_loss(maps: tuple[Tensor, ...], labels: Sequence[Labels]) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch of pictures with these labels, and its parts for the log."""
    logits, boxes, landmarks, centres, strides = decode(maps)
    qualities, trained, taken, truths, points = [], [], [], [], []
    for i, of in enumerate(labels):  # picture by picture: a crowd in one costs nothing in the others
        faces = torch.from_numpy(of.boxes_xyxy[of.is_face])
        scores = logits[i].detach().sigmoid()
        face_idx, quality = assign(scores, boxes[i].detach(), centres, strides, faces)
        cell_taken = face_idx >= 0
        regions = torch.from_numpy(of.boxes_xyxy[~of.is_face])[:, None]
        ignored = ((centres >= regions[..., :2]) & (centres <= regions[..., 2:])).all(-1).any(0)
        qualities.append(quality)
        trained.append(cell_taken | ~ignored)
        taken.append(cell_taken)
        truths.append(faces[face_idx[cell_taken]])
        points.append(torch.from_numpy(of.landmarks_xy[of.is_face])[face_idx[cell_taken]])
    quality, chosen, truth = torch.stack(qualities), torch.stack(taken), torch.cat(truths)
    total = quality.sum().clamp(min=1.0)
    gap = (quality - logits.sigmoid()).abs() ** FOCUS
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    score_loss = (gap * entropy * torch.stack(trained)).sum() / total
    weight = quality[chosen].clamp(min=0.05)
    box_loss = (_box_loss(boxes[chosen], truth) * weight).sum() / total
    landmark_loss = _landmark_loss(landmarks[chosen], torch.cat(points), truth, weight)
    loss = SCORE_WEIGHT * score_loss + BOX_WEIGHT * box_loss + landmark_loss
    parts = {"score": score_loss.item(), "box": box_loss.item(), "landmarks": landmark_loss.item()}
    return loss, parts | {"cells": float(len(truth)), "quality": float(total / max(len(truth), 1))}


def _box_loss(boxes: Tensor, truth: Tensor) -> Tensor:
    """1 - DIoU (Zheng et al., 2020), plus the misfit of each side: small boxes need it."""
    hull = torch.maximum(boxes[:, 2:], truth[:, 2:]) - torch.minimum(boxes[:, :2], truth[:, :2])
    apart = (boxes[:, :2] + boxes[:, 2:] - truth[:, :2] - truth[:, 2:]) / 2
    distance = (apart**2).sum(-1) / (hull**2).sum(-1).clamp(min=1e-6)
    sides = (truth[:, 2:] - truth[:, :2]).clamp(min=1.0)
    misfit = ((boxes - truth).abs() / torch.cat([sides, sides], -1)).clamp(max=2).mean(-1)
    return 1 - paired_iou(boxes, truth) + distance + 0.5 * misfit


def _landmark_loss(landmarks: Tensor, truth: Tensor, boxes: Tensor, weight: Tensor) -> Tensor:
    """Distance in shares of the box's side, mean of five points; nearly L1: small errors still count.

    The mean, by ``weight``, of the cells whose face has landmarks: they are NaN where nobody knows them.
    """
    known = torch.isfinite(truth).all(-1).all(-1)
    side = _area(boxes).sqrt().clamp(min=4.0)
    error = (landmarks - torch.where(known[:, None, None], truth, 0.0)).abs() / side[:, None, None]
    loss = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").mean((1, 2)) * 5
    return (loss * weight * known).sum() / (weight * known).sum().clamp(min=1.0)
