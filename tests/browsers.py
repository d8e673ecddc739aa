"""A headless browser for tests of the client, with a camera that shows a photo."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.types import ASGIApp

from facespace.service import client_page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
RUNTIME = client_page.HERE / "runtime" / "ort.wasm.bundle.min.mjs"


@contextmanager
def opened_browser(*flags: str) -> Iterator[Any]:
    """Chromium; the test is skipped where there is none, or no playwright, or nothing for the client to run on."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install 'facespace[dev]'"
    )
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    if not RUNTIME.is_file():
        pytest.skip("no onnxruntime-web: run `make client`")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield browser
        browser.close()


def camera_flags(photo: Path, folder: Path) -> tuple[str, ...]:
    """What makes Chromium's camera show ``photo``, in a file of ``folder``: one frame of YUV 4:2:0, over and over."""
    image = Image.open(photo).convert("RGB")
    image = image.crop((0, 0, image.width // 2 * 2, image.height // 2 * 2))
    rows = np.asarray(image.convert("YCbCr"))
    halves = [np.asarray(plane.reduce(2)) for plane in image.convert("YCbCr").split()[1:]]
    # A camera's values lie between 16 and 235 (240 for colours).
    y = np.rint(rows[..., 0] * (219 / 255) + 16).astype(np.uint8)
    u, v = (np.rint((half - 128.0) * (224 / 255) + 128).astype(np.uint8) for half in halves)
    film = folder / "camera.y4m"
    head = f"YUV4MPEG2 W{image.width} H{image.height} F10:1 Ip A1:1 C420jpeg\n".encode()
    film.write_bytes(head + (b"FRAME\n" + y.tobytes() + u.tobytes() + v.tobytes()) * 2)
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """The address of a running server."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
