"""Compiled networks draw the same pictures."""

import functools

import numpy as np
import pytest
import torch

import zoo
from zoo.errors import ZooError
from zoo.pipelines import sample_generators
from zoo.published import compiling


@pytest.fixture
def traced(monkeypatch):
    """Networks are traced as for the compiler and run without it, which takes seconds instead of a minute.

    Counts the graphs that were made.
    """
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=keep))
    monkeypatch.setattr(compiling, "_try_out", lambda device: None)
    return graphs


OTHERS = ["acgan", "infogan", "conditional_ddpm", "unconditional_ddpm", "latent_diffusion", "anatomy", "hearts"]


@pytest.mark.parametrize(
    "kind", ["dcgan", "cvae", "score_model", *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)]
)
def test_pictures_are_the_same(kind, request, traced, tmp_path):
    pipe = request.getfixturevalue(kind)
    pipe.save_pretrained(tmp_path / "model")
    compiled = zoo.from_pretrained(tmp_path / "model", compile=True)
    compiled.set_progress_bar_config(disable=True)
    first, again = (p(2, generator=sample_generators(0, range(2)), output_type="np").images for p in (pipe, compiled))
    assert np.abs(first - again).max() < 1 / 255
    assert traced
    compiled.save_pretrained(tmp_path / "again")  # of the networks, not of what compiles them
    zoo.from_pretrained(tmp_path / "again")


def test_levels_of_noise_do_not_each_make_a_network(score_model, traced):
    compiling.compile_networks(score_model)
    score_model(2, num_inference_steps=12)
    assert len(traced) <= 2


def test_a_machine_without_a_compiler_is_told_in_one_line(dcgan, monkeypatch):
    def refuse(*arguments, **keywords):
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nmore")

    monkeypatch.setattr(torch, "compile", refuse)
    with pytest.raises(ZooError, match=r"compile: torch.compile does not work .*No working C\+\+ compiler") as caught:
        compiling.compile_networks(dcgan)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("default::DeprecationWarning")  # torch's, of itself
def test_it_compiles_where_there_is_a_compiler(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "model")
    compiled = zoo.from_pretrained(tmp_path / "model", compile=True)
    images = [p(2, generator=sample_generators(0, range(2)), output_type="np").images for p in (dcgan, compiled)]
    assert np.abs(images[0] - images[1]).max() < 1 / 255
