import importlib
import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from common.recipe import Recipe, check_keywords, parse_recipe
from common.yaml_file import parse_yaml, read_yaml, to_yaml
from train_diffusion import DiffusionRecipe
from train_gan import GANRecipe
from zoo.errors import ZooError

TRAINING = Path(__file__).parents[2] / "training"
RECIPES = TRAINING / "recipes"
# Every script that trains, with a recipe
SHOWN_AT_ONCE = {
    "train_anatomy": "anatomy-acdc-128",
    "train_autoencoder": "autoencoder-acdc-64",
    "train_classifier": "classifier-acdc-64",
    "train_diffusion": "ddpm-acdc-64",
    "train_gan": "dcgan-acdc-64",
    "train_hearts": "hearts-acdc-128",
    "train_score": "score-vp-acdc-64",
    "train_segmenter": "segmenter-acdc-64",
    "train_turbo": "turbo-acdc-64",
    "train_vae": "vae-acdc-64",
    "train_view": "view-acdc-64",
    "make_style_transfer": "style-transfer-acdc-64",
}
KINDS = {
    value
    for script in [*TRAINING.glob("train_*.py"), *TRAINING.glob("make_*.py")]
    for name, value in vars(importlib.import_module(script.stem)).items()
    if name.endswith("Recipe") and value is not Recipe
}
PUBLISHED = RECIPES.parents[1] / "model_cards"
# What no committed recipe needs to set
SETTINGS_OF_A_RUN = {"output_dir", "seed", "tracker"}
CHOSEN_AFTERWARDS = {"guidance_scale", "algorithm_type"}  # by training/publish.py, which writes them into the recipe
SMALLER_IN_TESTS = {"kid_samples", "norm_num_groups"}
IN_PUBLISHED_RECIPES = {"layers_per_block"}  # one in all of them, written out


def suited(path: Path) -> list[type]:
    """The classes that a recipe may be of."""
    keys = set(read_yaml(path))
    required = {kind: {name for name, field in kind.model_fields.items() if field.is_required()} for kind in KINDS}
    return [kind for kind in KINDS if required[kind] <= keys <= set(kind.model_fields)]


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_file_then_command_line(write):
    path = write(
        "name: a\ndataset: d\nepochs: 3\nlearning_rate: 2e-4\nblock_out_channels: [8, 16]\nattention_head_dim: 8\n"
    )
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
        ("name: a\ndataset: d\nepochs: many\n", "key 'epochs' expects a valid integer, got 'many'"),
        ("name: a\ndataset: d\nepochs: 2.5\n", "key 'epochs' expects a valid integer"),
        ("name: a\ndataset: d\nhorizontal_flip: 1\n", "key 'horizontal_flip' expects a valid boolean, got 1"),
        ("name: a\ndataset: d\nmax_grad_norm: x\n", "key 'max_grad_norm' expects a valid number, got 'x'"),
        ("name: a\ndataset: d\nevaluate_every: 0\n", "key 'evaluate_every' expects a number greater than 0, got 0"),
        ("name: a\ndataset: d\nema_decay: 1.5\n", "key 'ema_decay' expects a number less than or equal to 1, got 1.5"),
        ("name: a\ndataset: d\nmax_seconds: .inf\n", "key 'max_seconds' expects a finite number, got inf"),
        ("name: a\ndataset: d\nema_decay: .nan\n", "key 'ema_decay' expects a finite number, got nan"),
        (
            "name: a\ndataset: d\nmixed_precision: half\n",
            "'mixed_precision' expects 'auto', 'no', 'fp16' or 'bf16'",
        ),
        ("name: a\ndataset: d\nlr_scheduler: cosinus\n", "key 'lr_scheduler' expects 'constant', "),
        ("name: a/b\ndataset: d\n", "key 'name' expects"),
        ("name: a\nname: b\n", "key 'name' stands there twice"),
        ("name: &x a\ndataset: *x\n", "aliases are not read"),
        ("name: !!binary YQ==\ndataset: d\n", "tag:yaml.org,2002:binary is not read"),
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
    with pytest.raises(ZooError, match="command line: key 'epochs' expects a valid integer, got 'x'"):
        parse_recipe(Recipe, ["--config", path, "--epochs", "x"])


def test_keys_that_are_dicts_or_choices(write):
    path = write("name: a\ndataset: d\ngenerator: {base_channels: 8}\ndiffaugment: [cutout]\nloss: wasserstein\n")
    recipe, switches = parse_recipe(GANRecipe, ["--config", path])
    assert (recipe.generator, recipe.diffaugment, recipe.loss) == ({"base_channels": 8}, ["cutout"], "wasserstein")
    assert switches.config == path
    recipe, _ = parse_recipe(GANRecipe, ["--config", path, "--generator", "{latent_dim: 4}", "--diffaugment", "[]"])
    assert (recipe.generator, recipe.diffaugment) == ({"latent_dim": 4}, [])
    for arguments, complaint in (
        (["--generator", "8"], "key 'generator' expects an object, got 8"),
        (["--loss", "least_squares"], "key 'loss' expects 'non_saturating' or 'wasserstein', got"),
        (["--diffaugment", "[blur]"], "key 'diffaugment.0' expects 'color', 'translation' or 'cutout', got 'blur'"),
    ):
        with pytest.raises(ZooError, match=f"command line: {complaint}"):
            parse_recipe(GANRecipe, ["--config", path, *arguments])


