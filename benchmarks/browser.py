"""The browser's client beside Python: milliseconds, and how far boxes and embeddings are apart, on a folder of photos.

    make client
    PYTHONPATH=tests python benchmarks/browser.py ../shared/data/albums/people --photos 40

Both look at each photo in turn in the same run, the browser with one thread and with as many as it takes by itself.
Times are medians, of the second look at a photo; distances are the largest ones and the median of a face's largest.
"""

import argparse
import base64
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette

from browsers import listening, opened_browser
from facespace.embed import Embedder
from facespace.faces.align import crop_faces
from facespace.faces.detect import Detector
from facespace.faces.tiles import decoded_side_px
from facespace.images import list_photos, read_image
from facespace.service.client_page import BROWSER_EMBEDDER, client_routes

LOOK = """async ([encoded, threads]) => {
  const { openFaces } = await import("./facespace.js");
  globalThis.client ??= await openFaces(threads ? { threads } : {});
  const picture = new Blob([Uint8Array.from(atob(encoded), c => c.charCodeAt(0))]);
  await client.find(picture);
  const { found, ms } = await client.find(picture);
  return { ms, box: found.map(f => f.box), embedding: found.map(f => [...f.embedding]) };
}"""


def in_python(photo: Path, detector: Detector, embedder: Embedder) -> dict[str, Any]:
    picture = read_image(photo, longest_side_px=decoded_side_px)
    detector.detect(picture.pixels)
    t0 = time.perf_counter()
    found = detector.detect(picture.pixels, whole_hw=picture.size_hw)
    t1 = time.perf_counter()
    rows = embedder.embed(crop_faces(picture.pixels, found.boxes_xyxy, found.landmarks_xy, embedder.spec))
    ms = {"detect": 1e3 * (t1 - t0), "embed": 1e3 * (time.perf_counter() - t1)}
    return {"ms": ms, "box": found.scaled(1 / picture.scale).boxes_xyxy, "embedding": rows}


def apart(here: list[dict[str, Any]], there: list[dict[str, Any]], what: str) -> dict[str, float]:
    pairs = [
        (np.array(a[what]), np.array(b[what])) for a, b in zip(here, there, strict=True) if len(a["box"])
    ]
    each = np.concatenate([np.abs(a - b).max(1) for a, b in pairs if a.shape == b.shape])
    return {"largest": float(each.max()), "median": float(np.median(each))}


def times(looks: list[dict[str, Any]]) -> dict[str, float]:
    with_faces = [look for look in looks if len(look["box"])]
    return {
        "detect_ms": statistics.median(look["ms"]["detect"] for look in looks),
        "embed_ms_per_face": statistics.median(look["ms"]["embed"] / len(look["box"]) for look in with_faces),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    options = parser.parse_args()
    photos = list_photos(options.folder).photos[: options.photos]
    detector, embedder = Detector(), Embedder(BROWSER_EMBEDDER)
    looks: dict[str, list[dict[str, Any]]] = {"python": [], "one thread": [], "threads": []}
    with listening(Starlette(routes=[client_routes()])) as address, opened_browser() as browser:
        pages = {"one thread": (browser.new_page(), 1), "threads": (browser.new_page(), 0)}
        for page, _ in pages.values():
            page.goto(f"{address}/client/")
        for photo in photos:
            looks["python"].append(in_python(photo, detector, embedder))
            encoded = base64.b64encode(photo.read_bytes()).decode()
            for name, (page, threads) in pages.items():
                looks[name].append(page.evaluate(LOOK, [encoded, threads]))
    same = [len(a["box"]) == len(b["box"]) for a, b in zip(looks["python"], looks["threads"], strict=True)]
    report = {
        "photos": len(photos), "faces": sum(len(look["box"]) for look in looks["python"]),
        "photos_with_as_many_faces": sum(same),
        "apart": {what: apart(looks["threads"], looks["python"], what) for what in ("box", "embedding")},
        **{name: times(found) for name, found in looks.items()},
    }  # fmt: skip
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
