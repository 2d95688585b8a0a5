import os

import pytest
import torch

from common.machine import choose_precision, launcher_of, multiplies_bf16, warn_of_one_process
from zoo.errors import ZooError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"), [("fpu amx_bf16 amx_tile", True), ("avx512_bf16", True), ("avx2", False)]
)
def test_a_processor_multiplies_bfloat16_if_its_flags_say_so(flags, expected, tmp_path):
    (tmp_path / "cpuinfo").write_text(f"model name\t: any\nflags\t\t: {flags}\n")
    assert multiplies_bf16(CPU, tmp_path / "cpuinfo") is expected
    assert not multiplies_bf16(CPU, tmp_path / "nowhere")
    assert not multiplies_bf16(torch.device("meta"), tmp_path / "cpuinfo")


@pytest.mark.parametrize(
    ("launcher", "recipe", "native", "expected"),
    [
        (None, "auto", True, "bf16"),
        (None, "auto", False, "no"),
        ("no", "auto", True, "bf16"),  # what the launcher says when its user said nothing
        ("no", "bf16", False, "bf16"),
        ("bf16", "auto", False, "bf16"),
        ("bf16", "bf16", False, "bf16"),
    ],
)
def test_precision_is_the_recipes_or_the_launchers(launcher, recipe, native, expected, monkeypatch):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if launcher:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launcher)
    monkeypatch.setattr("common.machine.multiplies_bf16", lambda device: native)
    assert choose_precision(recipe, CPU) == expected


def test_precisions_that_contradict_or_cannot_be_are_refused(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(ZooError, match="mixed_precision: expected bf16 or auto, as accelerate launch says .*; got no"):
        choose_precision("no", CPU)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    with pytest.raises(ZooError, match="expected no, fp16 or bf16, got fp8"):
        choose_precision("auto", CPU)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION")
    with pytest.raises(ZooError, match="on a CPU, got fp16"):
        choose_precision("fp16", CPU)


def test_one_process_of_several_says_so(monkeypatch, capsys):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    warn_of_one_process(2)
    assert not capsys.readouterr().err
    warn_of_one_process(1)
    assert "started one process of several" in capsys.readouterr().err


def test_only_a_launched_process_has_a_launcher(monkeypatch):
    for name in ("ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert launcher_of() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert launcher_of() == os.getppid()
