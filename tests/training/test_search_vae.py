"""Study B's search, on a tiny phantom."""

import json

import pytest

import search_vae
from zoo.errors import ZooError

RECIPE = """
name: ignored
family: vae
dataset: ignored
network: {latent_dim: 4, hidden_dims: [8]}
"""


def test_every_combination_has_a_row_and_none_is_trained_twice(typed, few_images, tmp_path, capsys):
    (tmp_path / "vae.yaml").write_text(RECIPE)
    line = ["--config", str(tmp_path / "vae.yaml"), "--dataset", few_images, "--output_dir", str(tmp_path / "runs")]
    line += ["--batch_size", "8", "16", "--epochs", "1", "2"]
    search_vae.main(line)
    table = [row for row in capsys.readouterr().out.splitlines() if row.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table[2:]]
    assert len(cells) == 8 and len(typed) == 4
    assert {tuple(row[:3]) for row in cells} >= {("sgd", "8", "1"), ("rmsprop", "16", "2")}
    losses = [float(row[3]) for row in cells]
    assert losses == sorted(losses)
    log = [json.loads(row) for row in (tmp_path / "runs" / "sgd-8" / "metrics.jsonl").read_text().splitlines()]
    first = next(row["validation_loss"] for row in log if row.get("validation_loss") and row["epoch"] == 1)
    assert f"{first:.2f}" in {row[3] for row in cells if row[:3] == ["sgd", "8", "1"]}
    search_vae.main(line)
    assert len(typed) == 4
    with pytest.raises(ZooError, match="metrics.jsonl: no validation loss of epoch 3"):
        search_vae.main([*line[:-2], "3", "2"])
