"""From network maps to faces, the assignment of labels to cells, and the loss.

Assignment is task-aligned (Feng et al., "TOOD", 2021): of the cells near a face's centre, at any stride, the
few whose present score and overlap are best are trained to be that face, and the score learns the overlap.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.detector.network import STRIDES

SIDE_UNIT = 4.0  # a box side is exp(output) * SIDE_UNIT strides: 32, 64 and 128 px at the start


@dataclass(frozen=True)
class Batch:
    """Pictures and their faces, padded to one number of faces.

    Attributes:
        pixels: uint8, shape (B, 3, H, W).
        boxes_xyxy: float32, shape (B, G, 4), in pixels.
        landmarks_xy: float32, shape (B, G, 5, 2).
        kind: int64, shape (B, G): 1 a face, 0 padding, -1 a region where nothing is trained.
    """

    pixels: Tensor
    boxes_xyxy: Tensor
    landmarks_xy: Tensor
    kind: Tensor


@dataclass(frozen=True)
class LossOptions:
    """Weights of the parts, and how many cells stand for one face."""

    cells_per_face: int = 8
    score_power: float = 0.5
    overlap_power: float = 4.0
    centre_radius: float = 0.3  # candidate cells: this share of a box side around its centre
    centre_radius_cells: float = 1.0  # or this many cells, whichever is more
    box_weight: float = 2.0
    landmark_weight: float = 1.0
    focus: float = 2.0


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
    sides = flat[..., 3:5].clamp(-6, 6).exp() * (SIDE_UNIT * strides[:, None])
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
    scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, batch: Batch, options: LossOptions
) -> tuple[Tensor, Tensor]:
    """Which face each cell stands for (B, A), -1 for none, and the score it should give (B, A)."""
    faces = batch.boxes_xyxy[:, :, None]
    iou = paired_iou(faces, boxes[:, None])
    middle, sides = (faces[..., :2] + faces[..., 2:]) / 2, faces[..., 2:] - faces[..., :2]
    radius = torch.maximum(sides * options.centre_radius, strides[:, None] * options.centre_radius_cells)
    near = ((centres - middle).abs() <= radius).all(-1) & (batch.kind == 1)[..., None]
    fit = (scores[:, None] ** options.score_power * iou**options.overlap_power + 1e-9) * near
    best = fit.topk(options.cells_per_face, dim=-1)
    chosen = torch.zeros_like(near).scatter_(2, best.indices, best.values > 0)
    fit = fit * chosen
    fit_of_cell, face_idx = fit.max(1)
    taken = fit_of_cell > 0
    # The best cell of a face learns the face's best overlap, the others less in proportion to their fit.
    best_fit = fit.amax(-1).clamp(min=1e-12)
    best_iou = (iou * chosen).amax(-1)
    quality = fit_of_cell * (best_iou / best_fit).gather(1, face_idx)
    return torch.where(taken, face_idx, -1), torch.where(taken, quality, 0.0).clamp(0, 1)


def _untrained(centres: Tensor, batch: Batch) -> Tensor:
    """Cells inside a region to be ignored, shape (B, A)."""
    inside = (centres >= batch.boxes_xyxy[:, :, None, :2]) & (centres <= batch.boxes_xyxy[:, :, None, 2:])
    return (inside.all(-1) & (batch.kind == -1)[..., None]).any(1)


def _assigned(
    scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, batch: Batch, options: LossOptions
) -> tuple[Tensor, Tensor, Tensor]:
    """`assign` and the untrained cells, picture by picture: a crowd in one costs nothing in the others."""
    parts = []
    for i in range(len(scores)):
        n = int((batch.kind[i] != 0).sum())
        one = Batch(
            batch.pixels[i : i + 1],
            batch.boxes_xyxy[i : i + 1, : max(n, 1)],
            batch.landmarks_xy[i : i + 1, : max(n, 1)],
            batch.kind[i : i + 1, : max(n, 1)],
        )
        face_idx, quality = assign(scores[i : i + 1], boxes[i : i + 1], centres, strides, one, options)
        parts.append((face_idx, quality, _untrained(centres, one)))
    face_idx, quality, untrained = (torch.cat(part) for part in zip(*parts, strict=True))
    return face_idx, quality, untrained


def detection_loss(
    maps: tuple[Tensor, ...], batch: Batch, options: LossOptions
) -> tuple[Tensor, dict[str, float]]:
    """The loss, and its parts for the log."""
    logits, boxes, landmarks, centres, strides = decode(maps)
    face_idx, quality, untrained = _assigned(
        logits.sigmoid().detach(), boxes.detach(), centres, strides, batch, options
    )
    taken = face_idx >= 0
    trained = taken | ~untrained
    gap = (quality - logits.sigmoid()).abs() ** options.focus
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    total = quality.sum().clamp(min=1.0)
    score_loss = (gap * entropy * trained).sum() / total
    rows, cell_idx = taken.nonzero(as_tuple=True)
    faces = face_idx[rows, cell_idx]
    weight = quality[rows, cell_idx].clamp(min=0.05)
    truth = batch.boxes_xyxy[rows, faces]
    box_loss = (_box_loss(boxes[rows, cell_idx], truth) * weight).sum() / total
    landmark_loss = _landmark_loss(landmarks[rows, cell_idx], batch.landmarks_xy[rows, faces], truth, weight)
    loss = score_loss * 2 + options.box_weight * box_loss + options.landmark_weight * landmark_loss
    parts = {"score": score_loss.item(), "box": box_loss.item(), "landmarks": landmark_loss.item()}
    return loss, parts | {"cells": float(len(rows)), "quality": float(total / max(len(rows), 1))}


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
