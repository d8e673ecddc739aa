import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import GalleryError, IncompatibleModelsError, ModelError
from facespace.extract import extract_table
from facespace.gallery import Gallery
from facespace.gallery.upgrading import EnrolledFaces
from facespace.gallery.uses import model_in_use
from facespace.store.upgrading import embed_waiting
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo
from gallery.acting import NEWER, NewerEmbedder
from stored import V1, V2, faces


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Two faces of ann, one of bob, by the older model; their photos are at hand."""
    photos = [
        (draw_photo(tmp_path / "photos" / "1.png", "red"), "ann"),
        (draw_photo(tmp_path / "photos" / "2.png", "red", "blue"), "ann"),
        (draw_photo(tmp_path / "photos" / "3.png", "green"), "bob"),
    ]
    with Gallery(tmp_path / "g") as opened:
        opened.enrol(photos, DrawnDetector(), DrawnEmbedder(), model_file="old.onnx")
        yield opened


def who(gallery: Gallery, embedder: DrawnEmbedder, photo: Path) -> list[str | None]:
    faces_, _ = extract_table([photo], DrawnDetector(), embedder)
    return list(gallery.identify(faces_.embedding, embedder.spec, fpir=0.01).subject)


def new_templates(gallery: Gallery) -> dict[int, list[int]]:
    return {
        int(i): v.tolist()
        for b in gallery.templates.batches(model=NEWER.sha256)
        for i, v in zip(b.face_id, b.vectors, strict=True)
    }


def test_an_empty_gallery_has_nothing_to_upgrade(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g") as gallery:
        for act in (
            lambda: gallery.upgrade(NewerEmbedder()),
            lambda: gallery.step_back(),
            lambda: gallery.drop_old(),
        ):
            with pytest.raises(GalleryError, match="nobody is enrolled"):
                act()


def test_at_once_the_newer_model_finds_people_by_their_old_templates(
    gallery: Gallery, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "photos")
    probe = draw_photo(tmp_path / "probe.png", "red", "green", "blue")
    result = gallery.upgrade(NewerEmbedder(), model_file="new.onnx", at_once=True)
    assert (result.n_embedded, result.not_at_hand, result.progress.share) == (0, (), 0.0)
    assert (result.before, result.model) == (SPEC.label, NEWER.label)
    assert who(gallery, NewerEmbedder(), probe) == ["ann", "bob", None]
    assert [(e.spec.sha256, e.file) for e in gallery.roster.history()] == [
        (SPEC.sha256, "old.onnx"),
        (NEWER.sha256, "new.onnx"),
    ]


def test_faces_at_hand_get_the_templates_that_enrolling_them_anew_would_give(
    gallery: Gallery, tmp_path: Path
) -> None:
    seen: list[float] = []
    result = gallery.upgrade(NewerEmbedder(), on_face=lambda now: seen.append(now.share))
    assert (result.n_embedded, result.progress.n_done, result.not_at_hand) == (3, 3, ())
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])
    named = [(Path(face.photo), face.subject) for face in gallery.faces()]
    with Gallery(tmp_path / "fresh") as fresh:
        fresh.enrol(named, DrawnDetector(), NewerEmbedder())
        assert new_templates(gallery) == new_templates(fresh)
    again = gallery.upgrade(NewerEmbedder())
    assert (again.n_embedded, again.before) == (0, NEWER.label) and len(gallery.roster.history()) == 2


def test_moved_photos_are_found_by_content_and_changed_ones_are_not_taken(
    gallery: Gallery, tmp_path: Path
) -> None:
    for name, to in (("1.png", "away/renamed.png"), ("2.png", "lost.png")):
        (tmp_path / to).parent.mkdir(exist_ok=True)
        (tmp_path / "photos" / name).rename(tmp_path / to)
    draw_photo(tmp_path / "photos" / "3.png", "ochre")
    result = gallery.upgrade(NewerEmbedder(), photos=tmp_path / "away")
    assert result.n_embedded == 1 and result.progress.n_done == 1
    reasons = {u.photo.name: u.reason for u in result.not_at_hand}
    assert set(reasons) == {"2.png", "3.png"} and "has changed" in reasons["3.png"]
    assert {Path(f.photo).name for f in gallery.faces()} == {"renamed.png", "2.png", "3.png"}
    # Found by an old and by a new template, and by an old one alone.
    probe = draw_photo(tmp_path / "probe.png", "red", "green", "blue")
    assert who(gallery, NewerEmbedder(), probe) == ["ann", "bob", None]
    assert who(gallery, DrawnEmbedder(), probe) == ["ann", "bob", None]


def test_each_subject_gets_a_first_template_before_any_gets_a_second(tmp_path: Path) -> None:
    table = dataclasses.replace(faces(6), quality=np.array([0.2, 0.9, 0.5, 0.4, 0.8, np.nan], np.float32))
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(table, ["Ann", "Ann", "Ann", "Bob", "Bob", "Cy"], V1)
        # 2: Ann's best, 5: Bob's best, 6: Cy's only; then the second ones, then Ann's third.
        order = [i for job in EnrolledFaces(gallery.roster).waiting(V2) for i in job.face_id.tolist()]
        assert order == [2, 5, 6, 3, 4, 1]
        gallery.load(faces(1, V2, start=2), ["Ann"], V2)
        order = [i for job in EnrolledFaces(gallery.roster).waiting(V2) for i in job.face_id.tolist()]
        assert order == [5, 6, 3, 4, 1]


def test_faces_of_one_photo_are_embedded_together_and_those_removed_meanwhile_stay_away(
    tmp_path: Path,
) -> None:
    photo = draw_photo(tmp_path / "1.png", "red", "green", "blue")
    table, _ = extract_table([photo], DrawnDetector(), DrawnEmbedder())
    with Gallery(tmp_path / "g") as gallery:
        gallery.load(table, ["Ann", "Bob", "Cy"], SPEC)

        class Remover(NewerEmbedder):
            def embed(self, crops: np.ndarray, /) -> np.ndarray:
                with Gallery(gallery.place) as other:
                    other.remove(subjects=["Bob"])
                return super().embed(crops)

        assert embed_waiting(EnrolledFaces(gallery.roster), Remover()).n_embedded == 2
        fresh, _ = extract_table([photo], DrawnDetector(), NewerEmbedder())
        (batch,) = gallery.templates.batches(model=NEWER.sha256)
        expected = dict(zip(fresh.face_id.tolist(), fresh.embedding, strict=True))
        for number, vector in zip(batch.face_id.tolist(), batch.vectors, strict=True):
            assert vector == pytest.approx(expected[number] * NEWER.byte_scale, abs=0.6)


def test_back_and_forth_until_the_old_templates_are_dropped(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="is its first"):
        gallery.step_back()
    (tmp_path / "photos" / "3.png").unlink()
    gallery.upgrade(NewerEmbedder(), model_file="new.onnx")
    assert gallery.step_back().file == "old.onnx"
    now = model_in_use(gallery.roster)
    assert now is not None and (now.spec.sha256, now.file) == (SPEC.sha256, "old.onnx")
    with pytest.raises(GalleryError, match="is its first"):
        gallery.step_back()
    assert gallery.upgrade(NewerEmbedder()).n_embedded == 0  # what was embedded is still there
    assert gallery.drop_old() == {SPEC.label: 2}
    assert gallery.templates.count() == {SPEC.sha256: 1, NEWER.sha256: 2}
    assert gallery.roster.history()[-1].line().endswith(f"2 templates of {SPEC.label} dropped")
    with pytest.raises(GalleryError, match="were dropped on"):
        gallery.step_back()
    probe = draw_photo(tmp_path / "probe.png", "red", "green")
    assert who(gallery, NewerEmbedder(), probe) == ["ann", "bob"]
    assert gallery.drop_old() == {}


def test_a_model_that_cannot_meet_every_face_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    third = dataclasses.replace(
        V2, version="3", sha256="4" * 64, compatible_with={V2.sha256: {"1e-2": 1.2, "1e-3": 0.8}}
    )

    def embedder(spec: object) -> DrawnEmbedder:
        made = DrawnEmbedder()
        made.spec = spec  # type: ignore[misc, assignment]
        return made

    with Gallery(tmp_path / "g") as gallery:
        gallery.load(faces(4), ["Ann"] * 4, V1)
        gallery.enrol([], None, embedder(V1))
        gallery.load(faces(3, V2), ["Ann"] * 3, V2)
        with pytest.raises(IncompatibleModelsError, match=r"1 faces of space 1 .*facespace harmonise"):
            gallery.upgrade(embedder(third), at_once=True)
        with pytest.raises(ModelError, match="not calibrated"):
            gallery.upgrade(embedder(dataclasses.replace(V2, distances={})), at_once=True)
        now = model_in_use(gallery.roster)
        assert now is not None and now.spec == V1 and len(gallery.roster.history()) == 1
        gallery.roster.remove_faces([4])
        assert gallery.upgrade(embedder(third), at_once=True).model == third.label


def test_the_expected_tar_lies_between_the_two_by_the_share_done_or_is_not_given(tmp_path: Path) -> None:
    figures = {"tar": 0.8, "far": 1e-3, "tar_mixed": {V1.sha256: 0.6}}
    for options, expected in ((figures, 0.65), ({"tar": 0.8, "far": 1e-3}, None), ({}, None)):
        newer = dataclasses.replace(V2, options=options)
        with Gallery(tmp_path / f"g{len(options)}") as gallery:
            gallery.load(faces(4), ["Ann"] * 4, V1)
            gallery.load(faces(1, newer), ["Ann"], newer)
            gallery.upgrade(type("Newer", (), {"spec": newer})(), at_once=True)
            now = gallery.progress()
            assert now.share == 0.25 and now.expected_tar == (
                None if expected is None else pytest.approx(expected)
            )
            assert ("expected TAR 65.0% at FAR 0.001" in now.line()) == (expected is not None)
            assert now.after(3).expected_tar == options.get("tar") and now.after(9).n_done == 4
