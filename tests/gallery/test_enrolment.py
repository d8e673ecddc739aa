import csv
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import DataError, GalleryError, InputError
from facespace.gallery import Gallery, named_by_folder, named_by_labels
from facespace.gallery.schema import GALLERY_FILE
from facespace.gallery.uses import model_in_use, use_model
from facespace.images import Unreadable
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from gallery.acting import NewerEmbedder
from stored import V1, V2, database_of, faces


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    draw_photo(folder / "ann" / "1.png", "red")
    draw_photo(folder / "ann" / "trip" / "2.png", "red", "blue")
    draw_photo(folder / "bob" / "3.png", "green")
    draw_photo(folder / "bob" / "none.png")
    draw_photo(folder / "loose.png", "blue")
    (folder / "bob" / "bad.png").write_bytes(b"x")
    return folder


def test_nothing_to_enrol_makes_an_empty_gallery(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        assert gallery.enrol([], DrawnDetector(), DrawnEmbedder()).n_new == 0
        seen = gallery.overview()
    assert (seen.subjects, seen.n_faces, seen.model) == ((), 0, SPEC.label)


def test_the_largest_face_of_each_photo_is_enrolled_once(tmp_path: Path, photos: Path) -> None:
    named, loose = named_by_folder([photos])
    assert loose == [photos / "loose.png"] and {name for _, name in named} == {"ann", "bob"}
    detector, seen = DrawnDetector(), []
    with Gallery(tmp_path / "g") as gallery:
        first = gallery.enrol(named, detector, DrawnEmbedder(), on_photo=lambda *now: seen.append(now))
        assert (first.n_photos, first.n_new, first.n_known) == (5, 3, 0)
        assert first.several == (photos / "ann" / "trip" / "2.png",)
        assert {u.photo.name: u.reason for u in first.refused} == {
            "none.png": "no face found; try a larger or sharper picture",
            "bad.png": "not a picture, whatever its name says",
        }
        assert seen[-1] == (5, 5)
        assert [(s.name, s.n_faces) for s in gallery.subjects()] == [("ann", 2), ("bob", 1)]
        (bob,) = gallery.faces_of("bob")
        assert Path(bob.photo) == (photos / "bob" / "3.png").absolute() and bob.box_xyxy == (20, 20, 80, 80)
        detector.calls = 0
        again = gallery.enrol(named, detector, DrawnEmbedder())
        # Only the photo without a face is looked at again.
        assert (again.n_new, again.n_known, detector.calls) == (0, 3, 1)


def test_a_picture_is_one_subjects_and_poor_faces_are_refused(tmp_path: Path, photos: Path) -> None:
    photo = photos / "ann" / "1.png"
    with Gallery(tmp_path / "g") as gallery:
        gallery.enrol([(photo, "ann")], DrawnDetector(), DrawnEmbedder())
        (refused,) = gallery.enrol([(photo, "bob")], DrawnDetector(), DrawnEmbedder()).refused
        assert refused.reason.startswith("the same picture is enrolled for ann")
        poor = gallery.enrol(
            [(photos / "bob" / "3.png", "bob")], DrawnDetector(), DrawnEmbedder(), min_quality=1.0
        )
        assert "below 1" in poor.refused[0].reason
        with pytest.raises(InputError, match="name"):
            gallery.enrol([(photo, " ")], DrawnDetector(), DrawnEmbedder())
        with pytest.raises(GalleryError, match="gallery upgrade"):
            gallery.enrol([(photo, "ann")], DrawnDetector(), NewerEmbedder())
        assert [(s.name, s.n_faces) for s in gallery.subjects()] == [("ann", 1)]


def test_a_folder_whose_name_cannot_be_a_persons_is_named(tmp_path: Path, photos: Path) -> None:
    for name in ("A\u202enn", "x" * 201):
        draw_photo(photos / name / "1.png", "red")
    found: list[Unreadable] = []
    named, _ = named_by_folder([photos], on_unreadable=found.append)
    assert {name for _, name in named} == {"ann", "bob"}
    assert [one.photo.name for one in found] == ["A\u202enn", "x" * 201]
    with pytest.raises(DataError, match=r"expected characters that can be seen, got U\+202E"):
        named_by_folder([photos])


def test_a_list_names_photos(tmp_path: Path, photos: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("photo,person\nloose.png,Cy\n")
    assert named_by_labels([photos], labels) == [(photos / "loose.png", "Cy")]
    labels.write_text("photo,person\nnowhere.png,Cy\n")
    with pytest.raises(DataError, match="nowhere"):
        named_by_labels([photos], labels)


def test_the_gallerys_model_is_opened_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr("facespace.gallery.uses.Embedder", lambda m, **_: opened.append(m) or DrawnEmbedder())
    with Gallery(tmp_path / "g") as gallery:
        gallery.open_embedder()
        gallery.enrol([], None, DrawnEmbedder(), model_file="drawn.onnx")
        gallery.open_embedder()
        gallery.open_embedder("other.onnx")
        gallery.enrol([], None, DrawnEmbedder(), model_file="moved.onnx")
        now = model_in_use(gallery.roster)
        assert now is not None and now.file == "moved.onnx"
        monkeypatch.setattr("facespace.gallery.uses.Embedder", lambda *_, **__: NewerEmbedder())
        with pytest.raises(GalleryError, match="name its file: --model"):
            gallery.open_embedder()
    assert opened == [None, "drawn.onnx", "other.onnx"]


def test_what_is_removed_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "g"
    with Gallery(path) as gallery:
        gallery.load(faces(60), ["Ann Lee"] * 50 + ["Bob"] * 10, V1)
        vectors = {
            int(i): v.tobytes()
            for b in gallery.templates.batches()
            for i, v in zip(b.face_id, b.vectors, strict=True)
        }
        database_of(gallery).checkpoint()
        assert b"Ann Lee" in path.read_bytes() and vectors[3] in path.read_bytes()
        gone = gallery.remove(subjects=["Ann Lee"])
        assert (gone.n_subjects, gone.n_faces, gone.overwritten) == (1, 50, True)
        assert gallery.remove(face_id=[51]).n_faces == 1
        assert gallery.remove(photos=["p59.png"]).n_faces == 2
        left = path.read_bytes() + path.with_name("g-wal").read_bytes()
        assert b"Ann Lee" not in left and b"p59.png" not in left
        assert [i for i, v in vectors.items() if v in left] == [52, 53, 54, 55, 56, 57, 58]
        for wrong in ({"subjects": ["Ann Lee"]}, {"photos": ["p1.png"]}, {"face_id": [52, 1]}):
            with pytest.raises(GalleryError, match="expected a"):
                gallery.remove(**wrong)  # type: ignore[arg-type]
        assert gallery.overview().n_faces == 7


def test_an_export_holds_of_each_face_the_template_that_counts(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        with pytest.raises(GalleryError, match="nobody is enrolled"):
            gallery.export(tmp_path / "out.csv")
        gallery.load(faces(3), ["Bob", "Ann", "Ann"], V1)
        gallery.load(faces(1, V2, start=2), ["Ann"], V2)
        use_model(gallery.roster, V2)
        for form in ("csv", "json", "npz"):
            assert gallery.export(tmp_path / f"out.{form}") == 3
        with pytest.raises(InputError, match=r"\.npz"):
            gallery.export(tmp_path / "out.txt")
        models = {
            int(i): b.vectors[j].tolist()
            for b in gallery.templates.batches()
            for j, i in enumerate(b.face_id)
        }
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["face_id"], r["subject"], r["model"]) for r in rows] == [
        ("2", "Ann", V2.sha256), ("3", "Ann", V1.sha256), ("1", "Bob", V1.sha256),
    ]  # fmt: skip
    document = json.loads((tmp_path / "out.json").read_text())
    assert [row["x0"] is None for row in document["faces"]] == [True, False, False]
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["labels"].tolist() == ["Ann", "Ann", "Bob"] and arrays["embedding"].dtype == np.int8
        assert arrays["embedding"].tolist() == [models[2], models[3], models[1]]
    assert sorted(p.name for p in tmp_path.glob("out*")) == ["out.csv", "out.json", "out.npz"]


@pytest.mark.parametrize("version", range(1, GALLERY_FILE.version))
def test_a_gallery_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    script = (Path(__file__).parent / f"gallery_{version}.sql").read_text(encoding="utf-8")
    with sqlite3.connect(tmp_path / "g") as connection:
        connection.executescript(script)
    connection.close()
    with Gallery(tmp_path / "g") as gallery, Gallery(tmp_path / "new") as new:
        now = model_in_use(gallery.roster)
        assert now is not None and now.spec == V2 and now.file is None
        people = [(s.name, s.n_faces) for s in gallery.subjects()]
        # Versions up to 2 told names apart that look alike: each is found by its own spelling, others by the first.
        assert people == [("Ann", 2), ("Bob", 1), *([("ann", 0)] if version >= 2 else [])]
        assert [len(gallery.faces_of(name)) for name in ("Ann", "ANN", " bob")] == [2, 2, 1]
        assert len(gallery.faces_of("ann")) == (0 if version >= 2 else 2)
        assert gallery.templates.count() == {V1.sha256: 3, V2.sha256: 1} and gallery.check() == ()
        tables = [
            {
                (name, " ".join((sql or "").replace('"', "").split()))
                for name, sql in database_of(g).connection.execute("SELECT name, sql FROM sqlite_master")
            }
            for g in (gallery, new)
        ]
        assert tables[0] == tables[1]