def test_keywords_of_a_network_are_checked_by_name_and_type():
    from zoo.models import GANGenerator

    given = {"hidden_sizes": [8, 4], "latent_dim": 3}
    assert check_keywords(given, GANGenerator, "generator", "a.yaml") == given
    for values, complaint in (
        ({"hidden_sizes": [8, "x"]}, "a.yaml: key 'generator.hidden_sizes.1' expects a valid integer, got 'x'"),
        ({"width": 3}, "a.yaml: key 'generator' has unknown key 'width', expected one of out_channels, latent_dim"),
    ):
        with pytest.raises(ZooError, match=complaint):
            check_keywords(values, GANGenerator, "generator", "a.yaml", taken=("sample_size",))


def test_keywords_take_a_list_for_a_tuple_and_miss_what_is_required():
    def network(size: int, widths: tuple[int, int], rate: float = 0.1):
        """Has a tuple and a keyword without a default."""

    assert check_keywords({"size": 1, "widths": [2, 3]}, network, "net", "a") == {"size": 1, "widths": (2, 3)}
    for values, complaint in (
        ({"widths": [2, 3]}, "a: key 'net.size' is missing"),
        ({"size": 1, "widths": [2, 3], "rate": math.inf}, "a: key 'net.rate' expects a finite number, got inf"),
    ):
        with pytest.raises(ZooError, match=complaint):
            check_keywords(values, network, "net", "a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("True", True),
        ("~", None),
        ("010", 10),
        ("0x1F", 31),
        ("1e-4", 1e-4),
        ("-.5", -0.5),
        ("-.inf", -math.inf),
        ("2026-01-01", "2026-01-01"),
        ("1:30", "1:30"),
        ("{a: [1, 2.0, x]}", {"a": [1, 2.0, "x"]}),
        ("'1'", "1"),
    ],
)
def test_yaml_is_read_after_the_core_schema(text, value):
    found = parse_yaml(text)
    assert found == value and type(found) is type(value)
    assert parse_yaml(to_yaml({"key": value})) == {"key": value}


def test_text_is_written_so_that_readers_of_both_schemas_take_it_for_text(write):
    values = {"a": "no", "b": "1e-4", "c": "0o7", "d": "Ü", "e": 1e-05}
    assert read_yaml(write(to_yaml(values))) == values
    assert yaml.safe_load(to_yaml(values))["a"] == "no"


def test_precision_no_is_taken_on_the_command_line(write):
    path = write("name: a\ndataset: d\n")
    assert parse_recipe(Recipe, ["--config", path, "--mixed_precision", "no"])[0].mixed_precision == "no"


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ("attention_levels: [4]", "key 'attention_levels' expects levels below 4, got 4"),
        ("norm_num_groups: 5", "key 'block_out_channels' expects multiples of norm_num_groups, got 16"),
        (
            "attention_head_dim: 65",
            "key 'attention_head_dim' expects at most 64, the channels where attention is, got 65",
        ),
    ],
)
def test_widths_of_a_unet_that_do_not_fit_are_refused(write, keys, complaint):
    path = write(f"name: a\ndataset: d\n{keys}\n")
    with pytest.raises(ZooError) as error:
        parse_recipe(DiffusionRecipe, ["--config", path])
    assert str(error.value) == f"{path}: {complaint}"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ZooError, match="nowhere.yaml: cannot read the recipe"):
        parse_recipe(Recipe, ["--config", str(tmp_path / "nowhere.yaml")])


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(RECIPES)))
def test_every_committed_recipe_parses(path):
    kinds = suited(path)
    assert kinds
    for kind in kinds:
        recipe, _ = parse_recipe(kind, ["--config", str(path)])
        assert recipe.name in (path.stem, "-".join(path.relative_to(RECIPES).with_suffix("").parts).replace("_", "-"))


def test_a_dry_run_shows_the_recipe_before_anything_heavy_is_imported():
    assert {path.stem for path in TRAINING.glob("train_*.py")} <= set(SHOWN_AT_ONCE)
    code = f"""
import runpy, sys
sys.path.insert(0, {str(TRAINING)!r})
for script, recipe in {SHOWN_AT_ONCE}.items():
    sys.argv = [script, "--config", {str(RECIPES)!r} + "/" + recipe + ".yaml", "--dry_run"]
    try:
        runpy.run_path({str(TRAINING)!r} + "/" + script + ".py", run_name="__main__")
    except SystemExit as error:
        assert not error.code, script
    else:
        raise AssertionError(script)
    assert not sys.modules.keys() & {{"torch", "diffusers", "datasets", "transformers", "accelerate"}}, script
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = [line.split(": ")[1] for line in done.stdout.splitlines() if line.startswith("name: ")]
    assert names == list(SHOWN_AT_ONCE.values())


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*/recipe.yaml")), ids=lambda path: path.parent.name)
def test_published_recipes_can_be_trained_again(path):
    assert suited(path)


def test_every_key_is_set_by_a_committed_recipe():
    free = SETTINGS_OF_A_RUN | CHOSEN_AFTERWARDS | SMALLER_IN_TESTS | IN_PUBLISHED_RECIPES
    recipes = [(set(read_yaml(path)), suited(path)) for path in RECIPES.rglob("*.yaml")]
    for kind in {*KINDS, Recipe}:
        given = set().union(*(keys for keys, kinds in recipes if any(issubclass(own, kind) for own in kinds)))
        assert set(kind.__annotations__) - given - free == set(), kind
