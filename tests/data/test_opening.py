"""Edge: names and places of data sets are understood, or refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import platformdirs
import pytest
from PIL import Image

from harness.data import dataset_names, known_sha256, open_dataset, opening
from harness.errors import InputError


def test_names_are_those_that_can_be_opened() -> None:
    assert dataset_names() == ("cifar10", "devanagari", "digits", "fashion-mnist", "kmnist", "mnist")


@pytest.mark.parametrize("ask", [open_dataset, known_sha256])
def test_misspelt_name_is_refused_with_the_nearest_one(ask: type) -> None:
    with pytest.raises(InputError) as caught:
        ask("devangari")
    assert caught.value.received == "unknown data set 'devangari'"
    assert "folder:PATH" in caught.value.rule
    assert caught.value.remedy == (
        "did you mean 'devanagari'? known: "
        "cifar10, devanagari, digits, fashion-mnist, folder:PATH, kmnist, mnist"
    )


@pytest.mark.parametrize("ask", [open_dataset, known_sha256])
def test_folder_without_a_path_is_refused(ask: type) -> None:
    with pytest.raises(InputError) as caught:
        ask("folder:")
    assert caught.value.received == "the data set 'folder:' names no folder"
    assert "folder:my-pictures" in caught.value.remedy


def test_data_folder_that_does_not_exist_is_refused_wherever_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(InputError) as caught:
        open_dataset("digits", data_dir=nowhere)
    assert caught.value.received == f"the data folder {nowhere} (from --data-dir) does not exist"
    assert "existing folder" in caught.value.rule
    assert "correct --data-dir" in caught.value.remedy
    monkeypatch.setenv("HARNESS_DATA", str(nowhere))
    with pytest.raises(InputError, match=r"from HARNESS_DATA\) does not exist"):
        open_dataset("devanagari")


def test_a_given_folder_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "nowhere"))
    assert open_dataset("digits", data_dir=tmp_path).name == "digits"


def test_a_given_cache_goes_before_the_environment(cache_dir: Path, tmp_path: Path) -> None:
    open_dataset("digits", cache_dir=tmp_path / "other")
    assert (tmp_path / "other" / "digits").is_dir()
    assert not cache_dir.exists()


def test_without_settings_the_cache_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_CACHE")
    assert opening.cache_folder(None) == platformdirs.user_cache_path("ablation-harness")


def test_pinned_hashes_are_known_without_any_data() -> None:
    # sha256 of the canonical JSON over the README's figures, see test_devanagari
    assert known_sha256("devanagari") == "566394a3b2fb5ac0d4094fbddcbb3e4597b5e077730b9771547176b23129d701"
    assert known_sha256("digits") is not None
    assert known_sha256("mnist") is None


def test_relative_folder_is_the_same_data_set_as_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("train", "test"):
        for label in ("a", "b"):
            (tmp_path / "mine" / part / label).mkdir(parents=True)
            Image.fromarray(np.full((4, 4), ord(label), np.uint8)).save(
                tmp_path / "mine" / part / label / "1.png"
            )
    monkeypatch.chdir(tmp_path)
    relative, absolute = open_dataset("folder:mine"), open_dataset(f"folder:{tmp_path / 'mine'}")
    assert relative.name == absolute.name == f"folder:{tmp_path / 'mine'}"
    assert relative.sha256 == absolute.sha256 == known_sha256("folder:mine")
