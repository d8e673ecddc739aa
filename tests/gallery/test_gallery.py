import sqlite3
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import GalleryError, InputError
from facespace.gallery import Gallery
from facespace.library import Library
from stored import V1, V2, faces


def test_faces_come_back_as_they_were_enrolled(tmp_path: Path) -> None:
    table = faces(3)
    with Gallery(tmp_path / "g") as gallery:
        assert gallery.subjects() == [] and list(gallery.faces()) == []
        assert gallery.load(table, ["Bob", "Ann", " Ann "], V1) == 3
        assert gallery.load(faces(3, V2), ["Bob", "Ann", "Ann"], V2) == 0
        assert [(s.name, s.n_faces) for s in gallery.subjects()] == [("Ann", 2), ("Bob", 1)]
        ann, again, bob = gallery.faces()
    assert (ann.face_id, again.face_id, bob.face_id, bob.photo) == (2, 3, 1, "p1.png")
    assert (ann.box_xyxy, ann.landmarks_xy, ann.score) == (None, None, None)
    assert bob.box_xyxy == tuple(table.box_xyxy[0].tolist()) and bob.score == float(table.score[0])
    assert np.array_equal(np.array(bob.landmarks_xy), table.landmarks_xy[0])


def test_what_is_removed_takes_its_templates_along(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(faces(4), ["Ann", "Ann", "Bob", "Cy"], V1)
        ids = {s.name: s.subject_id for s in gallery.subjects()}
        assert gallery.roster.remove_subject("Ann") == 2
        assert gallery.roster.remove_faces([3, 99]) == 1
        assert gallery.templates.count() == {V1.sha256: 1}
        assert gallery.roster.owners(np.arange(100)) == {4: ids["Cy"]}
        assert [(s.name, s.n_faces) for s in gallery.subjects()] == [("Bob", 0), ("Cy", 1)]
        with pytest.raises(GalleryError, match="nobody is called Ann"):
            gallery.roster.remove_subject("Ann")


def test_an_enrolment_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(faces(1, start=3), ["Ann"], V1)
        with pytest.raises(GalleryError, match="enrolled for Ann"):
            gallery.load(faces(4), ["Bob"] * 4, V1)
        with pytest.raises(InputError, match="embeddings of space 2"):
            gallery.load(faces(1), ["Bob"], V2)
        for names in ([], [" "]):
            with pytest.raises(InputError, match="name"):
                gallery.load(faces(1), names, V1)
        assert [s.name for s in gallery.subjects()] == ["Ann"]


def test_the_file_is_the_owners_alone_and_no_other_kind_is_taken(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no such file"):
        Gallery(tmp_path / "g", create=False)
    Gallery(tmp_path / "g").close()
    assert (tmp_path / "g").stat().st_mode & 0o077 == 0
    with Library(tmp_path / "l"):
        pass
    with pytest.raises(GalleryError, match="another kind"):
        Gallery(tmp_path / "l" / "library.sqlite")
    with sqlite3.connect(tmp_path / "g") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(GalleryError, match="of version 99"):
        Gallery(tmp_path / "g")


def test_a_subject_is_renamed_and_joined_with_the_one_of_that_name(tmp_path: Path) -> None:
    table = faces(4)
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(table, ["Ann", "Ann", "Bob", "Cy"], V1)

        def named(rows: np.ndarray) -> tuple[str | None, ...]:
            return gallery.identify(rows, V1, fpir=0.5).nearest

        gallery.rename("Bob", " Bob  Lee ")
        assert [s.name for s in gallery.subjects()] == ["Ann", "Bob Lee", "Cy"]
        assert named(table.embedding[2:3]) == ("Bob Lee",)
        gallery.rename("bob lee", "BOB LEE")  # the same person under another spelling
        gallery.rename("BOB LEE", "ann")
        assert [(s.name, s.n_faces) for s in gallery.subjects()] == [("Ann", 3), ("Cy", 1)]
        assert gallery.has_subject("ANN") and not gallery.has_subject("Bob Lee")
        assert [m.face.subject for m in gallery.search(table.embedding[2:3], V1, k=1)[0]] == ["Ann"]
        assert gallery.check() == ()
        for name, to, error in (("Bob", "Cy", GalleryError), ("Cy", " ", InputError)):
            with pytest.raises(error, match=r"nobody|name"):
                gallery.rename(name, to)
