"""Model cards."""

import json

import pytest
from huggingface_hub import ModelCard

from zoo.cards.model_card import card_text, render_card
from zoo.published.metrics_file import save


@pytest.fixture
def folder(dcgan, tmp_path, metrics):
    dcgan.save_pretrained(tmp_path / "tiny")
    save(tmp_path / "tiny" / "metrics.json", metrics)
    return tmp_path / "tiny"


def section(card: str, title: str) -> str:
    return card.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_metadata(folder, metrics):
    data = ModelCard.load(render_card(folder)).data
    assert data.license == "cc-by-nc-sa-4.0"
    assert data.library_name == "diffusers"
    assert data.pipeline_tag == "unconditional-image-generation"
    assert data.datasets == ["acdc"]
    assert data.model_name == "tiny"
    found = {result.metric_type: result for result in data.eval_results}
    # An SSIM of projections is not what `ssim` alone promises, nor the one of pairs
    assert found["projection_ssim"].metric_value == metrics["projection"]["ssim"]["value"]
    assert found["diversity_ms_ssim"].metric_value == metrics["diversity"]["ms_ssim"]["value"]
    fid = found["fid"]
    assert (fid.metric_value, fid.metric_name) == (85.0, "FID (EfficientNet-Lite0)")
    assert fid.metric_args == {"feature_extractor": "EfficientNet-Lite0"}
    result = found["projection_ssim"]
    assert (result.dataset_config, result.dataset_split, result.dataset_revision) == ("acdc-64", "test", "f" * 64)
    assert set(data.metrics) == set(found) and len(data.eval_results) == len(found)


def test_the_index_holds_few_figures_all_of_the_model_and_each_with_a_name_of_its_own(folder, metrics):
    figure = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 25}
    names = ("fid_inception_v3", "fd_dinov2", "cmmd_clip", "recall_efficientnet_lite0", "coverage_efficientnet_lite0")
    metrics["distribution"] |= dict.fromkeys((*names, "fd_unet_acdc", "kid_clip"), figure)
    metrics["anatomy"] = {"ring_closed": figure, "ring_closed_real": figure | {"value": 0.75}, "segmenter": "a name"}
    metrics["utility"] = {"cas_cnn": figure, "nas_cnn": figure, "nas_cnn_hcm": figure}
    metrics["control"], metrics["conditioning"] = {"mask_dice": figure}, {"class_accuracy": figure}
    metrics["unpaired"] = {"ssim_random": figure}
    save(folder / "metrics.json", metrics)
    results = ModelCard.load(render_card(folder)).data.eval_results
    assert len(results) == 15 == len({result.metric_name for result in results})
    assert {result.metric_value for result in results} <= {0.8, 85.0, 0.0512, 0.712, 0.9, 0.004, 0.31, 0.012}
    found = {result.metric_name: result for result in results}
    fids = [name for name in found if name.startswith("FID")]
    assert fids == ["FID (Inception-v3)", "FID (EfficientNet-Lite0)", "FID (DINOv2)"]  # the customary one first
    assert all(found[name].metric_type == "fid" for name in fids)
    assert not any("U-Net" in name or "real" in name or "CAS" in name for name in found)
    assert found["share with a closed ring"].metric_args == {"aim": 0.75}  # real images, for whoever ranks by it


def test_code_of_a_card_loads_the_model_from_where_it_is(folder):
    here, there = card_text(folder), card_text(folder, "clinic/tiny-on-the-hub")
    assert here.count("model_cards/tiny") == there.count("clinic/tiny-on-the-hub") >= 5
    assert "model_cards/" not in there


