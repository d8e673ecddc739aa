"""Training pictures for the detector, drawn without end: crowds, photos, mosaics, collages, and pictures of no face.

Faces from a few pixels to the whole frame, none to dozens in a picture, on grounds whose edges alone mean nothing.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import IterableDataset, get_worker_info

from facespace.faces.detect import DEFAULT_INPUT_PX
from facespace.measure.detection_data import faceless_regions
from lab.detector.canvas import Canvas, Region
from lab.detector.labels import Labels, Pool
from lab.detector.photometric import disturb, texture

# How much of all pictures each kind is.
SHARES = {"crowd": 0.63, "photo": 0.12, "mosaic": 0.08, "collage": 0.05, "faceless": 0.12}
FAR_SHARE, FAR = 0.35, (0.04, 0.16)  # of the photos, and a face's part of the side there: as heads in a group
MAX_FACES = 96

Sample = tuple[NDArray[np.uint8], Labels]


@dataclass
class Pictures(IterableDataset[Sample]):
    """Training pictures (H, W, 3) with their labels, for ever.

    Attributes:
        pools: pictures to cut from: "crowds", "photos", "thumbnails" and "faceless".
        rng: source of all chance.
        px: rows and columns of a picture.
        shares: of each kind.
    """

    pools: Mapping[str, Pool]
    rng: np.random.Generator
    px: int = 320
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)

    def __iter__(self) -> Iterator[Sample]:
        if (worker := get_worker_info()) is not None:  # each process its own
            self.rng = self.rng.spawn(worker.num_workers)[worker.id]
        while True:
            canvas = getattr(self, self.rng.choice(list(self.shares), p=list(self.shares.values())))()
            labels = canvas.labels
            if len(labels) <= MAX_FACES:  # a label left out would be trained as ground
                yield disturb(canvas.image, labels.boxes_xyxy[labels.is_face], self.rng), labels

    def crowd(self) -> Canvas:
        """One of WIDER FACE's photos: half as the detector meets it at its input's size, half by one face's size."""
        source = self.pools["crowds"].draw(self.rng)
        canvas = self._blank() if self._chance(0.7) else self._grounded()
        if self._chance(0.5):
            scale = DEFAULT_INPUT_PX / max(source.image.size) * float(np.exp(self.rng.uniform(-0.7, 0.5)))
            canvas.show(source, scale)
        else:
            canvas.place(
                source, self._whole, self._part(*((0.02, 0.12) if self._chance(0.4) else (0.06, 1.1)))
            )
        return canvas

    def photo(self) -> Canvas:
        """One photo over the whole canvas, near or far."""
        limits = FAR if self._chance(FAR_SHARE) else (0.1, 0.95) if self._chance(0.3) else (0.2, 0.6)
        canvas = self._grounded()
        canvas.place(self.pools["photos"].draw(self.rng), self._whole, self._part(*limits))
        return canvas

    def mosaic(self) -> Canvas:
        """Tiles of unequal size, most with a face; one tile in five without, so that edges alone mean nothing."""
        canvas = self._blank()
        for region in self._tiles((1, 5), (2, 5)):
            if (alone := self._chance(0.2)) or self._chance(0.5):
                self._cover(canvas, region)
            if not alone:
                is_photo = self._chance(0.75)
                side = min(region[2] - region[0], region[3] - region[1])
                low, high = max(12.0, 0.12 * side), side * (0.9 if is_photo else 0.8)
                size = self._between(low, max(high, low + 1))
                source = self.pools["photos" if is_photo else "thumbnails"].draw(self.rng)
                canvas.place(source, region, size if is_photo else max(size, 0.45 * side))
        return canvas

    def collage(self) -> Canvas:
        """Faces cut out with soft edges on a faceless ground, or on a photo away from its faces."""
        canvas = self._grounded()
        if self._chance(0.5):
            canvas.place(self.pools["photos"].draw(self.rng), self._whole, float(self.rng.uniform(16, 120)))
        for _ in range(int(self.rng.integers(1, 14))):
            canvas.paste_soft(self.pools["thumbnails"].draw(self.rng), self._between(12, 90))
        return canvas

    def faceless(self) -> Canvas:
        """A picture without a face, or tiles of grounds."""
        canvas = self._blank()
        if self._chance(0.6):
            source = self.pools["faceless"].draw(self.rng)
            canvas.show(source, self.px / max(source.image.size) * float(np.exp(self.rng.uniform(-0.3, 1.2))))
        else:
            for region in self._tiles((1, 7), (1, 7)):
                self._cover(canvas, region)
        return canvas

    @property
    def _whole(self) -> Region:
        return 0, 0, self.px, self.px

    def _blank(self) -> Canvas:
        return Canvas(Image.new("RGB", (self.px, self.px)), self.rng)

    def _grounded(self) -> Canvas:
        return Canvas(self._ground((self.px, self.px)), self.rng)

    def _cover(self, canvas: Canvas, region: Region) -> None:
        left, top, right, bottom = region
        canvas.image.paste(self._ground((right - left, bottom - top)), (left, top))

    def _ground(self, size_wh: tuple[int, int]) -> Image.Image:
        """A picture without a face: a piece of one, of a photo beside its faces, or a drawn texture."""
        if self._chance(0.4):
            return self._piece(self.pools["faceless"].draw(self.rng).image, size_wh)
        if not self._chance(0.25):
            source = self.pools["photos"].draw(self.rng)
            if regions := faceless_regions(source.labels.boxes_xyxy, source.image.size[::-1]):
                return self._piece(source.image.crop(regions[self.rng.integers(len(regions))]), size_wh)
        return texture(size_wh, self.rng)

    def _piece(self, image: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
        """A random part of a picture, perhaps mirrored."""
        size = self.rng.uniform(0.4, 1.0, 2) * image.size
        left, top = self.rng.uniform(0, np.array(image.size) - size)
        box = (left, top, left + size[0], top + size[1])
        piece = image.resize(size_wh, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
        return piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self._chance(0.5) else piece

    def _tiles(self, columns: tuple[int, int], rows: tuple[int, int]) -> Iterator[Region]:
        """The canvas in unequal columns, each in unequal rows; their numbers are drawn."""
        for left, right in self._cuts(int(self.rng.integers(*columns))):
            for top, bottom in self._cuts(int(self.rng.integers(*rows))):
                yield left, top, right, bottom

    def _cuts(self, n: int) -> list[tuple[int, int]]:
        """Divide the side in ``n`` unequal parts."""
        weights = self.rng.uniform(0.6, 1.4, n)
        ends = [0, *np.round(np.cumsum(weights) / weights.sum() * self.px).astype(int).tolist()]
        return list(itertools.pairwise(ends))

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def _part(self, low: float, high: float) -> float:
        """A size between two parts of the side, in pixels."""
        return self._between(low * self.px, high * self.px)

    def _between(self, low: float, high: float) -> float:
        """A size; its logarithm is uniform."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))
