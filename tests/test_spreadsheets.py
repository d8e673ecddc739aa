"""Tables as spreadsheet programs write them, and cells that they take for text."""

from pathlib import Path

import pytest

from facespace.errors import DataError
from facespace.gallery import named_by_labels, read_labels
from facespace.spreadsheets import cell_text, read_table, text_cell

PEOPLE = {"a.jpg": "Ann Lee", "b.jpg": "Bob"}
TABLES = {
    "plain": b"photo,person\na.jpg,Ann Lee\nb.jpg,Bob\n",
    "mark": b"\xef\xbb\xbfphoto,person\na.jpg,Ann Lee\nb.jpg,Bob\n",
    "semicolons": b"photo;person\r\na.jpg;Ann Lee\r\nb.jpg;Bob\r\n",
    "tabs": b"photo\tperson\na.jpg\tAnn Lee\nb.jpg\tBob\n",
    "capitals": b"Photo,PERSON\na.jpg,Ann Lee\nb.jpg,Bob",
    "named delimiter": b"sep=;\nPhoto;Person\na.jpg;Ann Lee\nb.jpg;Bob\n",
    "mark and quotes": b'\xef\xbb\xbf"photo","person"\n"a.jpg","Ann Lee"\n"b.jpg","Bob"\n',
    "blanks": b" photo , person \n a.jpg , Ann Lee \n\n , \nb.jpg,Bob\n",
    "old Mac lines": b"photo,person\ra.jpg,Ann Lee\rb.jpg,Bob\r",
    "other columns": b"person,age,photo\nAnn Lee,3,a.jpg\nBob,,b.jpg\n",
    "empty cells behind": b"photo,person\na.jpg,Ann Lee,,\nb.jpg,Bob,\n",
    "utf-16": "photo\tperson\na.jpg\tAnn Lee\nb.jpg\tBob\n".encode("utf-16"),
    "twice the same": b"photo,person\na.jpg,Ann Lee\na.jpg,Ann Lee\nb.jpg,Bob\n",
    "commas in names": b'photo;person\na.jpg;Ann Lee\nb.jpg;"Bob"\n',
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES)
def test_labels_of_every_spreadsheet_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    assert read_labels(tmp_path / "labels.csv") == PEOPLE


BROKEN = [
    (b"photo,person\na.jpg\nb.jpg,Bob\n", "line 2: expected 2 cells, met 1"),
    (b"photo,person\n\nb.jpg,Bob\na.jpg,Lee, Ann\n", "line 4: expected 2 cells, met 3"),
    (b"photo,person\n,Ann\nb.jpg,Bob\n", "line 2: expected a photo and a person, a cell is empty"),
    (b"photo,person\nb.jpg,Bob\nb.jpg,Ann\n", "line 3: b.jpg is on line 2 as another person"),
    (
        "photo,person\na.jpg,A\u202enn\nb.jpg,Bob\n".encode(),
        "line 2: name: expected characters that can be seen, got U+202E in A\\u202enn",
    ),
    (b"photo,person\na.jpg," + b"x" * 201 + b"\nb.jpg,Bob\n", "line 2: name: expected at most 200 characters, got 201"),
    (b"photo,person\na\0.jpg,Ann\nb.jpg,Bob\n", "line 2: a cell holds bytes that are no text"),
    (b'sep=,\nphoto,person\nb.jpg,Bob\nc.jpg,"Cy\nd.jpg,Di\n', "line 4: a quotation mark is not closed up to line 5"),
    (b"photo,person\nb.jpg,Bob\n" + b"x" * 200_000 + b",A\n", "line 3: field larger than field limit (131072)"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_a_broken_row_is_named_by_its_line_and_the_rest_is_read(
    tmp_path: Path, content: bytes, said: str
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_labels(labels)
    assert str(refused.value) == f"{labels}: {said}"
    reports: list[str] = []
    assert read_labels(labels, on_broken=reports.append) == {"b.jpg": "Bob"}
    assert reports == [f"{labels}, {said}; the row is left out"]


def test_many_broken_rows_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("photo,person\n" + "a\n" * 50)
    with pytest.raises(DataError, match=r"line 2: .*line 3: .*line 4: .*; and 47 more$"):
        read_labels(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "expected the columns photo,person, got"),
        (b"file,who\na.jpg,Ann\n", "expected the columns photo,person, got file,who"),
        (b"photo,person,Photo\na,b,c\n", "expected the columns photo,person, got photo,person,Photo"),
        (b"photo,person\na.jpg,Ann\nb.jpg,J\xf6rg\n", "line 3: expected text in UTF-8"),
        (b"photo,person\n" + b"\xff" * 99, "line 2: expected text in UTF-8"),
    ],
)
def test_what_is_no_table_of_labels_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=said) as refused:
        read_labels(tmp_path / "labels.csv")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_a_device_is_read_up_to_the_limit() -> None:
    with pytest.raises(DataError, match="64 MB"):
        read_table(Path("/dev/zero"))


def test_a_listed_photo_that_is_not_there_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    labels = tmp_path / "labels.csv"
    labels.write_text(f"photo,person\nnowhere.jpg,Cy\n{'x' * 300},Di\na.jpg,Ann\n")
    reports: list[str] = []
    assert named_by_labels([tmp_path], labels, on_broken=reports.append) == [(tmp_path / "a.jpg", "Ann")]
    assert [report.split(":")[0].rpartition(", ")[2] for report in reports] == ["line 2", "line 3"]
    with pytest.raises(DataError, match=r"line 2: expected nowhere.jpg below"):
        named_by_labels([tmp_path], labels)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""), ("Ann", "Ann"), ("O'Neil", "O'Neil"), ("'Ann", "'Ann"), ("a=b", "a=b"), ("=1+1", "'=1+1"),
        ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("＝1", "'＝1"),
    ],
)  # fmt: skip
def test_what_would_be_a_formula_is_text(text: str, cell: str) -> None:
    assert text_cell(text) == cell and cell_text(cell) == text
