import pytest

from facespace.errors import InputError
from facespace.store.names import LONGEST_NAME, clean_name, name_key, same_name, shown_name, taken_by


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Ann", "Ann"),
        ("  Ann\t \u00a0 Lee\n", "Ann Lee"),
        ("Jo\u0308rg", "Jörg"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian needs its non-joiner
        ("क्\u200dष", "क्\u200dष"),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("x" * LONGEST_NAME, "x" * LONGEST_NAME),
        ("17", "17"),
    ],
)
def test_a_name_is_kept_in_one_form(name: str, clean: str) -> None:
    assert clean_name(name) == clean == clean_name(clean)


@pytest.mark.parametrize(
    "name",
    [
        "", " \t\n", "\u200b", "\u3164", "An\u200bn", "\u202eAnn", "Ann\x1b[31m", "A\x00nn", "\ufeffAnn", "An\u200dn",
        "\ufe0fAnn", "An\u00adn", "Ann\udcff", "x" * (LONGEST_NAME + 1), "x" * 10**6, " " * 10**6, "می\u200c",
    ],
)  # fmt: skip
def test_a_name_that_deceives_the_eye_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^name: expected") as error:
        clean_name(name)
    assert len(str(error.value)) < 300 and str(error.value).isprintable()


def test_a_number_is_a_name_only_where_people_have_no_numbers() -> None:
    with pytest.raises(InputError, match="a letter in it"):
        clean_name("17", digits=False)
    assert clean_name("17th", digits=False) == "17th"


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("", "", True),
        ("Ann Lee", "ann  LEE", True),
        ("STRASSE", "straße", True),
        ("Jo\u0308rg", "JÖRG", True),
        ("An\u200bn", "Ann", True),  # from before such names were refused
        ("葛\U000e0100", "葛", True),
        ("Ann", "Anne", False),
        ("Ann Lee", "AnnLee", False),
    ],
)
def test_equal_to_the_eye_is_equal(a: str, b: str, same: bool) -> None:
    assert same_name(a, b) is same is same_name(b, a)


def test_who_has_a_name_already() -> None:
    people = [(1, "ann"), (2, "Ann"), (3, "Bob")]
    assert taken_by("Cy", people) is None and taken_by("Cy", []) is None
    assert taken_by("Ann", people) == (2, "Ann")
    assert taken_by("ANN", people) == (1, "ann")
    assert taken_by(" BOB", people) == (3, "Bob")


def test_what_is_shown_hides_nothing_and_nobody_looks_unknown() -> None:
    assert shown_name("Ann Lee") == "Ann Lee" and shown_name("") == ""
    assert shown_name("A\x1b[0m\u202e\udcff") == r"A\x1b[0m\u202e\udcff"
    assert shown_name("Unknown ") == '"Unknown "' and name_key("UNKNOWN") == "unknown"
