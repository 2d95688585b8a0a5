import contextlib
import importlib
import sys
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState
from torch import nn

import common.run
import common.shell
import zoo.datasets
from zoo import cli
from zoo.metrics.extractors import FeatureExtractor


class CoarsePixels(FeatureExtractor):
    """An extractor that costs nothing: the mean of each sixteenth of an image."""

    name, preprocessing, dimensions, sha256 = "coarse_pixels", "mean of 16x16 pixels", 16, "0" * 64

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(images.mean(dim=1, keepdim=True), 4).flatten(1)


@pytest.fixture
def coarse_pixels() -> type[FeatureExtractor]:
    """What a validation can compare samples by in no time."""
    return CoarsePixels


@pytest.fixture(scope="session")
def phantom(tmp_path_factory) -> str:
    """A small phantom set on disk."""
    folder = tmp_path_factory.mktemp("data") / "phantom-64"
    return str(zoo.datasets.save(zoo.datasets.build_phantom(num_patients=20, seed=0), folder))


@pytest.fixture(scope="session")
def few_images(phantom, tmp_path_factory) -> str:
    """48 of its training images and 16 of its validation images."""
    built = zoo.datasets.load(phantom)
    for split, count in (("train", 48), ("validation", 16)):
        built.dataset[split] = built.dataset[split].select(range(count))
        built.info["splits"][split]["num_images"] = count
    return str(zoo.datasets.save(built, tmp_path_factory.mktemp("data") / "few"))


@pytest.fixture(autouse=True)
def fresh_accelerate():
    """accelerate keeps its state for the life of a process; each run of a test wants its own."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.fixture(autouse=True)
def quick(few_pairs, monkeypatch):
    """A picture of the losses takes longer than a tiny training; `test_curves.py` draws one, and a whole study does."""
    monkeypatch.setattr(common.run, "draw_curves", lambda log, picture: picture.write_bytes(b""))


@pytest.fixture
def stop_after_the_first_epoch(monkeypatch):
    """A context in which runs stop, as by Ctrl-C, when their first epoch is over."""

    @contextlib.contextmanager
    def stopping():
        end_epoch = common.run.Run.end_epoch

        def end_and_stop(self, *arguments, **keywords):
            end_epoch(self, *arguments, **keywords)
            self.interrupted = True

        with monkeypatch.context() as patch:
            patch.setattr(common.run.Run, "end_epoch", end_and_stop)
            yield

    return stopping


@pytest.fixture
def typed(monkeypatch):
    """Runs the commands in this process, which is quicker, and lists them."""
    lines = []

    def command(self, *words):
        words = list(map(str, words))
        lines.append(words)
        self.commands.append(" ".join(words))
        if words[0] in ("accelerate", "python"):
            script, *arguments = words[1:]
            if words[0] == "accelerate":
                script, *arguments = words[words.index("no", words.index("--dynamo_backend")) + 1 :]
            importlib.import_module(Path(script).stem).main(arguments)
            AcceleratorState._reset_state(reset_partial_state=True)
            GradientState._reset_state()
        else:
            with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
                patch.setattr(sys, "argv", words)
                cli.main()
            assert stopped.value.code == 0

    monkeypatch.setattr(common.shell.Shell, "command", command)
    return lines
