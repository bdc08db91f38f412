"""Networks of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.design.run import Cell, Run
from harness.design.settings import Value
from harness.errors import InputError
from harness.models.building import build_model

SOURCE = """
from torch import nn

seen = []

def make(in_channels, classes, *, growth, width=12, image_size=(1, 1)):
    seen.append(dict(growth=growth, width=width, image_size=image_size))
    return nn.Sequential(nn.Conv2d(in_channels, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(width, classes))

def open_ended(**settings):
    seen.append(settings)
    return nn.Flatten()

def no_module(classes):
    return classes

def broken(classes):
    raise ZeroDivisionError("oh")
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module of the user's own on the import path; each test gets one of its own name."""
    name = f"nets_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def build(build: str, seed: int = 0, **given: Value) -> nn.Module:
    run = Run(Cell("mine", {}), seed, "devanagari", "0" * 64, 1, given, build=build)
    return build_model(run, in_channels=3, classes=5, image_size=(8, 9))


def seen(name: str) -> list[dict[str, object]]:
    import importlib

    found: list[dict[str, object]] = importlib.import_module(name).seen
    return found


def test_a_build_is_called_with_what_its_signature_names(nets: str) -> None:
    model = build(f"{nets}:make", growth=4, lr=0.5)
    assert seen(nets) == [{"growth": 4, "width": 12, "image_size": (8, 9)}]
    assert model(torch.zeros(2, 3, 8, 9)).shape == (2, 5)


def test_a_setting_that_equals_the_harness_default_still_reaches_the_build(nets: str) -> None:
    build(f"{nets}:make", growth=4, width=16)
    assert seen(nets)[0]["width"] == 16


def test_an_open_signature_gets_everything_the_study_gives(nets: str) -> None:
    build(f"{nets}:open_ended", growth=4, lr=0.5)
    assert seen(nets) == [{"growth": 4, "lr": 0.5, "in_channels": 3, "classes": 5, "image_size": (8, 9)}]


def test_a_seed_decides_the_weights_and_leaves_torchs_generator_alone(nets: str) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (build(f"{nets}:make", seed, growth=4) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.state_dict()["0.weight"], again.state_dict()["0.weight"])
    assert not torch.equal(first.state_dict()["0.weight"], other.state_dict()["0.weight"])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("mke", r"no callable 'mke'[\s\S]*package.module:function[\s\S]*did you mean 'make'"),
        ("make", r"needs \['growth'\][\s\S]*in_channels, classes, image_size[\s\S]*declare these"),
        ("no_module", r"returned int[\s\S]*returns an nn.Module[\s\S]*return the network"),
        ("broken", r"raised ZeroDivisionError: oh[\s\S]*returns an nn.Module[\s\S]*mend it"),
    ],
)
def test_a_build_that_can_not_work_is_refused(nets: str, function: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(f"{nets}:{function}")
