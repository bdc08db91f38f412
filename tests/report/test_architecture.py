"""Networks drawn as boxes: what stands in them, where, and what stands out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from harness.design.finding import Finding
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.analysis import analyse
from harness.findings.architecture import COLUMNS, Network, Networks
from harness.models.article import ArticleNet
from harness.models.shapes import layers_of
from harness.report.architecture import architecture_picture
from harness.report.page import compose
from harness.report.palette import palette_of
from harness.report.panels import Panel, Picture
from harness.store.results import Results
from tests.report.conftest import record, small_study, written

ONE = (Finding("accuracy", claim="it is higher", endpoint="accuracy", better="higher"),)
STUDY = Study(
    name="s",
    question="?",
    dataset="digits",
    variants=(
        Variant("plain"),
        Variant("bn", norm="batch"),
        Variant("late", norm="batch", placement="after"),
    ),
)
PALETTE = palette_of(STUDY)


def network(variant: str, **settings: Any) -> Network:
    """A network of the article's family, walked through."""
    layers = layers_of(ArticleNet(1, 10, (32, 32), **settings).module(), (1, 32, 32))
    rows = [
        (
            number,
            one.name,
            one.kind,
            *(",".join(map(str, s)) for s in (one.input, one.output)),
            one.parameters,
        )
        for number, one in enumerate(layers, 1)
    ]
    return Network(variant, pd.DataFrame(rows, columns=COLUMNS))


def flat(variant: str, names: list[str], *, kind: str = "Linear") -> Network:
    rows = [(number, name, kind, "4", "4", 10) for number, name in enumerate(names, 1)]
    return Network(variant, pd.DataFrame(rows, columns=COLUMNS))


def drawn(*networks: Network, factors: tuple[str, ...] = (), levels: str = "") -> Picture:
    return architecture_picture(Networks(networks, factors), levels=levels, palette=PALETTE)


def heights(panel: Panel) -> dict[str, list[float]]:
    """Where each word of a panel stands, from top to bottom."""
    found: dict[str, list[float]] = {}
    for node in ElementTree.fromstring(panel.svg).iter("text"):
        place = re.search(r"translate\([\d.]+ ([\d.]+)\)", node.get("transform", ""))
        y = float(place[1]) if place else float(node.get("y", "nan"))
        found.setdefault("".join(node.itertext()), []).append(y)
    return found


def strokes(panel: Panel) -> list[tuple[str, str]]:
    """Colour and width of the outline of each box."""
    styles = [node.get("style", "") for node in ElementTree.fromstring(panel.svg).iter("path")]
    return [
        (found[1], width[1])
        for style in styles
        if (found := re.search(r"stroke:(var\(--v\d\))", style))
        and (width := re.search(r"stroke-width:([\d.]+)", style))
    ]


def test_layers_of_one_name_stand_at_one_height() -> None:
    plain, bn = (heights(panel) for panel in drawn(network("plain"), network("bn", norm="batch")).panels)
    for name in ("conv1", "relu1", "conv2", "conv3", "pool", "head"):
        assert plain[name] == bn[name]
    assert "norm1" not in plain
    assert plain["conv1"] < bn["norm1"] < plain["relu1"]


def test_norms_after_their_activation_stand_below_it() -> None:
    pictures = drawn(network("bn", norm="batch"), network("late", norm="batch", placement="after"))
    bn, late = (heights(panel) for panel in pictures.panels)
    assert bn["conv1"] < bn["norm1"] < bn["relu1"] < bn["conv2"]
    assert late["conv1"] < late["relu1"] < late["norm1"] < late["conv2"]
    assert bn["conv2"] == late["conv2"]


def test_what_the_baseline_does_not_have_stands_out_in_the_variants_colour() -> None:
    picture = drawn(network("plain"), network("bn", norm="batch", kernel=5))
    plain, bn = (strokes(panel) for panel in picture.panels)
    assert plain == []
    # Three norms, and three convolutions with other numbers of parameters.
    assert bn == [("var(--v1)", bn[0][1])] * 6


