"""What cameras, light and files do to a picture, and drawn textures that hold no face."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789&@%#()*+-=:;.!?oO08"


def disturb(
    image: Image.Image, boxes_xyxy: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change light and colour, cover parts of faces, blur, coarsen, compress; returns (H, W, 3)."""
    if rng.random() < 0.15:
        _cover(image, boxes_xyxy, rng)
    if rng.random() < 0.12:
        image = image.convert("L").convert("RGB")
    image = image.point(_light(rng))
    if rng.random() < 0.10:
        image = image.filter(ImageFilter.BoxBlur(float(rng.uniform(0.5, 1.6))))
    if rng.random() < 0.08:
        small = tuple(int(side * rng.uniform(0.5, 0.9)) for side in image.size)
        image = image.resize((small[0], small[0]), Image.Resampling.BILINEAR).resize(image.size)
    pixels = np.asarray(image)
    if rng.random() < 0.15:
        noise = rng.integers(-128, 128, (*pixels.shape[:2], 1), dtype=np.int16)
        strength = rng.uniform(0.03, 0.2)
        pixels = np.clip(pixels + (noise * strength).astype(np.int16), 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        pixels = _compressed(pixels, int(rng.integers(25, 85)))
    return pixels


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _light(rng: np.random.Generator) -> list[int]:
    """A table for Image.point: gamma (dark pictures and dark skin too), contrast, brightness, colour cast."""
    ramp = np.linspace(0, 1, 256)
    gamma = np.exp(rng.normal(0, 0.3))
    contrast, brightness = rng.uniform(0.65, 1.25), rng.normal(0, 0.07)
    if rng.random() < 0.08:
        gamma, contrast = rng.uniform(1.5, 2.6), rng.uniform(0.3, 0.8)
    cast = np.exp(rng.normal(0, 0.08, 3))
    grey = 0.5 if gamma < 1.5 else 0.15
    table = (ramp**gamma - 0.5) * contrast + grey + brightness
    table = np.clip(table[None] * cast[:, None], 0, 1) * 255
    return table.astype(int).flatten().tolist()


def _cover(image: Image.Image, boxes_xyxy: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Bars and blobs over parts of some faces: hands, microphones, glasses, masks."""
    draw = ImageDraw.Draw(image)
    for x0, y0, x1, y1 in boxes_xyxy:
        if rng.random() < 0.5:
            continue
        w, h = (x1 - x0) * rng.uniform(0.15, 0.5), (y1 - y0) * rng.uniform(0.1, 0.4)
        x, y = rng.uniform(x0, x1 - w), rng.uniform(y0, y1 - h)
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        shape = draw.rectangle if rng.random() < 0.5 else draw.ellipse
        shape((x, y, x + w, y + h), fill=colour)


def texture(size_wh: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Noise at some scale, stripes, lines of text, or drawn ellipses, boxes and lines in any colour."""
    kind = rng.integers(6)
    if kind == 0:
        coarse = rng.integers(0, 256, (int(rng.integers(2, 40)), int(rng.integers(2, 40)), 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size_wh, Image.Resampling.BICUBIC)
    if kind == 1:
        angle, period = rng.uniform(0, np.pi), rng.uniform(3, 60)
        ys, xs = np.mgrid[0 : size_wh[1], 0 : size_wh[0]]
        wave = np.sin((xs * np.cos(angle) + ys * np.sin(angle)) * 2 * np.pi / period)[..., None]
        ends = rng.uniform(0, 255, (2, 3))
        return Image.fromarray((ends[0] + (ends[1] - ends[0]) * (wave + 1) / 2).astype(np.uint8))
    image = Image.new("RGB", size_wh, tuple(int(v) for v in rng.integers(0, 256, 3)))
    (_scribble if kind < 4 else _letter)(ImageDraw.Draw(image), size_wh, rng)
    return image.filter(ImageFilter.BoxBlur(float(rng.uniform(0, 2)))) if kind % 2 == 0 else image


def _scribble(draw: ImageDraw.ImageDraw, size_wh: tuple[int, int], rng: np.random.Generator) -> None:
    skin = np.array([200, 150, 120])
    for _ in range(int(rng.integers(3, 25))):
        near_skin = skin * rng.uniform(0.3, 1.2) + rng.normal(0, 15, 3)
        colour = near_skin if rng.random() < 0.5 else rng.integers(0, 256, 3)
        fill = tuple(int(v) for v in np.clip(colour, 0, 255))
        x, y = rng.uniform(0, size_wh[0]), rng.uniform(0, size_wh[1])
        w, h = np.exp(rng.uniform(np.log(3), np.log(120), 2))
        shape = (draw.ellipse, draw.rectangle, draw.line)[rng.integers(3)]
        shape((x, y, x + w, y + h), fill=fill)


def _letter(draw: ImageDraw.ImageDraw, size_wh: tuple[int, int], rng: np.random.Generator) -> None:
    """Lines of letters, digits and signs: logos and captions are the likeliest false faces of a small net."""
    for _ in range(int(rng.integers(2, 10))):
        text = "".join(LETTERS[i] for i in rng.integers(0, len(LETTERS), int(rng.integers(1, 16))))
        font = ImageFont.load_default(float(np.exp(rng.uniform(np.log(8), np.log(70)))))
        fill = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw.text((rng.uniform(-20, size_wh[0]), rng.uniform(-10, size_wh[1])), text, fill=fill, font=font)
