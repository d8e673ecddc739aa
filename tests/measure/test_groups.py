import json
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import DataError
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.groups import group_faces, group_pairs, groups_table, read_groups

GROUPS = {"age": {"a": "young", "b": "young", "c": "old", "x": "child"}}


def faces(rng: np.random.Generator) -> EmbeddedFaces:
    labels = np.repeat(np.arange(4), [5, 4, 3, 2])
    rows = rng.normal(size=(4, 8))[labels] + rng.normal(size=(14, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return EmbeddedFaces(rows.astype(np.float32), labels, ("a", "b", "c", "d"))


def test_rates_are_those_of_the_pairs_inside_each_group(rng: np.random.Generator) -> None:
    listed = faces(rng)
    rows = {row.group: row for row in group_faces(listed, GROUPS, threshold=1.0)}
    assert list(rows) == ["child", "old", "young", "(none given)"]
    assert rows["child"].note.startswith("empty") and rows["child"].rates.tar is None
    assert "two people" in rows["old"].note and rows["old"].rates.far is None
    young = rows["young"]
    assert (young.n_faces, young.n_identities, young.rates.n_same, young.rates.n_diff) == (9, 2, 16, 20)
    product = listed.embeddings[:9] @ listed.embeddings[:9].T
    near = 2 - 2 * product <= 1.0
    same = listed.labels[:9, None] == listed.labels[None, :9]
    later = np.triu(np.ones((9, 9), bool), 1)
    assert young.rates.tar == pytest.approx(near[same & later].mean())
    assert young.rates.far == pytest.approx(near[~same & later].mean())


def test_listed_pairs_count_where_both_people_belong(rng: np.random.Generator) -> None:
    first, second = ["a", "a", "b", "c", "d"], ["a", "b", "b", "a", "d"]
    distance = np.array([0.5, 0.5, 1.5, 0.5, 0.5])
    rows = {row.group: row for row in group_pairs(distance, first, second, GROUPS, threshold=1.0)}
    assert (rows["young"].rates.tar, rows["young"].rates.far, rows["young"].n_faces) == (0.5, 1.0, 3)
    assert rows["old"].n_faces == 0 and rows["old"].note.startswith("empty")
    assert rows["(none given)"].rates.n_same == 1


def test_labels_files_of_both_forms(tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_text(json.dumps({"a": "X", "b": "Y"}))
    (tmp_path / "labels.csv").write_text("identity,sex,age\na,f,20\nb,m,\n")
    assert read_groups(tmp_path / "sources.json") == {"sources": {"a": "X", "b": "Y"}}
    assert read_groups(tmp_path / "labels.csv") == {"sex": {"a": "f", "b": "m"}, "age": {"a": "20"}}


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", "[]"), ("a.json", "{"), ("a.csv", ""), ("a.csv", "a\nb"), ("a.csv", "a,b\nc")],
)
def test_other_files_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="identity: group"):
        read_groups(tmp_path / name)
    with pytest.raises(DataError):
        read_groups(tmp_path / "nowhere.csv")


def test_the_table_shows_empty_groups_too(rng: np.random.Generator) -> None:
    table = groups_table(group_faces(faces(rng), GROUPS, threshold=1.0))
    assert table.caption.startswith("By group at distance 1.000") and table.rows[0][0] == "age: child"
    assert table.rows[0][5:7] == (None, None) and "empty" in table.rows[0][7]
    assert groups_table([]).rows == ()