def test_licence(folder, metrics, unconditional_ddpm):
    render_card(folder)
    licence = (folder / "LICENSE").read_text()
    assert "Attribution-NonCommercial-ShareAlike 4.0" in licence and "Bernard" in licence and "ACDC" in licence
    assert "Python files" in licence and "Apache License, Version 2.0" in licence
    unconditional_ddpm.save_pretrained(folder)  # has no code of ours; what it was trained on is not recorded
    render_card(folder)
    licence = (folder / "LICENSE").read_text()
    assert "Unknown: ask the owner" in licence and "Python files" not in licence and "ACDC" not in licence


def test_results_are_the_figures_of_the_file(folder):
    results = section(render_card(folder).read_text(), "Results")
    assert (
        "| FID (EfficientNet-Lite0) | 85.0 [83.0, 87.0], 2.50 × real | 34.0 [32.0, 36.0], 1.00 × real "
        "| 343 [341, 345], 10.09 × real | 35.0 [33.0, 37.0], 1.03 × real |" in results
    )
    assert "| SSIM | 0.712 [0.702, 0.722] | 0.402 [0.392, 0.412] |" in results
    assert "| SSIM, alpha bar 0.9 | 0.934 [0.924, 0.944] |  |" in results
    assert "| free latent dimensions | 100 |" in results
    assert "Settings: alpha_bar 0.5." in results
    assert "| share of copies | 1.2 % [0.2, 2.2] | 100.0 % [100.0, 100.0] |" in results
    assert "1,000 samples of seed 0" in results
    assert "FID (Inception-v3): not measured. Where its weights can be had, one command adds it:" in results
    assert "Not measured: Samples without pairs, Anatomy, Asked-for classes, Usefulness." in results


def test_text_around_the_results(folder):
    card = render_card(folder).read_text()
    assert "IEEE Transactions on Medical Imaging 37(11):2514-2525, 2018" in section(card, "Training data and licence")
    training = section(card, "Training")
    assert "| Training images seen | 152,600 |" in training and "| Time | 1 h 02 min |" in training
    assert "training/train_gan.py --config training/recipes/tiny.yaml" in training
    assert "| Machine | a training machine |" in training and "| Environment | diffusers 0." in training
    assert "| Energy | not measured |" in training
    assert "--dataset outputs/data/acdc-64 --split test" in section(card, "Results")
    assert "must not be used for diagnosis" in section(card, "Intended use")
    assert "trust_remote_code=True" in section(card, "How to use")
    limits = section(card, "Limitations")
    assert "is 2.5 times that of real images of other patients" in limits
    assert "more than training images do (MS-SSIM of pairs 0.310 against 0.250)" in limits
    assert "1.2 % [0.2, 2.2] of its samples are as near" in limits
    assert "samples.png" not in card


def test_commands_name_the_folder_of_the_recipe(folder):
    def shown() -> str:
        return section(render_card(folder).read_text(), "Results")

    recipe = folder / "recipe.yaml"
    recipe.write_text("name: tiny\ndataset: outputs/data/acdc-64-mine\n")
    assert "--dataset outputs/data/acdc-64-mine --split test" in shown()
    for elsewhere in ("/home/me/acdc-64", "outputs/data/other-32"):  # no one else's folder, not the data judged on
        recipe.write_text(f"name: tiny\ndataset: {elsewhere}\n")
        assert "--dataset outputs/data/acdc-64 --split test" in shown()


def test_the_picture_is_shown_where_there_is_one(folder):
    (folder / "samples.png").touch()
    assert "](samples.png)" in render_card(folder).read_text()


def test_what_was_not_measured_is_said_to_be_so(folder):
    (folder / "metrics.json").unlink()
    path = render_card(folder)
    card = path.read_text()
    assert section(card, "Results").strip() == "Not measured yet."
    assert section(card, "Training").strip() == "Not recorded."
    assert ModelCard.load(path).data.eval_results is None
    assert "0.0" not in section(card, "Limitations")


