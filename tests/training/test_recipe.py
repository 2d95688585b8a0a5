import dataclasses
import importlib
from pathlib import Path

import pytest
import yaml

from common.recipe import Recipe, check_keywords, parse_recipe
from train_diffusion import DiffusionRecipe
from train_gan import GANRecipe
from zoo.errors import ZooError

TRAINING = Path(__file__).parents[2] / "training"
RECIPES = TRAINING / "recipes"
RECIPE_CLASSES = {
    value
    for script in [*TRAINING.glob("train_*.py"), *TRAINING.glob("make_*.py")]
    for name, value in vars(importlib.import_module(script.stem)).items()
    if name.endswith("Recipe") and value is not Recipe
}


def required(kind: type) -> set[str]:
    """The keys that a recipe of a class must have."""
    fields = dataclasses.fields(kind)
    return {field.name for field in fields if field.default is field.default_factory is dataclasses.MISSING}


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


def test_keys_that_are_dicts_or_choices(write):
    path = write("name: a\ndataset: d\ngenerator: {base_channels: 8}\ndiffaugment: [cutout]\nloss: hinge\n")
    recipe, switches = parse_recipe(GANRecipe, ["--config", path])
    assert (recipe.generator, recipe.diffaugment, recipe.loss) == ({"base_channels": 8}, ["cutout"], "hinge")
    assert switches.config == path
    recipe, _ = parse_recipe(GANRecipe, ["--config", path, "--generator", "{latent_dim: 4}", "--diffaugment", "[]"])
    assert (recipe.generator, recipe.diffaugment) == ({"latent_dim": 4}, [])
    for arguments, complaint in (
        (["--generator", "8"], "key 'generator' expects dict, got 8"),
        (["--loss", "least_squares"], "key 'loss' expects 'non_saturating' or 'wasserstein' or 'hinge', got"),
        (["--diffaugment", "[blur]"], "key 'diffaugment' expects 'color' or 'translation' or 'cutout', got 'blur'"),
    ):
        with pytest.raises(ZooError, match=f"command line: {complaint}"):
            parse_recipe(GANRecipe, ["--config", path, *arguments])


def test_keywords_of_a_network_are_checked_by_name_and_type():
    from zoo.models import GANGenerator

    given = {"hidden_sizes": [8, 4], "latent_dim": 3}
    assert check_keywords(given, GANGenerator, "generator", "a.yaml") == given
    for values, complaint in (
        ({"hidden_sizes": [8, "x"]}, "a.yaml: key 'generator.hidden_sizes' expects int, got 'x'"),
        ({"width": 3}, "a.yaml: key 'generator' has unknown key 'width', expected some of out_channels, latent_dim"),
    ):
        with pytest.raises(ZooError, match=complaint):
            check_keywords(values, GANGenerator, "generator", "a.yaml", taken=("sample_size",))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ZooError, match="nowhere.yaml: cannot read the recipe"):
        parse_recipe(Recipe, ["--config", str(tmp_path / "nowhere.yaml")])


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(RECIPES)))
def test_every_committed_recipe_parses(path):
    keys = set(yaml.safe_load(path.read_text()))
    suited = [kind for kind in RECIPE_CLASSES if required(kind) <= keys <= set(kind.__dataclass_fields__)]
    assert suited
    for kind in suited:
        recipe, _ = parse_recipe(kind, ["--config", str(path)])
        assert recipe.name in (path.stem, "-".join(path.relative_to(RECIPES).with_suffix("").parts).replace("_", "-"))
