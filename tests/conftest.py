"""Fixtures for all tests: a Hub server in a process of its own, and models small enough to run in a blink."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read when huggingface_hub is imported; the test server speaks plain LFS
os.environ["OMP_NUM_THREADS"] = "1"  # two workers share two cores, and a forked test would wait for threads it has not
# Of a blocked import, Python code run by `Hub.python` sees what a machine without the package sees
BLOCK_ZOO = """
import sys
class NoZoo:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "zoo":
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, NoZoo())
"""


@dataclass
class Hub:
    """A running Hub server.

    Args:
        url: Its address.
        token: Of the user `zoo`, who may write to `zoo/…`.
        cache: An empty folder that the client's caches go to.
    """

    url: str
    token: str
    cache: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process that takes this server for the Hub."""
        own = {"HF_ENDPOINT": self.url, "HF_TOKEN": self.token, "HF_HOME": str(self.cache)}
        quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1"}
        # diffusers writes the pipeline files of all revisions of a repo to one path; compiled code is taken for that of
        # another file which is as long and was written in the same second, as happens in tests
        return {**os.environ, **own, **quiet, "PYTHONDONTWRITEBYTECODE": "1"}

    @property
    def api(self):
        """The real client, signed in."""
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=self.token)

    def cli(self, *arguments, **env: str) -> subprocess.CompletedProcess:
        """Runs `cardiac-zoo` in a fresh process with further variables of the environment."""
        command = [sys.executable, "-c", "from zoo.cli import main; main()", *map(str, arguments)]
        return subprocess.run(command, env={**self.env, **env}, capture_output=True, text=True, timeout=200)

    @contextlib.contextmanager
    def hold(self, path: str):
        """Inside, requests to paths that a regular expression finds wait; yields a function that awaits one."""

        def ask(action: str, method: str = "POST") -> int:
            with urlopen(Request(f"{self.url}/test/{action}", method=method)) as answer:
                return json.load(answer)

        def wait() -> None:
            deadline = time.monotonic() + 120
            while not ask("waiting", "GET"):
                assert time.monotonic() < deadline, f"nobody has asked for {path}"
                time.sleep(0.05)

        ask(f"hold?path={quote(path)}")
        try:
            yield wait
        finally:
            ask("release")

    def python(self, code: str, *, with_zoo: bool = True) -> str:
        """Runs Python code in a fresh process, where `zoo` cannot be imported if it is told so; returns its output."""
        code = code if with_zoo else BLOCK_ZOO + code
        done = subprocess.run([sys.executable, "-c", code], env=self.env, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A Hub server of this test session's own."""
    folder = tmp_path_factory.mktemp("hub")
    server = [sys.executable, str(Path(__file__).parent / "hub" / "hub_server.py"), str(folder / "blobs")]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), "the Hub server did not start"
        yield Hub(url, "hf_admin", folder / "cache")
        process.terminate()


@pytest.fixture
def dcgan():
    """A DCGAN of 16x16 images."""
    import torch

    from zoo.models import DCGANGenerator
    from zoo.pipelines import GANPipeline

    torch.manual_seed(0)
    generator = DCGANGenerator(16, 1, latent_dim=8, base_channels=8)
    for parameter in generator.parameters():  # untrained weights are so small that all images are nearly one
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    return GANPipeline(generator.eval(), "dcgan", pixel_spacing_mm=2.0)


@pytest.fixture
def acgan():
    """An ACGAN of 16x16 images with two conditions."""
    import torch

    from zoo.models import ACGANGenerator
    from zoo.pipelines import GANPipeline

    torch.manual_seed(0)
    generator = ACGANGenerator(
        conditions=["pathology", "phase"],
        class_names={"pathology": ["NOR", "HCM"], "phase": ["ED", "ES"]},
        class_frequencies={"pathology": [0.25, 0.75], "phase": [0.5, 0.5]},
        sample_size=16,
        latent_dim=8,
        embedding_dim=4,
        base_channels=8,
    )
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    return GANPipeline(generator.eval(), "acgan", pixel_spacing_mm=2.0)


@pytest.fixture
def infogan():
    """An InfoGAN of 16x16 images with three categories and two continuous codes."""
    import torch

    from zoo.models import DCGANGenerator
    from zoo.pipelines import GANPipeline

    torch.manual_seed(0)
    generator = DCGANGenerator(16, 1, latent_dim=6 + 3 + 2, base_channels=8, upsampling="bilinear")
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    return GANPipeline(generator.eval(), "infogan", categories=3, continuous_codes=2, pixel_spacing_mm=2.0)