def test_an_evaluation_of_some_groups_alone(folder, metrics):
    for group in ("distribution", "copying", "samples", "references", "training"):
        del metrics[group]
    save(folder / "metrics.json", metrics)
    card = render_card(folder).read_text()
    assert "Likeness of the sample set" in section(card, "Results").split("Not measured:")[1]
    assert "Fréchet" not in card and "copies are" not in card
    assert "526" not in section(card, "Training data and licence")  # test images were not trained on


def test_measured_energy(folder, metrics):
    metrics["training"]["energy_kwh"] = 0.123
    save(folder / "metrics.json", metrics)
    assert "| Energy | 0.123 kWh |" in render_card(folder).read_text()


def test_conditional_model(conditional_ddpm, tmp_path):
    conditional_ddpm.save_pretrained(tmp_path / "ddpm")
    (tmp_path / "ddpm" / "samples.png").touch()
    card = render_card(tmp_path / "ddpm").read_text()
    assert "- `class_labels` (pathology): NOR, HCM\n- `phase` (phase): ED, ES\n" in card
    assert 'pipe(batch_size=4, class_labels="HCM", generator=' in card
    assert "from left to right, a row for each class: NOR, HCM.\n" in card


def test_diffusers_own_pipeline_needs_no_trust(unconditional_ddpm, tmp_path):
    unconditional_ddpm.save_pretrained(tmp_path / "ddpm")
    card = render_card(tmp_path / "ddpm").read_text()
    assert "trust_remote_code" not in card and "num_inference_steps=3" in card and "2 mm wide" in card


def test_only_data_of_the_folder_is_used(folder, tmp_path):
    """Rendering twice gives the same card, and no path of the machine is in it."""
    first = render_card(folder).read_text()
    assert render_card(folder).read_text() == first
    assert str(tmp_path) not in first
    assert json.loads((folder / "metrics.json").read_text())["model"]["name"] in first


def test_a_network_that_had_a_part_does_not_grade_its_own_homework(folder, metrics):
    figure = {"value": 12.7, "low": 9.0, "high": 15.0, "n": 25}
    metrics["distribution"]["fd_skinlesnet_acdc"] = figure
    save(folder / "metrics.json", metrics)
    names = [result.metric_name for result in ModelCard.load(render_card(folder)).data.eval_results]
    assert names[0] == "FID (EfficientNet-Lite0)" and "FID (SkinLesNet of ACDC)" not in names
    metrics["extractors"] = {"efficientnet_lite0": {"had_a_part": True}, "skinlesnet_acdc": {"dimensions": 128}}
    save(folder / "metrics.json", metrics)
    card = render_card(folder)
    names = [result.metric_name for result in ModelCard.load(card).data.eval_results]
    assert names[0] == "FID (SkinLesNet of ACDC)" and not any("EfficientNet" in name for name in names)
    results = section(card.read_text(), "Results")
    assert "graded by itself" in results
    assert results.index("| FID (SkinLesNet of ACDC)") < results.index("| FID (EfficientNet-Lite0)")


def test_a_remark_is_the_first_line(folder):
    (folder / "remark.md").write_text("It shows a method and is not for use.\n")
    assert "# tiny\n\n**It shows a method and is not for use.**\n\n" in render_card(folder).read_text()


def test_a_second_segmenter_has_a_column(folder, metrics):
    figure = {"value": 0.912, "low": 0.9, "high": 0.92, "n": 25}
    metrics["control"] = {"mask_dice": figure, "segmenter": "segmenter-acdc-128 (sha256 ab)"}
    save(folder / "metrics.json", metrics)
    second = {"mask_dice": figure | {"value": 0.905}, "segmenter": "segmenter-acdc-128-seed-1 (sha256 cd)"}
    save(folder / "metrics-second-segmenter.json", {"schema_version": 1, "control": second})
    results = section(render_card(folder).read_text(), "Results")
    assert "|  | this model | by segmenter-acdc-128-seed-1 |" in results
    assert "| 0.912 [0.900, 0.920] | 0.905 [0.900, 0.920] |" in results
