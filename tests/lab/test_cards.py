"""Model cards: their tables are what the command's JSON says, and that is of the weights that ship."""

import json
from pathlib import Path

import pytest

import facespace
from facespace.errors import DataError
from facespace.models import built_in_models
from lab.cards.card import BEGIN, END, write_card
from lab.cards.detector import render_detectors
from lab.cards.embedder import render_embedder

CARDS = Path(facespace.__file__).parents[2] / "docs" / "models"
EMBEDDERS = [spec for spec in built_in_models() if spec.task == "embedder" and "-int8" not in spec.name]


def figures_in(card: Path) -> str:
    """What stands between the marks of a card."""
    return card.read_text("utf-8").split(BEGIN + "\n")[1].split(END)[0]


def figures_of(name: str) -> dict[str, object]:
    figures: dict[str, object] = json.loads((CARDS / f"{name}.json").read_text("utf-8"))
    return figures


@pytest.mark.parametrize("spec", EMBEDDERS, ids=lambda s: s.name)
def test_a_card_holds_the_figures_that_were_measured_on_these_weights(spec) -> None:  # type: ignore[no-untyped-def]
    figures = figures_of(spec.name)
    assert (figures["model"], figures["version"], figures["sha256"]) == (spec.name, spec.version, spec.sha256)
    card = CARDS / f"{spec.name}.md"
    assert figures_in(card) == render_embedder(figures)
    assert card.read_text("utf-8").startswith(f"# {spec.name} {spec.version}\n")


def test_the_detectors_card_holds_the_figures_that_were_measured_on_its_weights() -> None:
    card = CARDS / "facespace-detector.md"
    reports = json.loads(card.with_suffix(".json").read_text("utf-8"))
    spec = next(spec for spec in built_in_models() if spec.task == "detector")
    assert reports[0]["sha256"] == spec.sha256
    assert reports[0]["score_threshold"] == spec.options["score_threshold"]
    assert figures_in(card) == render_detectors(reports)
    assert card.read_text("utf-8").startswith(f"# {spec.name} {spec.version}\n")


def test_figures_go_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    figures, card = figures_of("facespace-s"), tmp_path / "model.md"
    card.write_text(f"# model\n\nabove\n{BEGIN}\nold\n{END}\nbelow\n", encoding="utf-8")
    kept = write_card(card, figures, render_embedder(figures))
    assert json.loads(kept.read_text("utf-8")) == figures
    assert card.read_text("utf-8") == f"# model\n\nabove\n{BEGIN}\n{render_embedder(figures)}{END}\nbelow\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.md"]


@pytest.mark.parametrize("text", [None, "", f"only {BEGIN}"])
def test_a_card_without_marks_is_left_alone(tmp_path: Path, text: str | None) -> None:
    card = tmp_path / "model.md"
    if text is not None:
        card.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"model\.md: expected"):
        write_card(card, {}, "")
    assert [p.name for p in tmp_path.iterdir()] == ([] if text is None else ["model.md"])


def test_every_change_of_a_figure_shows() -> None:
    figures = figures_of("facespace-s")
    before = render_embedder(figures)
    for part, key in (("lfw", "accuracy_mean"), ("bytes", "tar_bytes"), ("quality", "gain")):
        changed = json.loads(json.dumps(figures))
        changed[part][key] += 0.01
        assert render_embedder(changed) != before