def test_the_alternative_text_states_layers_and_parameters() -> None:
    (panel,) = drawn(network("bn", norm="batch", depth=1)).panels
    total = 16 * 10 + 32 + 10 * (16 * 16 * 16 + 1)
    assert panel.title == (
        f"bn: 5 layers, {total:,} parameters. From an image of 1 × 32 × 32 to logits: "
        "conv1 (Conv2d, to 16 × 32 × 32, 160 parameters), "
        "norm1 (BatchNorm2d, to 16 × 32 × 32, 32 parameters), "
        "relu1 (ReLU, to 16 × 32 × 32), pool (MaxPool2d, to 16 × 16 × 16), head (Linear, to 10, 40,970 "
        "parameters)."
    )
    texts = heights(panel)
    assert {"image 1 × 32 × 32", "logits", "160", "40,970", "BatchNorm2d"} <= set(texts)


def test_the_data_have_a_row_a_layer() -> None:
    plain, bn = network("plain"), network("bn", norm="batch")
    data = drawn(plain, bn).data
    assert list(data.columns) == ["variant", *COLUMNS]
    assert data.groupby("variant").size().to_dict() == {"plain": 8, "bn": 11}
    assert data["parameters"].sum() == plain.parameters + bn.parameters


def test_a_deep_network_is_drawn_part_by_part() -> None:
    names = ["stem", *(f"stage{i}.{j}.conv" for i in range(3) for j in range(12)), "head"]
    picture = drawn(flat("plain", names))
    texts = heights(picture.panels[0])
    assert {"stem", "stage0", "stage1", "stage2", "head", "12 layers", "120"} <= set(texts)
    assert "stage0.0.conv" not in texts
    assert "drawn together" in picture.caption
    assert len(picture.data) == 38


def test_a_part_with_other_layers_inside_stands_out_though_its_numbers_are_the_same() -> None:
    names = [f"stage{i}.{j}" for i in range(3) for j in range(12)]
    plain, bn = flat("plain", names), flat("bn", names)
    bn.layers.loc[bn.layers["name"] == "stage1.5", "kind"] = "GroupNorm"
    one, other = drawn(plain, bn).panels
    assert strokes(one) == []
    assert len(strokes(other)) == 1


def test_of_a_deep_network_without_parts_the_middle_is_one() -> None:
    picture = drawn(flat("plain", [f"layer{i}" for i in range(40)]))
    texts = heights(picture.panels[0])
    names = [text for text in texts if text.startswith("layer") and text != "layer"]
    assert names == [f"layer{i}" for i in (*range(12), *range(29, 40))]
    assert {"⋯", "17 more", "170"} <= set(texts)


def test_long_names_are_told_by_their_ends() -> None:
    texts = heights(drawn(flat("plain", ["encoder.block.attention.projection"], kind="A" * 20)).panels[0])
    assert "…ention.projection" in texts
    assert "A" * 16 + "…" in texts


def test_the_caption_tells_the_combination_only_where_layers_depend_on_it() -> None:
    bare = drawn(network("plain"), levels="lr = 0.1")
    assert "lr = 0.1" not in bare.caption
    assert "baseline" not in bare.caption
    both = drawn(network("plain"), network("bn", norm="batch"), levels="dropout = 0.0", factors=("dropout",))
    assert (
        "Drawn is the combination dropout = 0.0; at other levels of dropout, layers differ." in both.caption
    )
    assert "what plain, the baseline, does not have" in both.caption


def test_the_page_has_the_networks_where_they_are_recorded(tmp_path: Path) -> None:
    study = small_study(factors=(), seeds=2, findings=ONE)
    recorded = record(study, tmp_path / "small", readings=lambda _: [])
    bare = compose(analyse(study, recorded.folder), words=["small"])
    assert bare.architecture is None
    run = next(row for row in recorded.runs if row["variant"] == "bn")
    head = {"run_id": run["run_id"], "variant": "bn", "settings": '{"norm": "batch"}'}
    rows = network("bn", norm="batch").layers.to_dict("records")
    layers = [head | {str(name): value for name, value in row.items()} for row in rows]
    Results(recorded.folder).write_architecture({run["run_id"]: layers})
    page = written(recorded, tmp_path)
    assert ("h2", "The networks") in page.headings
    assert "#architecture" in page.values("href")
    assert page.values("id").count("architecture-0-title") == 1
