"""The browser's client beside Python: the same faces, the same embeddings, and 128 bytes a face on the wire."""

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browsers import camera_flags, listening, opened_browser
from facespace.embed import Embedder, dequantise, quantise
from facespace.errors import ModelError
from facespace.extract import extract_image
from facespace.faces.align import warp
from facespace.faces.detect import Detector
from facespace.faces.tiles import decoded_side_px
from facespace.gallery import Gallery
from facespace.images import decode_image
from facespace.service.app import create_app
from facespace.service.client_page import BROWSER_EMBEDDER, client_routes
from facespace.service.keys import Keys
from facespace.service.service import Service
from facespace.service.settings import Settings

# The detector's bytes round differently in a browser: boxes and landmarks move by a share of a face's side, and the
# embedding of the face that is cut out there by so much (L2; two people are 1.1 apart).
MOVED, AGREEMENT = 0.03, 0.2
FIND = """async encoded => {
  const { openFaces } = await import("./facespace.js");
  globalThis.client ??= await openFaces();
  const picture = new Blob([Uint8Array.from(atob(encoded), c => c.charCodeAt(0))]);
  const { found, width, height } = await client.find(picture);
  return { width, height, found: found.map(f => ({ ...f, embedding: [...f.embedding], bytes: [...f.bytes] })) };
}"""
PIXELS = """async ([encoded, width, height, call, given]) => {
  const made = (await import("./pixels.js"))[call]({
    data: Uint8ClampedArray.from(atob(encoded), c => c.charCodeAt(0)), width, height,
  }, ...given);
  return [made.width, made.height, [...made.data]];
}"""
FRAME = """() => {
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


@pytest.fixture(scope="module")
def served(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a service, and a key to read its gallery of facespace-s, in which Ann is who the camera shows."""
    folder = tmp_path_factory.mktemp("galleries")
    named = [(path, name) for path, name in zip(photos(data), ("Ann", "Bob", "Cy"), strict=False)]
    with Gallery(folder / "team.gallery") as gallery:
        gallery.enrol(named, Detector(), Embedder(), workers=1)
    _, key = Keys(folder).make("team", ("read",))
    with listening(create_app(Service(Settings(folder, threads=1)))) as address:
        yield address, key


