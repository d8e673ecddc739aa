"""Faces of one frame after the other linked into tracks: one appearance of one person each.

A face joins the track whose last face it overlaps and looks like; one that has moved must look the more like it. How
much alike is given by the model's own false-accept rates, so that this holds for every model.
"""

from bisect import bisect
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance_matrix
from facespace.extract.photos import ImageFaces
from facespace.faces.detections import Detections
from facespace.faces.matching import box_iou
from facespace.faces.quality import SET_ASIDE
from facespace.models import ModelSpec

KEPT_FACES = 4
APART_S = 0.5  # kept faces are of different moments where there are such
# A face that is not seen for longer is another appearance.
GAP_S, GAPS = 1.5, 3.0  # seconds, or intervals of sampling if these are longer
MIN_IOU = 0.1
REACH = 2.5  # sides of a face that it may move unseen
LARGER = 2.0  # times its side
# Without a calibration: distances at rates of 1e-2, 1e-3 and 1e-4 of an ordinary model.
UNKNOWN = (1.4, 1.2, 1.05)
MOST_FACES = 64  # of a frame, the largest
FORGET = 0.8  # of a track's mean, with every face


@dataclass(frozen=True)
class Track:
    """One appearance of a person in a video.

    Attributes:
        begin_s: time of the first frame with the face, from the beginning of the video.
        end_s: of the last.
        n_frames: sampled frames with the face.
        faces: the best faces, K of them, the best first; pixels of the whole upright frame.
        quality: float32, shape (K,).
        embeddings: float32 unit rows, shape (K, D).
        time_s: float64, shape (K,), of each face.
        frame: int64, shape (K,), number of its frame in the video, from 0.
        thumbnail: uint8 RGB, shape (144, 144, 3), of the best face.
        path_s: float64, shape (n_frames,), times of all frames with the face.
        path_xyxy: float32, shape (n_frames, 4), where it was then.
    """

    begin_s: float
    end_s: float
    n_frames: int
    faces: Detections
    quality: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    time_s: NDArray[np.float64]
    frame: NDArray[np.int64]
    thumbnail: NDArray[np.uint8]
    path_s: NDArray[np.float64]
    path_xyxy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.faces)


@dataclass
class _Seen:
    """A face that may be kept."""

    quality: float
    time_s: float
    stamp: int
    face: Detections
    embedding: NDArray[np.float32]
    thumbnail: NDArray[np.uint8]


@dataclass
class _Open:
    """A track that may go on."""

    mean: NDArray[np.float32]
    last: NDArray[np.float32]
    kept: list[_Seen] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    boxes: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, seen: _Seen) -> None:
        self.last = seen.embedding
        self.mean = FORGET * self.mean + (1 - FORGET) * seen.embedding
        self.times.append(seen.time_s)
        self.boxes.append(seen.face.boxes_xyxy[0])
        self._keep(seen)

    def _keep(self, seen: _Seen) -> None:
        """Among the best, one a moment as long as there are enough moments."""
        near = [one for one in self.kept if abs(one.time_s - seen.time_s) < APART_S]
        self.kept.append(seen)
        too_many = [seen, *near] if near else self.kept if len(self.kept) > KEPT_FACES else []
        if too_many:
            worst = min(too_many, key=lambda one: one.quality)
            self.kept = [one for one in self.kept if one is not worst]

    def whole(self) -> Track:
        """The track as it is, its best faces first."""
        kept = sorted(self.kept, key=lambda one: (-one.quality, one.time_s))
        return Track(
            self.times[0],
            self.times[-1],
            len(self.times),
            Detections.joined([one.face for one in kept]),
            np.array([one.quality for one in kept], np.float32),
            np.stack([one.embedding for one in kept]),
            np.array([one.time_s for one in kept]),
            np.array([one.stamp for one in kept], np.int64),
            kept[0].thumbnail,
            np.array(self.times),
            np.stack(self.boxes),
        )


