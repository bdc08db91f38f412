"""What a trained network makes of a picture is what it made of it when its run was measured."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.design.study import Study
from harness.errors import InputError
from harness.runner.options import Options
from harness.runner.predicting import Predicted, predict
from harness.runner.running import run_study
from harness.store.kept import Kept
from harness.store.results import Results
from tests.tables import frame


@pytest.fixture
def small(tiny_study: Study) -> Study:
    """One batch size and seed."""
    return replace(
        tiny_study, factors=(), seeds=1, settings={**tiny_study.settings, "batch_size": 16, "dropout": 0.0}
    )


@pytest.fixture
def results(small: Study, tmp_path: Path) -> Results:
    run_study(small, Options(results=tmp_path, device="cpu", workers=0), lambda _: None)
    return Results(tmp_path / "tiny")


def asked(study: Study, paths: list[Path], results: Results) -> list[Predicted]:
    shown, classes = predict(study, paths, results=results)
    assert classes == ("a", "b", "c", "d")
    return shown


def test_the_test_images_one_by_one_give_the_recorded_accuracy_and_loss(
    small: Study, results: Results, tiny_folder: Path
) -> None:
    paths = sorted((tiny_folder / "test").glob("*/*.png"))
    assert len(paths) == 32
    shown = asked(small, paths, results)
    recorded = frame(results.folder, "runs").set_index("variant")
    for place, variant in enumerate(("plain", "bn")):
        given = [picture.predictions[place].probabilities for picture in shown]
        assert all(math.isclose(sum(shares), 1) for shares in given)
        assert {picture.predictions[place].run.cell.variant for picture in shown} == {variant}
        assert {picture.predictions[place].epoch for picture in shown} == {2}
        own = [shares["abcd".index(path.parent.name)] for shares, path in zip(given, paths, strict=True)]
        right = [max(shares) == share for shares, share in zip(given, own, strict=True)]
        assert np.mean(right) == recorded.loc[variant, "test_accuracy"]
        loss = -np.mean(np.log(own))
        assert loss == pytest.approx(recorded.loc[variant, "test_loss"], rel=1e-5)


def test_the_first_cell_answers_unless_another_is_named(
    tiny_study: Study, tmp_path: Path, tiny_folder: Path
) -> None:
    run_study(tiny_study, Options(results=tmp_path, device="cpu", workers=0), lambda _: None)
    path = next((tiny_folder / "test").glob("a/*.png"))
    (shown,) = asked(tiny_study, [path], Results(tmp_path / "tiny"))
    assert [(p.run.cell.variant, p.run.cell.levels, p.run.seed) for p in shown.predictions] == [
        ("plain", {"batch_size": 8}, 0),
        ("bn", {"batch_size": 8}, 0),
    ]


def test_what_is_not_trained_or_not_kept_is_refused_with_the_way_to_have_it(
    small: Study, results: Results, tiny_folder: Path, tmp_path: Path
) -> None:
    path = next((tiny_folder / "test").glob("a/*.png"))
    longer = replace(small, epochs=3)
    with pytest.raises(InputError, match="is not trained yet") as refused:
        asked(longer, [path], results)
    assert refused.value.remedy.startswith("`harness run tiny` (and --set or --seeds as in this call)")
    kept = next((results.folder / "kept").glob("bn-*"))
    run_id = kept.name.removesuffix(".1.safetensors")
    kept.unlink()
    with pytest.raises(InputError, match=f"the weights of {run_id} are not in") as refused:
        asked(small, [path], results)
    assert f"`harness run tiny --only {run_id}`" in refused.value.remedy
    run_study(
        small, Options(results=tmp_path, device="cpu", workers=0, only=run_id), lambda _: None
    )  # as it says
    assert Kept(results).epochs(run_id) == (0, 1, 2)
    asked(small, [path], results)


def test_what_is_no_picture_is_refused_as_input(small: Study, results: Results, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    for path, said in (
        (text, "is not a sound picture"),
        (tmp_path / "none.png", "can't be read"),
        (tmp_path, "can't be"),
    ):
        with pytest.raises(InputError, match=said) as refused:
            asked(small, [path], results)
        assert str(path) in refused.value.received
    deep = tmp_path / "deep.png"
    Image.fromarray(np.zeros((8, 8), dtype=np.uint16)).save(deep)
    with pytest.raises(InputError, match="8 bits"):
        asked(small, [deep], results)
