import dataclasses
from pathlib import Path

import pytest
import yaml

from common.recipe import Recipe, parse_recipe
from train_diffusion import DiffusionRecipe
from train_gan import GANRecipe
from zoo.errors import ZooError

RECIPES = Path(__file__).parents[2] / "training" / "recipes"


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_file_then_command_line(write):
    path = write("name: a\ndataset: d\nepochs: 3\nlearning_rate: 2e-4\nblock_out_channels: [8, 16]\n")
    recipe, switches = parse_recipe(
        DiffusionRecipe, ["--config", path, "--epochs", "5", "--weight_decay", "1e-2", "--conditions", "[phase]"]
    )
    assert (recipe.epochs, recipe.learning_rate, recipe.weight_decay) == (5, 2e-4, 0.01)
    assert recipe.conditions == ["phase"]
    assert recipe.block_out_channels == [8, 16]
    assert not switches.resume
    assert not switches.dry_run


def test_the_resolved_recipe_reads_back_as_itself(write):
    recipe = DiffusionRecipe(name="a", dataset="d", max_seconds=1.5, conditions=["phase"])
    assert parse_recipe(DiffusionRecipe, ["--config", write(recipe.to_yaml())])[0] == recipe


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: a\ndataset: d\nepoch: 3\n", "unknown key 'epoch', expected one of"),
        ("dataset: d\n", "key 'name' is missing"),
        ("name: a\ndataset: d\nepochs: many\n", "key 'epochs' expects int, got 'many'"),
        ("name: a\ndataset: d\nepochs: 2.5\n", "key 'epochs' expects int, got 2.5"),
        ("name: a\ndataset: d\nhorizontal_flip: 1\n", "key 'horizontal_flip' expects bool, got 1"),
        ("name: a\ndataset: d\nmax_grad_norm: x\n", "key 'max_grad_norm' expects float | None, got 'x'"),
        ("- a\n", "expected a mapping of keys to values"),
        ("a: [\n", "no valid YAML"),
    ],
)
def test_bad_recipes_name_file_and_key(write, text, complaint):
    path = write(text)
    with pytest.raises(ZooError) as error:
        parse_recipe(Recipe, ["--config", path])
    assert str(error.value).startswith(path)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bad_override_names_the_command_line(write):
    path = write("name: a\ndataset: d\n")
    with pytest.raises(ZooError, match="command line: key 'epochs' expects int, got 'x'"):
        parse_recipe(Recipe, ["--config", path, "--epochs", "x"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ZooError, match="nowhere.yaml: cannot read the recipe"):
        parse_recipe(Recipe, ["--config", str(tmp_path / "nowhere.yaml")])


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_committed_recipe_parses(path):
    is_gan = not set(yaml.safe_load(path.read_text())) <= {field.name for field in dataclasses.fields(DiffusionRecipe)}
    recipe, _ = parse_recipe(GANRecipe if is_gan else DiffusionRecipe, ["--config", str(path)])
    assert recipe.name == path.stem
