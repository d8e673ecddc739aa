import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace.errors import InputError
from facespace.faces.align import TEMPLATE_XY, align_faces, similarity_transforms, square_crops, tight_crops


def smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    channels = [np.sin(x / 17 + k) + np.cos(y / 23 - k) for k in range(3)]
    return (127 + 60 * np.stack(channels, -1)).astype(np.uint8)


def sampled(image: np.ndarray, matrix: np.ndarray, size_px: int) -> np.ndarray:
    """Plain bilinear sampling at the crop's pixel centres."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    crop = np.zeros((size_px, size_px, 3))
    for v in range(size_px):
        for u in range(size_px):
            x, y, _ = inverse @ [u, v, 1]
            x0, y0 = int(np.floor(x)), int(np.floor(y))
            if 0 <= x0 < image.shape[1] - 1 and 0 <= y0 < image.shape[0] - 1:
                fx, fy = x - x0, y - y0
                top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
                bottom = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
                crop[v, u] = top * (1 - fy) + bottom * fy
    return crop


def test_no_faces_give_no_crops() -> None:
    assert align_faces(smooth_picture(50, 50), np.zeros((0, 5, 2), np.float32)).shape == (0, 112, 112, 3)
    assert tight_crops(smooth_picture(50, 50), np.zeros((0, 4), np.float32)).shape == (0, 112, 112, 3)


def test_a_face_on_the_template_stays_as_it_is() -> None:
    image = smooth_picture(112, 112)
    crop = align_faces(image, TEMPLATE_XY[None])[0]
    assert np.abs(crop.astype(int) - image).max() <= 1


@settings(max_examples=25, deadline=None)
@given(
    angle=st.floats(-np.pi, np.pi), scale=st.floats(0.2, 5), x=st.floats(-300, 300), y=st.floats(-300, 300)
)
def test_any_similarity_is_undone(angle: float, scale: float, x: float, y: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = TEMPLATE_XY @ turn.T + [x, y]
    matrix = similarity_transforms(moved[None], TEMPLATE_XY)[0]
    np.testing.assert_allclose(moved @ matrix[:, :2].T + matrix[:, 2], TEMPLATE_XY, atol=1e-3)


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2])
def test_pixels_are_those_of_plain_bilinear_sampling(angle: float) -> None:
    image = smooth_picture(160, 180)
    turn = 1.1 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = ((TEMPLATE_XY - 56) @ turn.T + [90, 80]).astype(np.float32)
    crop = align_faces(image, landmarks[None])[0].astype(float)
    expected = sampled(image, similarity_transforms(landmarks[None], TEMPLATE_XY)[0], 112)
    inside = (expected > 0).all(-1) & (crop > 0).all(-1)
    assert inside.mean() > 0.8
    assert np.abs(crop - expected)[inside].max() <= 2


def test_a_large_face_is_averaged_and_not_thinned() -> None:
    stripes = np.zeros((1120, 1120, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = align_faces(stripes, (TEMPLATE_XY * 10)[None])[0]
    assert abs(crop[20:-20, 20:-20].mean() - 127.5) < 2
    assert crop[20:-20, 20:-20].std() < 8


def test_beyond_the_picture_is_black() -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    far = align_faces(image, (TEMPLATE_XY + 1000)[None])[0]
    assert not far.any()
    edge = align_faces(image, TEMPLATE_XY[None])[0]
    assert edge[:58, :58].min() == 200 and not edge[64:].any()


def test_a_larger_crop_shows_the_same_part() -> None:
    image = smooth_picture(224, 224)
    landmarks = ((TEMPLATE_XY + 0.5) * 2 - 0.5)[None]
    assert np.abs(align_faces(image, landmarks, size_px=224)[0].astype(int) - image).max() <= 1


def test_the_looser_crop_has_the_face_in_its_middle() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    image[100:200, 100:200] = 255
    crop = square_crops(image, np.array([[99.5, 99.5, 199.5, 199.5]]), size_px=160, zoom_out=1.6)[0]
    bright = np.argwhere(crop[..., 0] > 127)
    assert np.abs(bright.min(0) - 30).max() <= 1
    assert np.abs(bright.max(0) - 129).max() <= 1


@pytest.mark.parametrize("box", [[-9, -9, 40, 40], [270, 180, 310, 210], [0, 0, 300, 200]])
def test_a_looser_crop_at_the_edge_stays_inside_the_picture(box: list[float]) -> None:
    image = np.full((200, 300, 3), 200, np.uint8)
    assert square_crops(image, np.array([box], np.float32), size_px=96)[0].min() == 200


def test_a_tight_crop_is_its_box() -> None:
    image = smooth_picture(200, 200)
    box = np.array([[20, 30, 132, 142]], np.float32)
    crop = tight_crops(image, box)[0].astype(int)
    assert np.abs(crop - image[30:142, 20:132]).max() <= 8
    wider = tight_crops(image, box, margin=0.25, size_hw=(168, 168))[0].astype(int)
    assert np.abs(wider[28:-28, 28:-28] - crop).max() <= 8


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.zeros((1, 4, 2)), np.full((1, 5, 2), np.nan)])
def test_landmarks_of_another_kind_are_refused(landmarks: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"\(N, 5, 2\)"):
        align_faces(smooth_picture(20, 20), landmarks)
