from pathlib import Path

import pytest
from PIL import Image

from drawn_context import NAMES, draw_lfw, drawn_context
from facespace.embed import Embedder
from facespace.errors import DataError, InputError
from facespace.measure.context import Context, Setup
from facespace.measure.experiments import alignment, bytes, table4
from facespace.measure.result import Plot, Table
from fakes import COLOURS


def draw_crops(root: Path) -> Path:
    for part in ("val", "train"):
        for name in NAMES:
            for i in range(2):
                path = root / "faces" / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (112, 112), COLOURS[name]).save(path)
    return root


def test_the_pictures_as_they_are_come_first_and_upsampled_ones_are_marked(tmp_path: Path) -> None:
    result = table4.run(drawn_context(draw_crops(tmp_path)), quality=(10,), side=(40, 256), on="val")
    assert [point["setting"] for point in result.figures["jpeg"]] == ["as they are", "quality 10"]
    by_size = result.blocks[2]
    assert isinstance(by_size, Table)
    assert [(row[0], row[-1]) for row in by_size.rows] == [
        ("as they are", "112"), ("40 px", "40"), ("256 px", "256, upsampled"),
    ]  # fmt: skip
    assert any("the files are no JPEGs" in text for text in result.differs)
    assert isinstance(result.blocks[3], Plot) and len(result.blocks[3].series) == 2


def test_on_lfw_the_face_is_a_part_of_the_picture(tmp_path: Path) -> None:
    draw_lfw(tmp_path / "lfw")
    result = table4.run(drawn_context(tmp_path), quality=(90,), side=(125, 256), on="lfw")
    assert any("JPEGs of quality 95 already" in text for text in result.differs)
    assert [point["scores"]["LFW"]["accuracy"] for point in result.figures["jpeg"]] == [1.0, 1.0]
    assert [row[-1] for row in result.blocks[2].rows[1:]] == ["30", "61, upsampled"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": (96,), "side": ()}, "1 to 95, got 96"),
        ({"quality": (), "side": (4,)}, "8 px or more"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=message):
        table4.run(drawn_context(draw_crops(tmp_path)), **options)


def test_four_ways_to_crop_a_face(tmp_path: Path) -> None:
    draw_lfw(tmp_path / "lfw")
    result = alignment.run(drawn_context(tmp_path))
    assert len(result.blocks[0].rows) == 4 and "100.0 ± 0.0 % aligned" in result.headline
    with pytest.raises(DataError, match="pairs"):
        alignment.run(drawn_context(draw_crops(tmp_path / "other")))


def test_stored_forms_with_their_bytes(tmp_path: Path) -> None:
    context = drawn_context(draw_crops(tmp_path))
    result = bytes.run(context, on="val")
    (table,) = result.blocks
    assert [row[1] for row in table.rows] == [512, 128, 64, 64, 32, 32]
    assert [column.name for column in table.columns][2:] == ["faces/val: VAL at FAR 1e-3", "against floats"]
    assert result.figures["byte_form"]["tar_bytes"] is None, "28 pairs support no FAR of 1e-3"


def test_compression_and_bytes_on_real_faces(data: Path, tmp_path: Path) -> None:
    """A few real people: quality 5 and 12 px lose much, quality 90 and bytes little."""
    for part in ("val", "train"):
        (tmp_path / "faces" / part).mkdir(parents=True)
        for folder in sorted((data / "faces" / "val").iterdir())[:8]:
            (tmp_path / "faces" / part / folder.name).symlink_to(folder)
    context = Context(Setup(tmp_path))
    vars(context)["embedder"] = Embedder()
    figures = table4.run(context, quality=(5, 90), side=(12, 112), on="val").figures
    best, worst, high = (point["scores"]["faces/val"]["tar"] for point in figures["jpeg"])
    assert worst < 0.8 * best and abs(high - best) < 0.06
    sizes = [point["scores"]["faces/val"]["tar"] for point in figures["size"]]
    assert sizes[1] < 0.8 * best and sizes[2] == best
    cost = bytes.run(context, on="val").figures["byte_form"]
    assert abs(cost["tar_bytes"] - cost["tar_floats"]) < 0.01 and cost["clipped"] < 0.01
    change = cost["tar_bytes"] - cost["tar_floats"]
    assert cost["change"]["low"] - 0.005 <= change <= cost["change"]["high"] + 0.005  # of so few people
