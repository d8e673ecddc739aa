import doctest
from pathlib import Path

import pytest

from facespace.errors import InputError, ModelError
from facespace.models import ModelSpec, find_model, foreign
from facespace.models.foreign import check_name, parse_scaling, read_foreign


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("per-image", {"scaling": "per_image"}),
        ("127.5/128", {"scaling": "fixed", "mean": 127.5, "std": 128.0}),
        ("0/1", {"scaling": "fixed", "mean": 0.0, "std": 1.0}),
        ("91.5,103.9,131.1/1", {"scaling": "fixed", "mean": (91.5, 103.9, 131.1), "std": 1.0}),
    ],
)
def test_a_scaling_becomes_fields_of_the_spec(text: str, fields: dict[str, object]) -> None:
    assert parse_scaling(text) == fields
    ModelSpec("m", "1", "embedder", (8, 8), **parse_scaling(text))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "1", "1/0", "1/-1", "1,2/3", "a/b", "1/2/3", "nan/1", "0/inf"])
def test_another_scaling_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="per-image"):
        parse_scaling(text)


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(foreign).failed == 0


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "a\n"])
def test_a_model_is_called_by_a_plain_name(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


def test_a_detector_is_no_embedder(data: Path) -> None:
    assert read_foreign(data / "peers" / "mobilefacenet.onnx") == foreign.ForeignInput(
        "NCHW", 112, ("output",)
    )


def test_a_model_with_a_spec_is_not_foreign() -> None:
    with pytest.raises(ModelError, match="carries a ModelSpec"):
        read_foreign(find_model(None, "detector"))
