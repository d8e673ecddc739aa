"""Pictures of the data folder as small inline images, for the one page that shows them."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from facespace.errors import ImageError
from facespace.faces.align import square_crops
from facespace.images import read_image
from facespace.measure.result import Picture

__all__ = ["inline_picture"]

SIDE_PX, ZOOM_OUT, QUALITY = 112, 1.5, 80


def inline_picture(picture: Picture, data: Path) -> str | None:
    """A data URI of the face, or of the whole picture where no box is given; None where the file is gone."""
    try:
        pixels = read_image(data / picture.path).pixels
    except ImageError:
        return None
    if picture.box_xyxy is not None:
        boxes = np.array([picture.box_xyxy], np.float32)
        pixels = square_crops(pixels, boxes, size_px=SIDE_PX, zoom_out=ZOOM_OUT)[0]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
