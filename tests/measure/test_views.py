import numpy as np
import pytest

from facespace.errors import InputError
from facespace.faces.align import TEMPLATE_XY, align_faces
from facespace.measure.views import (
    AS_IT_IS,
    BOX_CENTRE_XY,
    BOX_SIDE_PX,
    FacePlace,
    Resize,
    View,
    crop_face,
    crop_span_px,
)
from fakes import SPEC


def placed_face(shift: float = 30.0, scale: float = 1.5) -> FacePlace:
    """A face whose landmarks and box are the template's, scaled and shifted."""
    half = BOX_SIDE_PX / 2
    box = np.array(
        [BOX_CENTRE_XY[0] - half, BOX_CENTRE_XY[1] - half, BOX_CENTRE_XY[0] + half, BOX_CENTRE_XY[1] + half]
    )
    landmarks = np.asarray((TEMPLATE_XY + 0.5) * scale - 0.5 + shift, np.float32)
    box = np.asarray((box + 0.5) * scale - 0.5 + shift, np.float32)
    return FacePlace(box, landmarks, crop_span_px(landmarks), found=True)


def smooth_picture() -> np.ndarray:
    y, x = np.mgrid[:240, :240].astype(float)
    return np.stack([x, y, (x + y) / 2], 2).astype(np.uint8)


def test_a_crop_as_it_is_is_the_aligned_face() -> None:
    image, place = smooth_picture(), placed_face()
    assert np.array_equal(
        crop_face(image, place, AS_IT_IS, SPEC), align_faces(image, place.landmarks_xy[None])[0]
    )


def test_box_and_landmarks_lead_to_the_same_crop_of_an_upright_face() -> None:
    image, place = smooth_picture(), placed_face()
    crops = [
        crop_face(image, place, View(placement=name), SPEC).astype(int) for name in ("similarity", "box")
    ]
    assert np.abs(crops[0] - crops[1]).max() <= 2


def test_a_resized_picture_gives_the_same_crop_where_nothing_is_lost() -> None:
    image, place = smooth_picture(), placed_face()
    whole, small = (crop_face(image, place, View(change), SPEC).astype(int) for change in (None, Resize(120)))
    assert np.abs(whole - small)[8:-8, 8:-8].max() <= 3


def test_a_ready_crop_is_only_resized() -> None:
    image = smooth_picture()
    assert crop_face(image, None, AS_IT_IS, SPEC).shape == (112, 112, 3)
    assert np.array_equal(crop_face(image[:112, :112], None, AS_IT_IS, SPEC), image[:112, :112])


def test_the_span_of_a_crop_in_the_picture() -> None:
    place = placed_face(scale=1.5)
    assert place.span_px == pytest.approx(168.0, rel=1e-4)
    kept = FacePlace.from_array(place.to_array())
    assert kept.span_px == np.float32(place.span_px) and kept.found
    assert np.array_equal(kept.landmarks_xy, place.landmarks_xy)


def test_a_misspelt_placement_is_refused() -> None:
    with pytest.raises(InputError, match="similarity"):
        View(placement="aligned")
