"""The detector's training pictures as folders of a bounded size, for a machine that holds no data.

    python -m lab.detector.pack LABELS FOLDER

LABELS holds what `lab.detector.recipe label` wrote; FOLDER receives 0, 1 and so on, each with pictures as WebP and the
labels of these.
"""

import io
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from facespace.images import read_image
from lab.detector.labels import Labels, read_labels, write_labels
from lab.detector.peers import KINDS

QUALITY = 65
LONGEST_PX = 896  # of a picture; WIDER FACE's have 1,024
PART_BYTES = 54_000_000
# Of these, one in so many goes along.
EVERY = {"thumbnails": 3}


def write_pack(
    pictures: Mapping[str, Mapping[Path, Labels]], folder: Path, *, part_bytes: int = PART_BYTES
) -> int:
    """Write pictures by kind; returns the number of parts, none much larger than ``part_bytes``."""
    part, size, of_part = 0, 0, {kind: dict[Path, Labels]() for kind in pictures}
    for kind, name, blob, labels in _encoded(pictures):
        if size > part_bytes:
            _write_part(folder / str(part), of_part)
            part, size, of_part = part + 1, 0, {kind: {} for kind in pictures}
        path = folder / str(part) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob)
        of_part[kind][Path(name)] = labels
        size += len(blob)
    _write_part(folder / str(part), of_part)
    return part + 1


def read_pack(folder: Path) -> dict[str, dict[Path, Labels]]:
    """The pictures of each kind that `write_pack` wrote, or that were labelled into ``folder``, with their labels."""
    found: dict[str, dict[Path, Labels]] = {kind: {} for kind in KINDS}
    for path in sorted(folder.rglob("*.json")):
        found[path.stem] |= {path.parent / name: labels for name, labels in read_labels(path).items()}
    return found


def _write_part(folder: Path, of_part: Mapping[str, Mapping[Path, Labels]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, labels in of_part.items():
        write_labels(folder / f"{kind}.json", labels)


def _encoded(
    pictures: Mapping[str, Mapping[Path, Labels]],
) -> Iterator[tuple[str, str, bytes, Labels]]:
    """Of each picture its kind, a name that keeps its folder's, its file and its labels."""
    for kind, of_kind in pictures.items():
        chosen = list(of_kind.items())[:: EVERY.get(kind, 1)]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for (path, _), (blob, labels) in zip(chosen, threads.map(_smaller, chosen), strict=True):
                yield kind, f"{kind}/{path.parent.name}/{path.stem}.webp", blob, labels


def _smaller(picture: tuple[Path, Labels]) -> tuple[bytes, Labels]:
    path, labels = picture
    image = Image.fromarray(read_image(path).pixels)
    scale = min(1.0, LONGEST_PX / max(image.size))
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    # Positions are those of pixel centres; a box's corners move likewise.
    boxes, points = ((at + 0.5) * scale - 0.5 for at in (labels.boxes_xyxy, labels.landmarks_xy))
    return file.getvalue(), Labels(boxes.astype(np.float32), points.astype(np.float32), labels.is_face)


def main() -> None:
    """Pack all that a run has labelled."""
    labels, folder = Path(sys.argv[1]), Path(sys.argv[2])
    print(write_pack({kind: read_labels(labels / f"{kind}.json") for kind in KINDS}, folder), "parts")


if __name__ == "__main__":
    main()