@pytest.fixture
def cvae():
    """A convolutional VAE of 16x16 images."""
    import torch

    from zoo.models import ConvolutionalVAE
    from zoo.pipelines import VAEPipeline

    torch.manual_seed(0)
    network = ConvolutionalVAE(16, 1, 8, block_out_channels=[8, 8], final_channels=8, extra_layers=1, norm_num_groups=2)
    return VAEPipeline(network.eval(), "cvae", pixel_spacing_mm=2.0)


@pytest.fixture
def style_transfer(cvae):
    """Style transfer on the convolutional VAE, with the style of noise."""
    import torch

    from zoo.style import build_style_transfer

    images = torch.randint(256, (8, 1, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    settings = {"learning_rate": 0.05, "num_iterations": 2, "pixel_spacing_mm": 2.0}
    return build_style_transfer(cvae.vae, images, **settings)


def tiny_sampler():
    from diffusers import DPMSolverMultistepScheduler

    schedule = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
    return DPMSolverMultistepScheduler(**schedule, lambda_min_clipped=-5.1)


@pytest.fixture
def conditional_ddpm():
    """A diffusion model of 8x8 images with two conditions."""
    import torch

    from zoo.models import ConditionalUNet2DModel
    from zoo.pipelines import ConditionalDDPMPipeline

    torch.manual_seed(0)
    unet = ConditionalUNet2DModel(
        conditions=["pathology", "phase"],
        class_names={"pathology": ["NOR", "HCM"], "phase": ["ED", "ES"]},
        class_frequencies={"pathology": [0.25, 0.75], "phase": [0.5, 0.5]},
        sample_size=8,
        block_out_channels=[8, 8],
        attention_levels=[1],
        attention_head_dim=4,
        norm_num_groups=4,
    )
    torch.nn.init.normal_(unet.embeddings[0].weight)  # so that classes differ visibly
    pipe = ConditionalDDPMPipeline(unet.eval(), tiny_sampler(), default_steps=3, pixel_spacing_mm=2.0)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def expert_ddpm(conditional_ddpm):
    """The same model with an expert for the last half of its timesteps, a network of other weights."""
    import torch
    from diffusers import UNet2DModel

    from zoo.pipelines import ConditionalDDPMPipeline

    torch.manual_seed(1)
    unet_2 = UNet2DModel.from_config(conditional_ddpm.unet.unconditional_unet().config).eval()
    pipe = ConditionalDDPMPipeline(
        conditional_ddpm.unet, tiny_sampler(), unet_2, boundary_ratio=0.5, default_steps=4, pixel_spacing_mm=2.0
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def unconditional_ddpm(conditional_ddpm):
    """A diffusion model of 8x8 images without conditions."""
    from zoo.pipelines import UnconditionalDDPMPipeline

    unet = conditional_ddpm.unet.unconditional_unet().eval()
    pipe = UnconditionalDDPMPipeline(unet, tiny_sampler(), default_steps=3, pixel_spacing_mm=2.0)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def latent_diffusion(conditional_ddpm):
    """A diffusion model of 16x16 images by way of 4x4x3 latents."""
    import torch
    from diffusers import AutoencoderKL

    from zoo.models import ConditionalUNet2DModel
    from zoo.pipelines import LatentDiffusionPipeline

    torch.manual_seed(0)
    autoencoder = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[4, 4, 4],
        in_channels=1,
        out_channels=1,
        latent_channels=3,
        norm_num_groups=2,
        mid_block_add_attention=False,
        sample_size=16,
        scaling_factor=2.5,
        shift_factor=0.1,
    )
    torch.nn.init.normal_(autoencoder.decoder.conv_out.weight, 0.0, 0.3)  # so that images differ visibly
    config = {key: value for key, value in conditional_ddpm.unet.config.items() if not key.startswith("_")}
    unet = ConditionalUNet2DModel(**{**config, "sample_size": 4, "channels": 3}).eval()
    pipe = LatentDiffusionPipeline(autoencoder.eval(), unet, tiny_sampler(), default_steps=3, pixel_spacing_mm=2.0)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def score_model():
    """A score model of 8x8 images."""
    import torch

    from zoo.models import ScoreUNet2DModel
    from zoo.pipelines import ScorePipeline

    torch.manual_seed(0)
    network = {"block_out_channels": [8, 8], "attention_levels": [1], "attention_head_dim": 4, "norm_num_groups": 4}
    unet = ScoreUNet2DModel(0.6, sample_size=8, **network).eval()
    sde = {"name": "ve", "sigma_min": 0.02, "sigma_max": 10.0}
    pipe = ScorePipeline(unet, sde, "predictor_corrector", default_steps=4, pixel_spacing_mm=2.0)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tiny_painter(conditions: list[str], seed: int, **settings):
    """A network of 16x16 images or distance maps, whose classes and quantities can be seen in what it draws."""
    import torch

    from zoo.models import ConditionalUNet2DModel

    torch.manual_seed(seed)
    known = {"pathology": ["NOR", "HCM"], "phase": ["ED", "ES"]}
    network = ConditionalUNet2DModel(
        conditions=conditions,
        class_names={name: known[name] for name in conditions},
        class_frequencies={name: [0.25, 0.75] for name in conditions},
        block_out_channels=[8, 8],
        attention_levels=[1],
        attention_head_dim=4,
        norm_num_groups=4,
        **settings,
    )
    for table in network.embeddings:
        torch.nn.init.normal_(table.weight)
    return network.eval()


@pytest.fixture
def anatomy():
    """A model of 16x16 label maps, told two conditions and two quantities."""
    from zoo.pipelines import AnatomyPipeline

    ranges = {
        "wall_thickness_mm": {"mean": 9.0, "std": 3.0, "min": 4.0, "max": 20.0},
        "cavity_area_mm2": {"mean": 1500.0, "std": 800.0, "min": 30.0, "max": 5000.0},
    }
    quantities = {"quantities": list(ranges), "quantity_ranges": ranges}
    unet = tiny_painter(["pathology", "phase"], 0, sample_size=8, channels=3, **quantities)
    pipe = AnatomyPipeline(unet, tiny_sampler(), mask_size=16, default_steps=3, pixel_spacing_mm=2.0)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def hearts(anatomy):
    """A model of 16x16 hearts to order, of two stages."""
    from diffusers import DPMSolverMultistepScheduler

    from zoo.pipelines import HeartPipeline

    coarse = tiny_painter(["pathology", "phase"], 1, sample_size=16, map_channels=4, patch_size=2)
    fine = tiny_painter([], 2, sample_size=16, map_channels=4)
    sampler = DPMSolverMultistepScheduler.from_config(tiny_sampler().config, algorithm_type="sde-dpmsolver++")
    pipe = HeartPipeline(
        anatomy.unet,
        anatomy.scheduler,
        coarse,
        sampler,
        fine,
        boundary_ratio=0.4,
        default_steps=4,
        default_anatomy_steps=3,
        pixel_spacing_mm=2.0,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


PIPELINES = [
    "dcgan",
    "acgan",
    "infogan",
    "cvae",
    "style_transfer",
    "conditional_ddpm",
    "unconditional_ddpm",
    "latent_diffusion",
    "score_model",
    "anatomy",
    "hearts",
]


@pytest.fixture(params=PIPELINES)
def any_pipeline(request):
    """Each kind of pipeline in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def metrics() -> dict:
    """A `metrics.json` with made-up figures."""

    def figure(value: float, spread: float, **more) -> dict:
        return {"value": value, "low": value - spread, "high": value + spread, "n": 25, **more}

    def distances(fd: float, kid: float) -> dict:
        return {
            "fd_efficientnet_lite0": figure(fd, 2.0, ratio_to_real=fd / 34.0),
            "kid_efficientnet_lite0": figure(kid, 0.002, difference_to_real=kid - 0.001),
        }

    def likeness(ssim: float) -> dict:
        return {
            "ssim": figure(ssim, 0.01),
            "cc": figure(0.9, 0.02),
            "mse": figure(0.004, 0.001),
            "psnr": figure(24.3, 1),
        }

    return {
        "schema_version": 1,
        "model": {"name": "tiny", "family": "dcgan", "sha256": {"generator_model/x.safetensors": "ab"}},
        "dataset": {
            "name": "ACDC",
            "preset": "acdc-64",
            "fingerprint": "f" * 64,
            "split": "test",
            "patient_ids": {"train": ["patient001"], "test": ["patient101"]},
            "n_patients": 25,
            "n_images": 526,
        },
        "samples": {"count": 1000, "seed": 0, "settings": {"dtype": "float32"}},
        "extractors": {"efficientnet_lite0": {"preprocessing": "224x224", "dimensions": 1280, "sha256": "cd"}},
        "projection": {
            "method": "Adam",
            "settings": {"alpha_bar": 0.5},
            "latent_dimensions": 100,
            **likeness(0.712),
            "seconds_per_image": 0.5,
            "alpha_bar_0.9": likeness(0.934),
        },
        "distribution": distances(85.0, 0.0512),
        "diversity": {"ms_ssim": figure(0.31, 0.02), "ms_ssim_train": figure(0.25, 0.02)},
        "copying": {"share_copies": figure(0.012, 0.01), "share_copies_real": figure(0.01, 0.01), "threshold": 0.42},
        "cost": {
            "parameters": 2_765_568,
            "network_evaluations": 1,
            "samples_per_second_batch_1": figure(301.5, 20),
            "samples_per_second_batch_16": figure(1502.0, 90),
            "hardware": "a test machine",
        },
        "references": {
            "real": {"distribution": distances(34.0, 0.001), "diversity": {"ms_ssim": figure(0.25, 0.02)}},
            "mean_image": {"distribution": distances(343.0, 0.4), "projection": likeness(0.402)},
            "copy": {"distribution": distances(35.0, 0.002), "copying": {"share_copies": figure(1.0, 0.0)}},
        },
        "training": {
            "recipe": "tiny",
            "images_seen": 152600,
            "seconds": 3725.0,
            "hardware": "a training machine",
            "seed": 7,
            "code_version": "0.1.0",
            "dataset": {"name": "ACDC", "preset": "acdc-64", "n_images": 1526, "n_patients": 80},
        },
    }


@pytest.fixture
def few_pairs(monkeypatch):
    """Lets group `diversity` take 20 pairs instead of the protocol's 1,000, whose MS-SSIM takes seconds a row."""
    from zoo.metrics import diversity

    pairs = diversity.random_pairs
    monkeypatch.setattr(diversity, "random_pairs", lambda ids, seed: pairs(ids, seed, 20))


@pytest.fixture(scope="session")
def published_once(tmp_path_factory) -> Path:
    """Where `publishable` keeps what it makes once a session."""
    return tmp_path_factory.mktemp("published") / "tiny"


@pytest.fixture
def publishable(published_once, conditional_ddpm, metrics, tmp_path) -> Path:
    """The folder of a model that is fit to be published, the test's own to spoil."""
    from zoo import samples
    from zoo.cards import model_card
    from zoo.files import sha256
    from zoo.published import metrics_file

    folder = published_once
    if not folder.exists():
        conditional_ddpm.save_pretrained(folder)
        weights = {path.relative_to(folder).as_posix(): sha256(path) for path in folder.rglob("*.safetensors")}
        metrics["model"] = {"name": "tiny", "family": "ddpm", "sha256": weights}
        metrics_file.save(folder / metrics_file.METRICS_FILE, metrics)
        samples.sample_grid(conditional_ddpm).save(folder / model_card.SAMPLES_FILE)
        model_card.render_card(folder)
    return shutil.copytree(folder, tmp_path / "tiny")


@pytest.fixture
def publishable_network(metrics, tmp_path) -> Path:
    """The folder of a segmenter that is fit to be published."""
    import torch

    from zoo.cards import network_card
    from zoo.files import sha256
    from zoo.models import UNetSegmenter, UNetSegmenterConfig
    from zoo.published import metrics_file
    from zoo.published.saving import save_network

    folder = tmp_path / "segmenter"
    save_network(
        UNetSegmenter(UNetSegmenterConfig(16, block_out_channels=[8, 16], norm_num_groups=4)), folder, torch.float32
    )
    weights = {path.name: sha256(path) for path in folder.glob("*.safetensors")}
    content = {key: metrics[key] for key in ("schema_version", "dataset", "training")}
    content["training"] |= {"parameters": 1234, "selected_by": {"validation_loss": 0.1}}
    content["model"] = {"name": "segmenter", "family": "segmenter", "sha256": weights}
    content["segmentation"] = {"dice": {"value": 0.9, "low": 0.8, "high": 1.0, "n": 25}}
    metrics_file.save(folder / metrics_file.METRICS_FILE, content)
    network_card.render_network_card(folder)
    return folder


@pytest.fixture
def signed_in(hub, monkeypatch):
    """Lets this process take the test server for the Hub, with an empty cache and the token of `zoo`."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    files = constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("/{repo_id}")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "".join(files[1:]))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache / "hub"))
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return hub