class Tracker:
    """Links the faces of sampled frames, given in order.

    Args:
        spec: of the faces' model.
        every_s: between sampled frames.
    """

    def __init__(self, spec: ModelSpec, every_s: float) -> None:
        known = [spec.distances.get(rate) for rate in ("1e-2", "1e-3", "1e-4")]
        self._loose, self._near, self._far = (
            d if d is not None else default for d, default in zip(known, UNKNOWN, strict=True)
        )
        self._gap_s = max(GAP_S, GAPS * every_s)
        self._open: list[_Open] = []
        self._done: list[_Open] = []

    def add(self, found: ImageFaces, time_s: float, stamp: int) -> None:
        """The faces of the next frame."""
        ended = [track for track in self._open if time_s - track.times[-1] > self._gap_s]
        self._done += ended
        self._open = [track for track in self._open if time_s - track.times[-1] <= self._gap_s]
        faces = [
            _Seen(
                float(found.quality[i]), time_s, stamp, found.faces[i : i + 1], found.embeddings[i], found.thumbnails[i]
            )
            for i in np.argsort(-found.faces.areas_px, kind="stable")[:MOST_FACES].tolist()
        ]  # fmt: skip
        linked = self._links(faces)
        for i, face in enumerate(faces):
            track = linked.get(i)
            if track is None:
                track = _Open(face.embedding, face.embedding)
                self._open.append(track)
            track.add(face)

    def tracks(self) -> list[Track]:
        """All tracks by time, with stamps as their `frame`; single blurs, perhaps no faces, are left out."""
        found = [*self._done, *self._open]
        long = [track for track in found if len(track.times) > 1]
        whole = [
            track.whole()
            for track in found
            if len(track.times) > 1
            or (track.kept[0].quality >= SET_ASIDE and not any(_fills_gap(track, one) for one in long))
        ]
        return sorted(whole, key=lambda track: (track.begin_s, float(track.path_xyxy[0, 0])))

    def _links(self, faces: list[_Seen]) -> dict[int, _Open]:
        """The track of each face that belongs to one, the surest pairs first, each track once."""
        if not faces or not self._open:
            return {}
        boxes = np.concatenate([face.face.boxes_xyxy for face in faces])
        before = np.stack([track.boxes[-1] for track in self._open])
        rows = np.stack([face.embedding for face in faces])
        means = np.stack([track.mean / max(float(np.linalg.norm(track.mean)), 1e-6) for track in self._open])
        lasts = np.stack([track.last for track in self._open])
        distance = np.minimum(distance_matrix(rows, means), distance_matrix(rows, lasts))
        overlap = box_iou(boxes, before)
        limit = np.full(distance.shape, self._far, np.float32)
        limit[_within_reach(boxes, before)] = self._near
        limit[overlap >= MIN_IOU] = self._loose
        cost = distance - overlap
        linked: dict[int, _Open] = {}
        taken: set[int] = set()
        for i, j in zip(
            *np.unravel_index(np.argsort(cost, axis=None, kind="stable"), cost.shape), strict=True
        ):
            if distance[i, j] <= limit[i, j] and int(i) not in linked and int(j) not in taken:
                linked[int(i)] = self._open[int(j)]
                taken.add(int(j))
        return linked


def _within_reach(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a face may have come from one place to the other, and grown or shrunk so, shape (N, M)."""
    side_a, side_b = (np.sqrt(np.maximum((x[:, 2:] - x[:, :2]).prod(1), 1e-6)) for x in (a, b))
    centre_a, centre_b = ((x[:, :2] + x[:, 2:]) / 2 for x in (a, b))
    side = np.maximum(side_a[:, None], side_b[None])
    moved = np.linalg.norm(centre_a[:, None] - centre_b[None], axis=2)
    return (moved <= REACH * side) & (side <= LARGER * np.minimum(side_a[:, None], side_b[None]))


def _fills_gap(single: _Open, track: _Open) -> bool:
    """Whether a face seen once is a track's own in a moment when it was not known, blurred or turned away."""
    time_s = single.times[0]
    after = bisect(track.times, time_s)
    if not 0 < after < len(track.times) or track.times[after - 1] == time_s:
        return False
    around = np.stack(track.boxes[after - 1 : after + 1])
    return bool(box_iou(single.boxes[0][None], around).max() >= MIN_IOU)
