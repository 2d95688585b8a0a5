"""Other seeds of published models: what is trained, what is not done twice, and the table of their spread."""

import re
import shutil

import pytest
from accelerate.state import AcceleratorState

import seeds
import train_vae
from zoo.published.metrics_file import METRICS_FILE, load_metrics, save

BASE = """
name: ignored
family: vae
dataset: ignored
epochs: 1
network: {latent_dim: 4, hidden_dims: [8]}
batch_size: 16
"""
NAME = "tiny-vae"


@pytest.fixture
def chain(tmp_path, few_images):
    """A model of two stages that is published, and how to ask for its seeds."""
    recipes, cards, runs = tmp_path / "recipes", tmp_path / "cards", tmp_path / "runs"
    recipes.mkdir()
    (recipes / f"{NAME}-base.yaml").write_text(BASE)
    (recipes / f"{NAME}.yaml").write_text(f"{BASE}init_from: outputs/runs/{NAME}-base/pipeline\n")
    (cards / NAME).mkdir(parents=True)
    figures = {"ms_ssim": {"value": 0.5}}
    save(
        cards / NAME / METRICS_FILE,
        {"schema_version": 1, "model": {"name": NAME, "family": "vae"}, "diversity": figures},
    )
    where = ["--dataset", few_images, "--model_cards", cards, "--recipes", recipes, "--output_dir", runs]
    return runs, [str(word) for word in (NAME, *where, "--groups", "diversity", "--samples", 50)]


def test_all_stages_are_trained_with_the_seed_and_nothing_twice(chain, typed, tmp_path, capsys):
    runs, arguments = chain
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- seeds:begin -->\nold\n<!-- seeds:end -->\nAfter\n")
    seeds.main([*arguments, "--seeds", "1", "2", "--update", str(page)])
    scripts = [words[0] for words in typed]
    assert scripts == ["accelerate", "accelerate", "cardiac-zoo"] * 2
    found = [load_metrics(runs / f"{NAME}-seed{seed}" / "pipeline") for seed in (1, 2)]
    assert [metrics["training"]["seed"] for metrics in found] == [1, 2]
    assert [metrics["training"]["images_seen"] for metrics in found] == [2 * 48, 2 * 48]  # both stages
    values = [0.5, *(metrics["diversity"]["ms_ssim"]["value"] for metrics in found)]
    assert len(set(values)) == 3
    (row,) = re.findall(rf"`{NAME}`.*", page.read_text())
    mean = sum(values) / 3
    deviation = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
    assert row == f"`{NAME}` | 0, 1, 2 | – | – | {mean:.3f} ± {deviation:.3f} | – |"
    assert page.read_text().startswith("Before\n") and page.read_text().endswith("\nAfter\n")
    typed.clear()
    seeds.main([*arguments, "--seeds", "2"])
    assert typed == []
    assert f"`{NAME}` | 0, 2 |" in capsys.readouterr().out


def test_a_training_that_was_stopped_goes_on(chain, typed, few_images, stop_after_the_first_epoch):
    runs, arguments = chain
    recipe = runs.parent / "recipes" / f"{NAME}-base.yaml"
    recipe.write_text(BASE.replace("epochs: 1", "epochs: 2"))
    options = ["--dataset", few_images, "--output_dir", str(runs), "--name", f"{NAME}-base-seed1", "--seed", "1"]
    with stop_after_the_first_epoch():
        train_vae.main(["--config", str(recipe), *options])
    AcceleratorState._reset_state(reset_partial_state=True)
    seeds.main([*arguments, "--seeds", "1"])
    assert [words[-1] == "--resume" for words in typed] == [True, False, False]


def test_a_training_that_stopped_before_its_first_checkpoint_begins_anew(chain, typed):
    runs, arguments = chain
    left = runs / f"{NAME}-base-seed1"
    left.mkdir(parents=True)
    (left / "metrics.jsonl").write_text("{}\n")
    seeds.main([*arguments, "--seeds", "1"])
    assert [words[-1] == "--resume" for words in typed] == [False, False, False]
    assert "{}" not in (left / "metrics.jsonl").read_text().splitlines()


BAD = {
    "model": ("cards", "expected a published model of a family that is trained"),
    "recipe": ("recipes", f"{NAME}.yaml: not found; expected the recipe of {NAME}"),
}


@pytest.mark.parametrize(("folder", "message"), BAD.values(), ids=BAD)
def test_what_is_missing_is_named(chain, typed, folder, message):
    runs, arguments = chain
    shutil.rmtree(runs.parent / folder)
    with pytest.raises(seeds.ZooError, match=re.escape(message)):
        seeds.main(arguments)
    assert typed == []
