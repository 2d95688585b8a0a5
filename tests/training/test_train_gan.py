import copy
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import train_gan
import zoo
from zoo.errors import ZooError

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
epochs: 2
batch_size: 32
generator: {{latent_dim: 8, base_channels: 4}}
discriminator: {{base_channels: 4}}
real_label: 0.9
ema_decay: 0.9
kid_samples: 20
evaluate_every: 2
sample_every: 2
checkpoint_every: 1
"""
CRAFT = ["--diffaugment", "[color, translation, cutout]", "--discriminator_steps", "2", "--max_grad_norm", "1"]
# Each family, with as much of the craft as there is between them
FAMILIES = {
    "gan": ["--generator", "{hidden_sizes: [8]}", "--discriminator", "{hidden_sizes: [8]}"],
    "dcgan": [
        *("--generator", "{base_channels: 4, upsampling: bilinear}"),
        *("--discriminator", "{base_channels: 4, norm: none}", *CRAFT),
    ],
    "wgan-gp": [
        *("--discriminator", "{base_channels: 4, norm: instance}", "--loss", "wasserstein"),
        *("--gradient_penalty", "10", "--discriminator_steps", "2"),
    ],
    "acgan": ["--conditions", "[pathology, phase]", "--condition_dropout", "0.2", *CRAFT],
    "infogan": ["--discriminator", "{base_channels: 4, categories: 3, continuous_codes: 2}"],
}


@pytest.fixture(autouse=True)
def cheap_validation(monkeypatch, coarse_pixels):
    monkeypatch.setattr(train_gan, "EfficientNetLite0Extractor", coarse_pixels)


@pytest.fixture
def recipe(tmp_path, phantom):
    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=phantom, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


def test_a_run_resumes_exactly_and_can_be_fine_tuned(recipe, tmp_path):
    runs = tmp_path / "runs"
    train_gan.main(recipe("whole"))
    rows = [json.loads(line) for line in (runs / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert any("d_loss" in row for row in rows)
    assert any("validation_kid" in row for row in rows)
    pipe = zoo.from_pretrained(runs / "whole" / "pipeline")
    assert pipe(2, output_type="np").images.shape == (2, 64, 64, 1)

    train_gan.main([*recipe("parts"), "--max_seconds", "0.001"])  # stops after one step, counted as an epoch
    train_gan.main([*recipe("tuned"), "--epochs", "1", "--init_from", str(runs / "whole" / "pipeline")])
    assert (runs / "tuned" / "discriminator" / "config.json").exists()
    metrics = json.loads((runs / "tuned" / "pipeline" / "metrics.json").read_text())
    assert metrics["model"] == {"name": "tuned", "family": "dcgan"}


@pytest.mark.parametrize("family", ["dcgan", "acgan"])
def test_a_stopped_run_goes_on_to_the_same_weights(recipe, tmp_path, monkeypatch, family):
    settings = ["--family", family, *FAMILIES[family]]
    train_gan.main([*recipe("whole"), *settings])
    import common.run

    end_epoch = common.run.Run.end_epoch

    def stop_after_the_first_epoch(self, *arguments, **settings):
        end_epoch(self, *arguments, **settings)
        self.interrupted = True

    with monkeypatch.context() as patch:
        patch.setattr(common.run.Run, "end_epoch", stop_after_the_first_epoch)
        train_gan.main([*recipe("broken"), *settings])
    train_gan.main([*recipe("broken"), *settings, "--resume"])
    for name in ("model.safetensors", "model_1.safetensors"):
        one, other = (load_file(tmp_path / "runs" / run / "checkpoints/last" / name) for run in ("whole", "broken"))
        assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_both_networks_and_leaves_a_pipeline(recipe, tmp_path, monkeypatch, family):
    build, at_first = train_gan.build_networks, []

    def remember(*arguments):
        networks = build(*arguments)
        at_first.extend(copy.deepcopy(network.state_dict()) for network in networks)
        return networks

    monkeypatch.setattr(train_gan, "build_networks", remember)
    train_gan.main([*recipe(family), "--family", family, *FAMILIES[family], "--epochs", "1"])
    folder = tmp_path / "runs" / family
    assert json.loads((folder / "pipeline" / "metrics.json").read_text())["model"]["family"] == family
    pipe = zoo.from_pretrained(folder / "pipeline")
    assert pipe.family == family
    assert pipe(2, output_type="np").images.shape == (2, 64, 64, 1)
    for before, number in zip(at_first, ("", "_1"), strict=True):
        after = load_file(folder / "checkpoints" / "last" / f"model{number}.safetensors")
        moved = [key for key, value in after.items() if value.isfinite().all() and not torch.equal(value, before[key])]
        parameters = [key for key in after if key.endswith(("weight", "original"))]
        assert parameters and set(parameters) <= set(moved)
    assert list(pipe.class_names) == (["pathology", "phase"] if family == "acgan" else [])
    if family == "infogan":
        assert (pipe.prior.noise_dim, pipe.prior.categories, pipe.prior.continuous_codes) == (3, 3, 2)
        with Image.open(folder / "codes.png") as picture:
            assert picture.size == (9 * 66 - 2, 3 * 66 - 2)


def test_labels_are_left_open_until_hearts_are_learned():
    recipe = train_gan.GANRecipe(name="any", dataset="any", condition_dropout=0.2, condition_epochs=[10, 30])
    shares = [train_gan.share_left_open(recipe, epoch) for epoch in (0, 10, 20, 30, 99)]
    assert shares == pytest.approx([1, 1, 0.6, 0.2, 0.2])
    recipe.condition_epochs = []
    assert train_gan.share_left_open(recipe, 0) == 0.2


def test_the_embeddings_learn_nothing_before_their_epoch(recipe, tmp_path, monkeypatch):
    build, at_first = train_gan.build_networks, []

    def remember(*arguments):
        networks = build(*arguments)
        at_first.append(copy.deepcopy(networks[0].state_dict()))
        return networks

    monkeypatch.setattr(train_gan, "build_networks", remember)
    settings = ["--family", "acgan", *FAMILIES["acgan"], "--epochs", "1", "--temperature", "2"]
    for name, begin in (("late", "[1, 2]"), ("early", "[0, 1]")):
        train_gan.main([*recipe(name), *settings, "--condition_epochs", begin])
        after = load_file(tmp_path / "runs" / name / "checkpoints/last/model.safetensors")
        key = "embeddings.0.weight"
        assert torch.equal(after[key], at_first[-1][key]) == (name == "late")
        assert zoo.from_pretrained(tmp_path / "runs" / name / "pipeline").default_settings == {"temperature": 2}


def test_an_acgan_goes_on_with_patients_whose_pathology_is_unknown(recipe, tmp_path, phantom):
    settings = ["--family", "acgan", "--conditions", "[pathology, phase]", "--epochs", "1"]
    train_gan.main([*recipe("whole"), *settings])
    import zoo.datasets

    built = zoo.datasets.load(phantom)
    built.dataset = built.dataset.remove_columns("pathology")
    own = zoo.datasets.save(built, tmp_path / "own")
    source = str(tmp_path / "runs" / "whole" / "pipeline")
    train_gan.main([*recipe("tuned"), *settings, "--dataset", str(own), "--init_from", source])
    pipe = zoo.from_pretrained(tmp_path / "runs" / "tuned" / "pipeline")
    assert pipe.class_names == zoo.from_pretrained(source).class_names
    with pytest.raises(ZooError, match=r"has the conditions \['pathology', 'phase'\], the recipe \['phase'\]"):
        train_gan.main([*recipe("other"), *settings, "--init_from", source, "--conditions", "[phase]"])


def test_a_new_discriminator_learns_alone_before_it_moves_a_published_generator(
    recipe, tmp_path, few_images, stop_after_the_first_epoch
):
    names = {"pathology": ["NOR", "MINF", "DCM", "HCM", "RV"]}
    frequencies = {"pathology": [0.2] * 5}
    generator = zoo.models.ACGANGenerator(["pathology"], names, frequencies, 64, latent_dim=8, base_channels=4)
    zoo.pipelines.GANPipeline(generator.eval(), "acgan").save_pretrained(tmp_path / "published")
    settings = [*recipe("tuned"), "--family", "acgan", "--conditions", "[pathology]", "--dataset", few_images]
    settings += ["--init_from", str(tmp_path / "published"), "--discriminator_epochs", "1"]
    with stop_after_the_first_epoch():
        train_gan.main(settings)
    weights = tmp_path / "runs" / "tuned" / "checkpoints" / "last" / "model.safetensors"
    before = dict(generator.named_parameters())
    after = load_file(weights)
    assert all(torch.equal(after[key], value) for key, value in before.items())
    train_gan.main([*settings, "--resume"])
    after = load_file(weights)
    assert not any(torch.equal(after[key], value) for key, value in before.items() if value.ndim > 1)
    # Samples are of one's own patients' classes
    shares = zoo.from_pretrained(tmp_path / "runs/tuned/pipeline").generator_model.config.class_frequencies["pathology"]
    own = zoo.datasets.load(few_images).dataset["train"]["pathology"]
    assert shares == pytest.approx([own[:].count(index) / len(own) for index in range(5)])
    with pytest.raises(ZooError, match="'discriminator_epochs' expects fewer than epochs, got 2 of 2"):
        train_gan.main([*settings, "--discriminator_epochs", "2"])


def test_a_model_of_another_kind_is_no_start(recipe, tmp_path, infogan):
    infogan.save_pretrained(tmp_path / "infogan")
    source = ["--init_from", str(tmp_path / "infogan")]
    with pytest.raises(ZooError, match="infogan: expected a model with a GANGenerator"):
        train_gan.main([*recipe("misfit"), *source, "--family", "gan", *FAMILIES["gan"]])
    zoo.pipelines.GANPipeline(zoo.models.DCGANGenerator(64, 1, 20, 4), "infogan", 5, 3).save_pretrained(
        tmp_path / "infogan"
    )
    with pytest.raises(ZooError, match="infogan: has the codes {'categories': 5, 'continuous_codes': 3}, the recipe"):
        train_gan.main([*recipe("others"), *source])


def test_a_dataset_of_another_size_is_refused(recipe, tmp_path):
    zoo.pipelines.GANPipeline(zoo.models.DCGANGenerator(32, 1, 8, 4)).save_pretrained(tmp_path / "small")
    with pytest.raises(ZooError, match="makes 32 pixels and 1 channels, the dataset has 64 and 1"):
        train_gan.main([*recipe("misfit"), "--init_from", str(tmp_path / "small")])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--family", "ddpm"], "key 'family' expects one of dcgan, gan, wgan-gp, acgan, infogan, got 'ddpm'"),
        (["--generator", "{width: 4}"], "key 'generator' has unknown key 'width', expected one of latent_dim"),
        (["--generator", "{sample_size: 32}"], "key 'generator' has unknown key 'sample_size'"),
        (
            ["--discriminator", "{base_channels: many}"],
            "key 'discriminator.base_channels' expects a valid integer, got 'many'",
        ),
        (["--conditions", "[phase]"], "key 'conditions' expects none for family dcgan"),
        (["--family", "acgan"], "key 'conditions' expects some for family acgan"),
        (["--condition_epochs", "[1, 2]"], "key 'condition_epochs' expects none without conditions"),
        (
            ["--family", "acgan", "--conditions", "[phase]", "--condition_epochs", "[2, 2]"],
            "key 'condition_epochs' expects two growing numbers of epochs, got [2, 2]",
        ),
        (["--gradient_penalty", "10"], "key 'discriminator.norm' expects instance or none with a gradient_penalty"),
    ],
)
def test_a_recipe_that_does_not_suit_the_family_is_refused(recipe, arguments, complaint):
    command = recipe("bad")
    with pytest.raises(ZooError) as error:
        train_gan.main([*command, *arguments])
    assert str(error.value).startswith(f"{command[1]}: {complaint}")
    assert not (Path(command[1]).parent / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--generator", "{upsampling: nearest}"], 'upsampling: expected "transposed" or "bilinear"'),
        (
            ["--family", "infogan", "--generator", "{latent_dim: 12}"],
            "key 'generator.latent_dim' expects more than the codes' 12",
        ),
    ],
)
def test_what_a_network_refuses_is_told_in_one_line(recipe, arguments, complaint):
    with pytest.raises(ZooError, match=complaint):
        train_gan.main([*recipe("bad"), *arguments])


def test_batch_norm_is_measured_anew():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    network[0].running_mean.fill_(99)
    batches = [(torch.randn(400, 2) * 3 + 5,) for _ in range(4)]
    train_gan.measure_batch_norm(network, batches)
    torch.testing.assert_close(network[0].running_mean, torch.cat([batch for (batch,) in batches]).mean(0))
    torch.testing.assert_close(network[0].running_var, torch.full((2,), 9.0), atol=0.6, rtol=0)
    assert network[0].momentum == 0.1
