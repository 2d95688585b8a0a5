"""Recipes and models' folders damaged at random: they are read as they stand, or one line says why not."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from damage import damage, mutated, tried

import zoo
from common.recipe import parse_recipe
from common.yaml_file import read_yaml, to_yaml
from train_gan import GANRecipe, check_recipe
from train_vae import VAERecipe
from zoo.cards import tables
from zoo.cards.model_card import render_card
from zoo.cards.network_card import render_network_card
from zoo.published.networks import load_judge

RECIPES = sorted((Path(__file__).parents[1] / "training" / "recipes").glob("*.yaml"))
FEW, MANY = range(100), range(100, 1100)


def damaged_recipes(folder: Path, seeds: range) -> list[str]:
    """Of GANs and VAEs, whose recipes hold the keywords of networks too."""
    file, found = folder / "recipe.yaml", []
    paths = [path for path in RECIPES if read_yaml(path).get("family")]
    for seed in seeds:
        rng = random.Random(seed)
        path = rng.choice(paths)
        kind = VAERecipe if "vae" in read_yaml(path)["family"] else GANRecipe
        if rng.random() < 0.7:
            file.write_text(to_yaml(mutated(read_yaml(path), rng)))
        else:
            file.write_bytes(damage(path.read_bytes(), np.random.default_rng(seed)))

        def work(kind=kind) -> None:
            recipe, _ = parse_recipe(kind, ["--config", str(file)])
            if kind is GANRecipe:
                check_recipe(recipe, str(file))

        found.append(tried(work, (path.name, seed)))
    return found


def use_model(folder: Path) -> None:
    render_card(folder)
    tables.models_table({"model": folder})
    zoo.from_pretrained(folder)


def use_network(folder: Path) -> None:
    render_network_card(folder)
    load_judge(folder)


def damaged_folders(folder: Path, use, seeds: range) -> list[str]:
    """One file at a time: a value of its JSON, or bytes, those of weights too."""
    files, found = sorted([*folder.rglob("*.json"), *folder.rglob("*.safetensors")]), []
    assert len(files) > 2
    for seed in seeds:
        rng, file = random.Random(seed), files[seed % len(files)]
        before = file.read_bytes()
        if file.suffix == ".json" and rng.random() < 0.7:
            file.write_text(json.dumps(mutated(json.loads(before), rng)))
        else:
            file.write_bytes(damage(before, np.random.default_rng(seed)))
        found.append(tried(lambda: use(folder), (file.name, seed)))
        file.write_bytes(before)
    return found


def test_damaged_recipes_are_told_in_one_line(tmp_path):
    found = damaged_recipes(tmp_path, FEW)
    assert min(found.count("done"), found.count("refused")) > 10


@pytest.mark.filterwarnings("ignore")
def test_damaged_models_are_told_in_one_line(publishable):
    found = damaged_folders(publishable, use_model, FEW[:50])
    assert min(found.count("done"), found.count("refused")) > 3


@pytest.mark.filterwarnings("ignore")
def test_damaged_networks_are_told_in_one_line(publishable_network):
    found = damaged_folders(publishable_network, use_network, FEW[50:])
    assert min(found.count("done"), found.count("refused")) > 3


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.filterwarnings("ignore")
def test_much_damage_is_told_in_one_line(publishable, publishable_network, tmp_path):
    damaged_recipes(tmp_path, MANY)
    damaged_folders(publishable, use_model, MANY[:500])
    damaged_folders(publishable_network, use_network, MANY[500:])