@pytest.fixture(scope="module")
def page(served: tuple[str, str], data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The client's page, ready; the test fails where the console complains or anything else is asked."""
    address, key = served
    with opened_browser(*camera_flags(photos(data)[0], tmp_path_factory.mktemp("camera"))) as browser:
        context = browser.new_context(base_url=address, permissions=["camera"])
        opened = context.new_page()
        complaints: list[str] = []
        opened.on("console", lambda m: m.type == "error" and complaints.append(m.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "request", lambda r: r.url.startswith((address, "blob:", "data:")) or complaints.append(r.url)
        )
        opened.goto("/client/?gallery=team")
        opened.get_by_text("Ready.").wait_for(timeout=60_000)
        opened.get_by_label("Key").fill(key)
        yield opened
        assert complaints == []


def photos(data: Path) -> list[Path]:
    found = sorted((data / "albums" / "people").glob("*.jpg"))[:3]
    return [*found, *sorted((data / "albums" / "bigbang" / "test").rglob("faces.jpg"))]


@pytest.fixture(scope="module")
def models() -> tuple[Detector, Embedder]:
    return Detector(), Embedder(BROWSER_EMBEDDER)


def compare(
    page: Any,
    models: tuple[Detector, Embedder],
    content: bytes,
) -> int:
    """Find the faces of a picture here and there, embeddings this near each other (L2); how many there were."""
    seen = page.evaluate(FIND, base64.b64encode(content).decode())
    picture = decode_image(content, Path("x.png"), longest_side_px=decoded_side_px)
    expected = extract_image(picture, *models)
    found = seen["found"]
    assert (seen["height"], seen["width"]) == picture.size_hw
    assert len(found) == len(expected.faces)
    if found:
        side = np.sqrt(expected.faces.areas_px)[:, None]
        boxes, points = (np.array([f[name] for f in found]) for name in ("box", "landmarks"))
        assert (np.abs(boxes - expected.faces.boxes_xyxy) / side).max() < MOVED
        assert (np.abs(points - expected.faces.landmarks_xy) / side[..., None]).max() < MOVED
        rows = np.array([f["embedding"] for f in found], np.float32)
        assert np.linalg.norm(rows - expected.embeddings, axis=1).max() < AGREEMENT
        # A component that lies between two bytes may fall on either side.
        as_bytes = quantise(rows, models[1].spec.byte_scale).astype(int)
        assert np.abs(np.array([f["bytes"] for f in found]) - as_bytes).max() <= 1
    return len(found)


@pytest.mark.parametrize(
    ("size", "call", "given"),
    [
        ((70, 50), "resize", (64, 46)),
        ((199, 133), "resize", (64, 43)),
        ((400, 301), "resize", (128, 96)),
        ((130, 3), "resize", (64, 1)),
        ((64, 49), "reduce", (4,)),
        ((100, 77), "reduce", (7,)),
        ((90, 80), "warp", (0.9,)),
        ((90, 80), "warp", (0.2,)),
    ],
)
def test_pixels_are_pillow_s(page: Any, rng: Any, size: tuple[int, int], call: str, given: Any) -> None:
    pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(pixels)
    if call == "resize":
        expected = np.asarray(image.resize(given, Image.Resampling.BILINEAR, reducing_gap=2.0))
    elif call == "reduce":
        expected = np.asarray(image.reduce(*given))
    else:
        turn = given[0] * np.array([[0.8, -0.6, 40.0], [0.6, 0.8, -9.0]])
        given, expected = (turn.tolist(), 33, 21), warp(pixels, turn[None], (21, 33))[0]
    encoded = base64.b64encode(image.convert("RGBA").tobytes()).decode()
    width, height, data = page.evaluate(PIXELS, [encoded, *size, call, list(given)])
    assert np.array_equal(np.array(data).reshape(height, width, 4)[..., :3], expected)


def png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_faces_of_photos_are_those_that_python_finds(page: Any, models: Any, data: Path) -> None:
    assert [compare(page, models, photo.read_bytes()) for photo in photos(data)] == [
        1,
        2,
        1,
        6,
    ]  # one is a watermark's star


@pytest.mark.parametrize(
    "case",
    ["empty", "tiny", "enlarged", "large JPEG", "see-through", "turned", "face that fills the picture"],
)
def test_pictures_of_other_shapes(case: str, page: Any, models: Any, data: Path) -> None:
    photo = Image.open(photos(data)[2]).convert("RGB")
    if case == "empty":
        assert compare(page, models, png(Image.new("RGB", (200, 90), "teal"))) == 0
    elif case == "tiny":
        assert compare(page, models, png(Image.new("RGB", (1, 3)))) == 0
    elif (
        case == "enlarged"
    ):  # above the size at which faces are cut out, and no JPEG, which Python decodes reduced
        large = photo.resize((photo.width * 5, photo.height * 5))
        assert compare(page, models, png(large)) >= 1
    elif case == "large JPEG":  # which Python decodes at half its size
        file = BytesIO()
        photo.resize((photo.width * 6, photo.height * 6)).save(file, "JPEG", quality=92)
        assert compare(page, models, file.getvalue()) >= 1
    elif case == "see-through":
        photo.putalpha(Image.linear_gradient("L").resize(photo.size).point(lambda v: 255 if v < 230 else 0))
        assert compare(page, models, png(photo)) == 1
    elif case == "turned":
        exif, file = Image.Exif(), BytesIO()
        exif[0x0112] = 6
        photo.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=95, exif=exif)
        assert compare(page, models, file.getvalue()) == 1
    else:
        face = extract_image(np.asarray(photo), *models).faces.boxes_xyxy[0]
        assert compare(page, models, png(photo.crop(tuple(face)).resize((640, 640)))) >= 1


def test_a_camera_is_followed_and_asks_who_it_is(page: Any, models: Any) -> None:
    with page.expect_request("**/identify", timeout=60_000) as asked:
        page.get_by_role("button", name="Start camera").click()
    page.locator("#faces b", has_text="Ann").wait_for(timeout=60_000)
    assert "1 in 100 unknown people" in page.locator("#worth").inner_text()
    assert "ms to find the faces" in page.locator("#speed").inner_text()
    frame = base64.b64decode(page.evaluate(FRAME))
    page.get_by_role("button", name="Stop camera").click()
    assert compare(page, models, frame) == 1
    body = asked.value.post_data
    sent = json.loads(body)
    assert set(sent) == {"model", "embeddings"} and len(body) < 300
    template = np.frombuffer(base64.b64decode(sent["embeddings"][0]), np.int8)
    expected = extract_image(decode_image(frame, Path("x.png")), *models).embeddings
    assert sent["model"] == models[1].spec.sha256 and template.shape == (128,)
    assert np.linalg.norm(dequantise(template[None]) - expected) < AGREEMENT


def test_a_photo_is_chosen_and_named(page: Any, data: Path) -> None:
    page.set_input_files("#choose input", photos(data)[3])
    page.locator("#faces b", has_text="unknown").nth(5).wait_for(timeout=60_000)
    assert page.locator("#status").inner_text() == "6 faces"
    page.set_input_files(
        "#choose input", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    )
    page.get_by_text("cannot read the picture").wait_for()
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_says_what_is_missing(page: Any) -> None:
    other = page.context.browser.new_page()
    other.route("**/runtime/*", lambda route: route.fulfill(status=404))
    other.goto(page.url)
    other.get_by_text("run `make client`").wait_for()
    assert other.locator("#camera").is_disabled()


def test_models_are_named_by_their_weights() -> None:
    with pytest.raises(ModelError, match="nothing-here"):
        client_routes(embedder="nothing-here")
