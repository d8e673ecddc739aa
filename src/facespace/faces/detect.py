"""Find faces in a picture with an ONNX detector: our own, or a user's in the YuNet or SCRFD layout."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import InputError, ModelError
from facespace.faces.detections import Detections
from facespace.faces.layouts import LAYOUTS, Layout, recognise, suppress
from facespace.faces.matching import box_iou
from facespace.faces.second_look import look_again
from facespace.faces.tiles import Region, Tiles, grid, regions, touches_seam
from facespace.models import ModelSpec, find_model, read_metadata, read_spec, weights_sha256
from facespace.models.devices import AUTO
from facespace.models.onnx_metadata import SPEC_KEY
from facespace.models.session import Network

DEFAULT_INPUT_PX = 640
STEP_PX = 32  # sides of the network's input are multiples of this, the coarsest stride
MAX_CANDIDATES = 2000
FAR_FACE_PX = 200.0  # what a look from afar adds are faces from this size on, at the input's scale
LEAST_SCORE = 0.1  # what still has a voice in where a face's landmarks are
VOTING_IOU = 0.6
FIRST_SCORE = 0.3  # what a second look may raise above the threshold
SURE_SCORE = 0.6  # of faces that need no second look to count
SECOND_LOOK_WEIGHT = 0.3  # in the score of the others
SECOND_LOOK_FACES = (
    4  # of a picture that need not be doubtful, and as many doubtful ones; where the model says no other
)
SECOND_LOOK_FACE_PX = 24.0  # a smaller face that is sure has too few pixels to be enlarged


class Detector:
    """A face detector: holds the session, may be called from many threads at once.

    Args:
        model: name of a built-in detector or path of an ONNX file; None is the built-in one.
        score_threshold: least score of a face; None is the model's own.
        nms_iou: two boxes that overlap more are one face.
        input_px: pictures whose longest side is more are scaled down to it; smaller ones are never enlarged.
        threads: onnxruntime's threads for one picture.
        tiles: "auto" looks at large and at wide pictures in overlapping tiles too, "off" never, a number divides
            the longest side of every picture into so many; see `facespace.faces.tiles.grid`.
        device: where the network runs: "auto", "cpu", "cuda", "coreml", "directml" or "openvino".

    Raises:
        ModelError: no such model, outputs in none of the known layouts, or a device that is not installed or does
            not work here.
        InputError: an option out of its range, or no such device.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        score_threshold: float | None = None,
        nms_iou: float = 0.4,
        input_px: int = DEFAULT_INPUT_PX,
        threads: int = 1,
        tiles: Tiles = "auto",
        device: str = AUTO,
    ) -> None:
        if input_px < STEP_PX:
            raise InputError(f"input_px: expected at least {STEP_PX}, got {input_px}")
        grid((1, 1), tiles)  # refuses what is no choice
        self.tiles = tiles
        path = find_model(model, "detector")
        self._network = Network(path, threads=threads, device=device)
        self.spec, self._layout = _spec_and_layout(path, self._network.outputs)
        own = float(self.spec.options.get("score_threshold", self._layout.score_threshold))
        self.score_threshold = own if score_threshold is None else score_threshold
        if not 0 < self.score_threshold < 1:
            raise InputError(f"score_threshold: expected between 0 and 1, got {self.score_threshold}")
        self.nms_iou, self.input_px = nms_iou, input_px
        self._votes = self._layout.name == "facespace"
        self._far_look = int(self.spec.options.get("far_look", 0))
        sides_px = self.spec.options.get("second_look_px", 0)  # several in version 2
        self._second_look_px = int(np.max(sides_px, initial=0))
        self._first_score = (
            min(FIRST_SCORE, self.score_threshold) if self._second_look_px else self.score_threshold
        )
        self._second_look_faces = int(self.spec.options.get("second_look_faces", SECOND_LOOK_FACES))
        rows, columns = self._network.input_shape[2:]
        self._fixed_hw = (rows, columns) if isinstance(rows, int) and isinstance(columns, int) else None

    def __repr__(self) -> str:
        return f"Detector({self.spec.name}, score >= {self.score_threshold:g}, {self.input_px} px)"

    @property
    def device(self) -> str:
        """Where the network runs."""
        return self._network.device.name

    def detect(self, image: NDArray[np.uint8], *, whole_hw: tuple[int, int] | None = None) -> Detections:
        """Faces in ``image``, in its pixels, highest score first.

        Boxes are cut at the picture's edge; landmarks may lie outside it.

        Args:
            image: uint8 RGB, shape (H, W, 3).
            whole_hw: rows and columns of the whole picture where ``image`` is a reduced one; tiles go by them.

        Raises:
            InputError: not an array of that kind.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"image: expected uint8 RGB of shape (H, W, 3), got {image.dtype} of shape {image.shape}"
            )
        if 0 in image.shape:
            return Detections.empty()
        size_hw = image.shape[0], image.shape[1]
        tiles = regions(size_hw, grid(whole_hw or size_hw, self.tiles))
        found = self._look(image)
        if len(tiles) > 1:
            found = self._merged([found, *(self._look_at(image, tile) for tile in tiles)])
        return self._looked_at_again(image, found) if self._second_look_px else found

    def _look(self, image: NDArray[np.uint8]) -> Detections:
        """Faces at the size of the network's input, and those that fill the picture from afar."""
        small, scale_xy = self._fitted(image)
        found = self._find(small, self._first_score)
        if self._far_look and max(small.shape[:2]) >= 2 * FAR_FACE_PX:
            found = self._merged([found, self._from_afar(small)])
        return _in_picture(found, scale_xy, image.shape[:2])

    def _from_afar(self, image: NDArray[np.uint8]) -> Detections:
        """The large faces of a picture of the input's size: reduced, they are as the network knows them."""
        reduced = np.asarray(Image.fromarray(image).reduce(self._far_look))
        found = self._find(reduced, self._first_score).scaled(self._far_look)
        return found[np.sqrt(found.areas_px) >= FAR_FACE_PX]

    def _look_at(self, image: NDArray[np.uint8], tile: Region) -> Detections:
        """Faces in a part of the picture that are not cut by its inner edges."""
        part = np.ascontiguousarray(image[tile.top : tile.bottom, tile.left : tile.right])
        found = self._look(part)
        found = found[~touches_seam(found.boxes_xyxy, tile, (image.shape[0], image.shape[1]))]
        offset = np.array([tile.left, tile.top], np.float32)
        return Detections(found.boxes_xyxy + np.tile(offset, 2), found.landmarks_xy + offset, found.scores)

    def _merged(self, parts: list[Detections]) -> Detections:
        """What several looks at one picture found: of faces found more than once the surest."""
        both = Detections.joined(parts)
        return both[suppress(both.boxes_xyxy, both.scores, self.nms_iou)]

    def _looked_at_again(self, image: NDArray[np.uint8], found: Detections) -> Detections:
        """The faces that count, a bounded number of them with better landmarks or, if doubtful, a better score."""
        rows = self._worth_a_second_look(found)
        landmarks, scores = found.landmarks_xy.copy(), found.scores.copy()
        landmarks[rows], again = look_again(
            image, landmarks[rows], self._candidates, side_px=self._second_look_px
        )
        mixed = (1 - SECOND_LOOK_WEIGHT) * scores[rows] + SECOND_LOOK_WEIGHT * again
        scores[rows] = np.where(scores[rows] < SURE_SCORE, mixed, scores[rows])
        both = Detections(found.boxes_xyxy, landmarks, scores)
        return both[np.argsort(-scores, kind="stable")][: int((scores >= self.score_threshold).sum())]

    def _worth_a_second_look(self, found: Detections) -> NDArray[np.int64]:
        """The surest of the doubtful faces, and the largest of the sure ones."""
        sides = np.sqrt(found.areas_px)
        is_sure = found.scores >= SURE_SCORE
        doubtful = np.flatnonzero(~is_sure)[: self._second_look_faces]  # the surest come first
        sure = np.flatnonzero(is_sure & (sides >= SECOND_LOOK_FACE_PX))
        largest = sure[np.argsort(-sides[sure], kind="stable")][: self._second_look_faces]
        return np.concatenate([doubtful, largest])

    def _candidates(self, image: NDArray[np.uint8]) -> Detections:
        """All that might be a face in a picture at the network's scale, several times where it is seen so."""
        tensor = self._prepared(image)
        return self._layout.decode(self.run(tensor), tensor.shape[3], LEAST_SCORE)

    def _find(self, image: NDArray[np.uint8], score_threshold: float) -> Detections:
        """Faces in a picture that is no larger than the network's input."""
        tensor = self._prepared(image)
        return self._read(self.run(tensor), tensor.shape[3], score_threshold)

    def run(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The network alone: raw outputs by name for a prepared input of shape (1, 3, H, W)."""
        return dict(zip(self._network.outputs, self._network.run(tensor), strict=True))

    def _read(
        self, outputs: dict[str, NDArray[np.float32]], width: int, score_threshold: float
    ) -> Detections:
        """Raw outputs as faces in the pixels of an input of that width."""
        least = min(LEAST_SCORE, score_threshold) if self._votes else score_threshold
        seen = self._layout.decode(outputs, width, least)
        if len(seen) > MAX_CANDIDATES:
            seen = seen[np.argpartition(-seen.scores, MAX_CANDIDATES)[:MAX_CANDIDATES]]
        sure = np.flatnonzero(seen.scores >= score_threshold)
        kept = sure[suppress(seen.boxes_xyxy[sure], seen.scores[sure], self.nms_iou)]
        if not self._votes or not len(kept):
            return seen[kept]
        return dataclasses.replace(seen[kept], landmarks_xy=_voted(seen, kept))

    def _fitted(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
        """The picture no larger than the network's input, and its scale along x and y."""
        height, width = image.shape[:2]
        limit_h, limit_w = self._fixed_hw or (self.input_px, self.input_px)
        scale = min(limit_h / height, limit_w / width)
        if scale >= 1:
            return image, (1.0, 1.0)
        picture = Image.fromarray(image)
        if (1 / scale).is_integer():
            # Large photos are decoded at twice the input's size, and averaging 2x2 is several times faster.
            small = picture.reduce(int(1 / scale))
        else:
            size = max(round(width * scale), 1), max(round(height * scale), 1)
            small = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        return np.asarray(small), (small.width / width, small.height / height)

    def _prepared(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Padded with black at the right and below, scaled as the weights expect, (1, 3, H, W)."""
        height, width = image.shape[:2]
        rows, columns = self._fixed_hw or (-(-height // STEP_PX) * STEP_PX, -(-width // STEP_PX) * STEP_PX)
        tensor = np.zeros((1, 3, rows, columns), np.float32)
        channels = image if self.spec.colour == "RGB" else image[:, :, ::-1]
        tensor[0, :, :height, :width] = channels.transpose(2, 0, 1)
        if self.spec.mean or self.spec.std != 1:
            tensor -= np.asarray(self.spec.mean, np.float32).reshape(-1, 1, 1)
            tensor *= (1 / np.asarray(self.spec.std)).astype(np.float32).reshape(-1, 1, 1)
        return tensor


def _voted(seen: Detections, kept: NDArray[np.int64]) -> NDArray[np.float32]:
    """Landmarks of the ``kept`` faces: the mean over all candidates of the same face, by score and overlap.

    As boxes vote in Gidaris and Komodakis, "Object detection via a multi-region CNN" (2015), section 5.
    """
    overlap = box_iou(seen.boxes_xyxy[kept], seen.boxes_xyxy)
    weights = np.where(overlap >= VOTING_IOU, overlap * seen.scores, 0)
    weights /= weights.sum(1, keepdims=True)
    return (weights @ seen.landmarks_xy.reshape(-1, 10)).reshape(-1, 5, 2)


def _in_picture(found: Detections, scale_xy: tuple[float, float], size_hw: tuple[int, int]) -> Detections:
    """Undo the scaling, cut the boxes at the edges, and drop those that are wholly outside."""
    factor = np.array([1 / scale_xy[0], 1 / scale_xy[1]], np.float32)
    boxes = (found.boxes_xyxy.reshape(-1, 2, 2) + 0.5) * factor - 0.5
    landmarks = (found.landmarks_xy + 0.5) * factor - 0.5
    limits = np.array([size_hw[1], size_hw[0]], np.float32) - 0.5
    boxes = np.clip(boxes, -0.5, limits).reshape(-1, 4)
    inside = (boxes[:, 2:] - boxes[:, :2] >= 1).all(1)
    return Detections(boxes[inside], landmarks[inside], found.scores[inside])


def _spec_and_layout(
    path: Path, outputs: Mapping[str, Sequence[int | str | None]]
) -> tuple[ModelSpec, Layout]:
    """What the file says of itself; for a foreign one, what is known of its layout."""
    if SPEC_KEY in read_metadata(path):
        spec = read_spec(path)
        layout = LAYOUTS.get(str(spec.options.get("layout")))
        if spec.task != "detector" or layout is None:
            raise ModelError(
                f"{path}: expected a detector in one of the layouts {sorted(LAYOUTS)}, met {spec.task}"
            )
        return spec, layout
    layout = recognise(outputs)
    if layout is None:
        raise ModelError(
            f"{path}: expected a face detector with outputs as YuNet or SCRFD with landmarks have them, "
            f"met {', '.join(outputs)}"
        )
    spec = ModelSpec(
        path.stem, "", "detector", (0, 0), colour=layout.colour, mean=layout.mean, std=layout.std, dim=0,
        byte_scale=0.0,
    )  # fmt: skip
    return dataclasses.replace(spec, sha256=weights_sha256(path)), layout
