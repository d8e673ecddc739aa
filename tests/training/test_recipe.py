import runpy
from pathlib import Path

import pytest

from facespace.errors import DataError
from facespace.training.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "r.toml"
    path.write_text(text)
    return path


def test_the_least_recipe_is_a_name(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, 'name = "a"')) == Recipe(name="a")


def test_tables_reach_their_dataclasses(tmp_path: Path) -> None:
    recipe = read_recipe(
        write(tmp_path, 'name = "a"\nepochs = 3\n[mining]\nmargin = 1\n[augmentation]\nflip = 0')
    )
    assert (recipe.epochs, recipe.mining.margin, recipe.augmentation.flip) == (3, 1.0, 0.0)


def test_a_curriculum_and_lists_of_numbers_are_read(tmp_path: Path) -> None:
    text = 'name = "a"\n[optimiser]\nlower_at = [0.5, 1]\n[[mining.curriculum]]\nuntil = 0.5\nrule = "any"'
    recipe = read_recipe(write(tmp_path, text))
    assert recipe.optimiser.lower_at == (0.5, 1.0)
    assert [(s.until, s.rule, s.pairs) for s in recipe.mining.curriculum] == [(0.5, "any", "all")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'name' is missing"),
        ('name = "a"\nalignment = "loose"', "'alignment': expected one of"),
        ("name = ", "expected a recipe in TOML"),
        ('name = "a"\nepoch = 3', "unknown option 'epoch'"),
        ('name = "a"\nepochs = "3"', "expected int"),
        ('name = "a"\nepochs = true', "expected int"),
        ('name = "a"\nmining = 3', r"write \[mining\]"),
        ('name = "a"\n[[mining.curriculum]]\nrule = "any"', "'until' is missing"),
        ('name = "a"\n[mining]\ncurriculum = 3', "'curriculum' is a list"),
        ('name = "a"\n[mining]\nrule = "softest"', "'rule': expected one of"),
        ('name = "a"\n[margin_softmax]\nof_teacher = true', "needs .* teacher"),
        ('name = "a"\n[mining]\nmargins = 3', r"\[mining\]: unknown option 'margins'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_recipe(write(tmp_path, text))
    assert "r.toml" in str(caught.value)


def test_a_recipe_serves_several_networks() -> None:
    recipe = Recipe(name="paper")
    assert recipe.of_network(None) is recipe
    assert recipe.of_network("nn4") == Recipe(name="paper-nn4", network="nn4")


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.toml"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_can_be_read(path: Path) -> None:
    assert read_recipe(path).name == path.stem


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.py")), ids=lambda p: p.stem)
def test_scripts_find_what_they_use(path: Path) -> None:
    assert "main" in runpy.run_path(str(path))
