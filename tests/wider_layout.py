"""Labels and pictures as the labels of WIDER FACE are laid out."""

import json
from pathlib import Path

from PIL import Image


def laid_out(folder: Path) -> Path:
    """Two events of WIDER FACE, one of them held out; one face each, and one that is marked invalid."""
    lines = []
    for event in ("0--Parade", "13--Interview"):
        (folder / event).mkdir(parents=True)
        Image.new("RGB", (120, 90), (90, 120, 60)).save(folder / event / "a.jpg")
        faces = [
            {"box_xyxy": [20.0, 20.0, 60.0, 60.0], "invalid": 0, "occlusion": 2, "blur": 0},
            {"box_xyxy": [70.0, 20.0, 80.0, 30.0], "invalid": 1, "occlusion": 0, "blur": 2},
        ]
        lines.append(json.dumps({"photo": f"{event}/a.jpg", "width": 120, "height": 90, "faces": faces}))
    (folder / "labels.jsonl").write_text("\n".join(lines), "utf-8")
    return folder
