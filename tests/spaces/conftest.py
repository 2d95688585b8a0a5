"""Fixtures of the Space: small models of every kind, a sweep, and a running server."""

import contextlib
import importlib.util
import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

SPACE = Path(__file__).resolve().parents[2] / "spaces" / "cardiac-mri-zoo"
KINDS = [
    "acgan",
    "cvae",
    "conditional_ddpm",
    "hearts",
    "infogan",
    "latent_diffusion",
    "score_model",
    "style_transfer",
    "unconditional_ddpm",
]
VARIABLES = ["ZOO_MODELS", "ZOO_DATASET", "ZOO_SEGMENTER", "ZOO_STYLE_SWEEP", "ZOO_ANSWERS", "ZOO_ANSWERS_REPO"]


@pytest.fixture(autouse=True)
def nothing_attached(monkeypatch):
    """What the developer has attached plays no part."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def app():
    """The module `app.py` of the Space, under a name of its own."""
    spec = importlib.util.spec_from_file_location("cardiac_mri_zoo_space", SPACE / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hearts_gan():
    """A GAN whose images are as large as the phantom's."""
    import torch

    from zoo.models import DCGANGenerator
    from zoo.pipelines import GANPipeline

    torch.manual_seed(0)
    generator = DCGANGenerator(64, 1, latent_dim=4, base_channels=4)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    return GANPipeline(generator.eval(), "dcgan", pixel_spacing_mm=2.0)


@pytest.fixture
def pair(tmp_path, monkeypatch, dcgan, conditional_ddpm):
    """A folder of two small published models, which `ZOO_MODELS` names."""
    folder = tmp_path / "models"
    dcgan.save_pretrained(folder / "tiny-dcgan")
    conditional_ddpm.save_pretrained(folder / "tiny-ddpm")
    monkeypatch.setenv("ZOO_MODELS", str(folder))
    return folder


@pytest.fixture(scope="session")
def kept(tmp_path_factory) -> Path:
    """A folder for what is made once a session."""
    return tmp_path_factory.mktemp("space")


@pytest.fixture
def zoo_of_all(kept, request, metrics) -> Path:
    """A folder of small models of every kind; `a-gan` has the phantom's size.

    Four have figures; the best of them, `conditional-ddpm`, has a picture of samples, and one shows no hearts.
    """
    from zoo.published import metrics_file
    from zoo.samples import sample_grid

    folder = kept / "models"
    if not folder.exists():
        request.getfixturevalue("hearts_gan").save_pretrained(folder / "a-gan")
        for kind in KINDS:
            request.getfixturevalue(kind).save_pretrained(folder / kind.replace("_", "-"))
        request.getfixturevalue("dcgan").save_pretrained(folder / "lesions")
        sample_grid(request.getfixturevalue("conditional_ddpm")).save(folder / "conditional-ddpm" / "samples.png")
        figures = {"conditional-ddpm": (80.0, 0.4), "a-gan": (85.0, 0.3), "acgan": (90.0, 0.1), "cvae": (95.0, 0.2)}
        for name, (distance, kid) in {**figures, "lesions": (70.0, 0.5)}.items():
            found = metrics["distribution"]
            found["fd_efficientnet_lite0"] |= {"value": distance, "ratio_to_real": distance / 40}
            found["kid_efficientnet_lite0"]["value"] = kid
            metrics["training"]["dataset"]["name"] = "ISIC" if name == "lesions" else "ACDC"
            metrics["model"]["family"] = "ddpm" if name == "conditional-ddpm" else "acgan"
            metrics_file.save(folder / name / "metrics.json", metrics)
    return folder


@pytest.fixture
def real(kept, phantom) -> Path:
    """A dataset to attach: drawn hearts stand in for patients."""
    from zoo.datasets import save

    if not (kept / "dataset").exists():
        save(phantom, kept / "dataset")
    return kept / "dataset"


@pytest.fixture
def sweep(kept, style_transfer) -> Path:
    """A folder of `style-sweep`: two content images, three style weights, one content weight, two learning rates."""
    from zoo.style import Grid, style_sweep

    folder = kept / "sweep"
    if not folder.exists():
        images = style_transfer(2, num_iterations=1, output_type="pt").content_images
        grid = Grid(style_weights=(0.1, 1.0, 10.0), learning_rates=(0.05, 0.01), num_iterations=2)
        style_sweep(style_transfer, images, folder, grid, progress=False)
    return folder


@pytest.fixture(scope="session")
def phantom():
    """A few synthetic patients."""
    from zoo.datasets import build_phantom

    return build_phantom(num_patients=5, progress=False)


@pytest.fixture(scope="session")
def heart(phantom) -> np.ndarray:
    """A slice of the phantom that anybody takes for a heart: uint8 `(64, 64)`."""
    rows = phantom.dataset["train"]
    mid = next(i for i, index in enumerate(rows["slice_index"][:]) if index == 3)
    return np.asarray(rows[mid]["image"]).copy()


@dataclass
class Site:
    """A running Space.

    Args:
        url (`str`): Its address.
        answers (`Path`): The CSV file of the reader study.
        hosts (`list[str]`): Whom the server has looked up.
        jobs (`Jobs`): Its queue.
    """

    url: str
    answers: Path
    hosts: list[str]
    jobs: object

    def client(self, monkeypatch, downloads: Path | bool = False):
        """A client of its API."""
        from gradio_client import Client

        with monkeypatch.context() as offline:  # the client, not the Space, reports to the Hub that it starts
            offline.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
            folder = str(downloads) if downloads else False
            return Client(self.url, verbose=False, download_files=folder, analytics_enabled=False)


@pytest.fixture(scope="session")
def running():
    """Holds the server until the session ends."""
    with contextlib.ExitStack() as stack:
        yield stack, {}


@pytest.fixture
def site(running, kept, request) -> Site:
    """A server with small models of every kind, a sweep and a dataset, shared by all tests."""
    stack, sites = running
    if not sites:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("ZOO_MODELS", str(request.getfixturevalue("zoo_of_all")))
        patch.setenv("ZOO_STYLE_SWEEP", str(request.getfixturevalue("sweep")))
        patch.setenv("ZOO_DATASET", str(request.getfixturevalue("real")))
        patch.setenv("ZOO_ANSWERS", str(kept / "answers.csv"))
        patch.setenv("GRADIO_TEMP_DIR", str(kept / "cache"))
        hosts = []
        look_up = socket.getaddrinfo

        def note(host, *rest, **more):
            hosts.append(host)
            return look_up(host, *rest, **more)

        patch.setattr(socket, "getaddrinfo", note)
        module = request.getfixturevalue("app")
        page = module.build()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        _, url, _ = module.launch(page, server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
        stack.callback(page.close)
        sites["one"] = Site(url, kept / "answers.csv", hosts, page.jobs)
    return sites["one"]
