"""The article's figures beside a study's, in words."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import numpy as np
import pytest

from harness.data import known_sha256
from harness.design.finding import Finding
from harness.design.variant import Variant
from harness.findings.article import Figure
from harness.report.article import ArticleSection, describe_article
from harness.report.palette import palette_of
from tests.report.conftest import record, small_study, written

ONE = (Finding("accuracy", claim="it is higher", endpoint="accuracy", better="higher"),)


def figure(name: str, published: float, values: list[float], *, network: str = "bn") -> Figure:
    return Figure(network, network, 4, name, published, np.array(values))


def described(figures: list[Figure]) -> ArticleSection | None:
    study = small_study(variants=(*small_study().variants, Variant("with", norm="batch", width=8)))
    return describe_article(figures, palette=palette_of(study))


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_row_has_the_published_value_and_the_seeds() -> None:
    losses, shares = [0.12, 0.08, 0.1, 0.11], [0.97, 0.98, 0.99, 0.982]
    section = described([figure("test_loss", 0.088827, losses), figure("test_accuracy", 0.982, shares)])
    assert section is not None
    loss, accuracy = section.rows
    assert (loss.network, loss.epoch, loss.figure, loss.seeds) == ("bn", "4", "test loss", "4")
    assert (loss.published, loss.mean) == ("0.0888", f"{statistics.mean(losses):.4f}")
    assert (loss.sd, loss.extent) == (f"{statistics.stdev(losses):.4f}", "0.0800 to 0.1200")
    assert loss.place == "below 3 of 4"
    assert plain(accuracy.published) == "98.20 %"
    assert plain(accuracy.mean) == f"{100 * statistics.mean(shares):.2f} %"
    assert accuracy.sd == f"{100 * statistics.stdev(shares):.2f}"
    assert plain(accuracy.extent) == "97.00 to 99.00 %"
    assert accuracy.place == "above 2 of 4, level with 1"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.4, 0.5, 0.6], "below all 3"),
        ([0.1, 0.2, 0.2], "above all 3"),
        ([0.1, 0.4], "below 1 of 2"),
        ([0.3, 0.3], "level with 2"),
        ([0.3, 0.4], "below 1 of 2, level with 1"),
    ],
)
def test_the_place_among_the_seeds_is_told(values: list[float], words: str) -> None:
    section = described([figure("train_loss", 0.3, values)])
    assert section is not None
    assert section.rows[0].place == words


def test_the_text_counts_the_figures_within_the_range() -> None:
    inside, outside = [0.2, 0.3, 0.6], [0.4, 0.5, 0.6]
    section = described(
        [
            figure("train_loss", 0.3, inside),
            figure("test_loss", 0.3, outside),
            figure("train_loss", 0.25, inside, network="plain"),
        ]
    )
    assert section is not None
    text = section.texts[0]
    assert "from seed 5842: batch size 32, learning rate 0.001, 30 epochs" in text
    assert "its bn network and its plain network with the same settings from 3 seeds" in text
    assert "Of 3 published figures, 2 lie within the range of the seeds here." in text
    assert "outside the range of the others with a chance of 2 in 4" in text


def test_a_chance_is_told_only_where_all_figures_have_the_same_seeds() -> None:
    section = described([figure("train_loss", 0.3, [0.2, 0.4]), figure("test_loss", 0.3, [0.2, 0.4, 0.6])])
    assert section is not None
    assert "chance" not in section.texts[0]
    one = described([figure("train_loss", 0.3, [0.2])])
    assert one is not None
    assert "chance" not in one.texts[0]
    assert "Of 1 published figure, 0 lie within" in one.texts[0]
    assert one.rows[0].sd == "–"


def test_a_variant_of_another_name_is_told() -> None:
    section = described([Figure("bn", "with", 0, "test_loss", 0.3, np.array([0.2, 0.4]))])
    assert section is not None
    assert "its bn network is with here" not in section.texts[0]
    assert "its bn network (here with)" in section.texts[0]
    assert section.rows[0].network == "with"


def test_the_page_has_the_section_where_data_and_settings_are_the_articles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.report.conftest.SHA256", known_sha256("devanagari"))
    study = small_study(dataset="devanagari", factors=(), seeds=3, findings=ONE)
    recorded = record(study, tmp_path / "small", readings=lambda _: [])
    page = written(recorded, tmp_path)
    assert ("h2", "The article against this study") in page.headings
    assert "#article" in page.values("href")
    assert "Numbers: the article against this study" in page.values("aria-label")
    values = [
        row["accuracy"]
        for run in recorded.runs
        if run["variant"] == "bn"
        for row in recorded.curves[run["run_id"]]
        if (row["epoch"], row["split"]) == (5, "test")
    ]
    assert f"98.20 % {100 * statistics.mean(values):.2f} %" in plain(page.text)


def test_each_seed_is_a_dot_and_the_article_a_diamond() -> None:
    values = [0.2, 0.3, 0.6]
    section = described(
        [
            figure("test_loss", 0.25, values, network="plain"),
            figure("test_loss", 0.15, values[:2]),
            figure("test_accuracy", 0.982, [0.97, 0.99]),
        ]
    )
    assert section is not None
    picture = section.picture
    assert picture.legend == ("plain", "bn")
    loss, accuracy = picture.panels
    drawn = [re.findall(r"<use [^>]*fill:(var\(--(?:v\d|paper)\))", panel.svg) for panel in (loss, accuracy)]
    assert [sorted(colours) for colours in drawn] == [
        sorted(["var(--v0)"] * 3 + ["var(--v1)"] * 2 + ["var(--paper)"] * 2),
        sorted(["var(--v1)"] * 2 + ["var(--paper)"]),
    ]
    assert loss.title == (
        "Test loss, published (and the range of the seeds here): plain in epoch 4 0.25 (0.2 to 0.6) and "
        "bn in epoch 4 0.15 (0.2 to 0.3)."
    )
    assert "bn in epoch 4 98.2 (97 to 99)" in accuracy.title
    assert picture.data.groupby(["panel", "variant"]).size().to_dict() == {
        ("test loss", "plain"): 3, ("test loss", "bn"): 2, ("test accuracy", "bn"): 2,
    }  # fmt: skip
    assert set(picture.data["published"]) == {0.25, 0.15, 0.982}


def test_nothing_comparable_has_no_section() -> None:
    assert described([]) is None
