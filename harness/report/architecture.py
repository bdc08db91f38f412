"""Computation: the layers of each variant's network as boxes from image to logits, and what sets it apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from harness.findings.architecture import Network, Networks
from harness.report.palette import MUTED, TEXT, Palette
from harness.report.panels import WIDTH, Panel, Picture
from harness.report.words import count, listed

MOST_BOXES = 24
"""So many layers are drawn one by one; of deeper networks some together."""

PITCH, BOX = 33, 23
"""From one box to the next, and the height of a box."""

TOP = 62
"""Above the first box: what the columns are."""

NAME, KIND, OUTPUT, PARAMETERS = 16, 122, 284, 342
"""Where the words in a box begin, and the numbers end."""

FOLD = "⋯"


@dataclass(frozen=True)
class Box:
    """One layer, or several together.

    Attributes:
        name: of the layer, or the part of its name that they share.
        kind: its class, or how many there are.
        output: shape of what comes out, as it is shown.
        parameters: how many.
        inside: the class of each.
    """

    name: str
    kind: str
    output: str
    parameters: int
    inside: tuple[str, ...]

    @property
    def marked(self) -> bool:
        """Whether there is a norm or a dropout in it."""
        return any(word in kind.lower() for kind in self.inside for word in ("norm", "dropout"))


def architecture_picture(found: Networks, *, levels: str, palette: Palette) -> Picture:
    """A panel a variant; layers of one name stand at one height, where their order allows.

    Args:
        found: the networks.
        levels: the combination of levels in words; empty without factors.
        palette: colours.
    """
    boxes = _boxes(found.networks)
    slots = _slots([[box.name for box in own] for own in boxes.values()])
    baseline = {box.name: box for box in boxes.get(palette.baseline, [])}
    panels = [
        _panel(number, network, boxes[network.variant], slots=slots, baseline=baseline, palette=palette)
        for number, network in enumerate(found.networks)
    ]
    data = pd.concat([network.layers.assign(variant=network.variant) for network in found.networks])
    data = data[["variant", *(name for name in data.columns if name != "variant")]]
    caption = _caption(found, boxes, levels=levels, baseline=palette.baseline)
    return Picture("architecture", tuple(panels), caption, data.reset_index(drop=True))


def _caption(found: Networks, boxes: dict[str, list[Box]], *, levels: str, baseline: str) -> str:
    text = (
        "What an image passes, from top to bottom, with the shape of what comes out (channels × rows × "
        "columns) and the number of trained parameters. Tinted: norms and dropout. "
    )
    if baseline in boxes and len(boxes) > 1:
        text += f"Thick: what {baseline}, the baseline, does not have, or has otherwise. "
    if any(len(network.layers) > len(boxes[network.variant]) for network in found.networks):
        text += "Layers of a part of a network are drawn together; the data have them one by one. "
    if levels and found.factors:
        text += (
            f"Drawn is the combination {levels}; at other levels of {listed(found.factors)}, layers differ. "
        )
    return text + "What a network computes between its layers by functions of its own is not seen."


def _boxes(networks: Sequence[Network]) -> dict[str, list[Box]]:
    """The boxes of each network, all folded alike."""
    names = [list(network.layers["name"]) for network in networks]
    depths = range(max(name.count(".") + 1 for own in names for name in own), 0, -1)
    depth = next((d for d in depths if all(_amount(own, d) <= MOST_BOXES for own in names)), 1)
    return {network.variant: _cut(_folded(network.layers, depth)) for network in networks}


def _amount(names: Sequence[str], depth: int) -> int:
    """How many boxes there are when neighbours that share so many parts of their names are one."""
    return sum(1 for _ in groupby(names, key=lambda name: _part(name, depth)))


def _part(name: str, depth: int) -> str:
    return ".".join(name.split(".")[:depth])


def _folded(layers: pd.DataFrame, depth: int) -> list[Box]:
    boxes = []
    for part, names in groupby(layers["name"], key=lambda name: _part(name, depth)):
        inside = list(names)
        rows = layers[layers["name"].isin(inside)]
        boxes.append(_together(part, rows) if len(inside) > 1 else _single(rows))
    return boxes


def _single(rows: pd.DataFrame) -> Box:
    row = rows.iloc[0]
    kind = str(row["kind"])
    return Box(str(row["name"]), kind, shape(row["output"]), int(row["parameters"]), (kind,))


def _together(name: str, rows: pd.DataFrame) -> Box:
    output, parameters = shape(rows["output"].iloc[-1]), int(rows["parameters"].sum())
    return Box(name, count(len(rows), "layer"), output, parameters, tuple(rows["kind"]))


def _cut(boxes: list[Box]) -> list[Box]:
    """The same with those in the middle as one, where they are still too many."""
    if len(boxes) <= MOST_BOXES:
        return boxes
    ahead = MOST_BOXES // 2
    middle, rest = boxes[ahead : len(boxes) - ahead + 1], boxes[len(boxes) - ahead + 1 :]
    parameters = sum(box.parameters for box in middle)
    inside = tuple(kind for box in middle for kind in box.inside)
    return [*boxes[:ahead], Box(FOLD, f"{len(middle)} more", middle[-1].output, parameters, inside), *rest]


def shape(text: str) -> str:
    """A shape as it is shown: 16 × 32 × 32; of a single number that number."""
    return " × ".join(text.split(",")) if text else ""


def _slots(networks: Sequence[Sequence[str]]) -> list[str]:
    """An order of names in which that of every network is contained; a name may stand in it twice."""
    slots: list[str] = []
    for names in networks:
        place = 0
        for name in names:
            if name in slots[place:]:
                place = slots.index(name, place) + 1
            else:
                slots.insert(place, name)
                place += 1
    return slots


def _panel(
    number: int,
    network: Network,
    boxes: Sequence[Box],
    *,
    slots: Sequence[str],
    baseline: dict[str, Box],
    palette: Palette,
) -> Panel:
    entry = shape(network.layers["input"].iloc[0])
    parts = [f"{box.name} ({_told(box)})" for box in boxes]
    title = f"{_head(network)}. From an image of {entry} to logits: {', '.join(parts)}."

    def paint(axes: Axes) -> None:
        height = _height(slots)
        axes.set_position((0, 0, 1, 1))
        axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        axes.axis("off")
        axes.text(NAME - 8, 14, _head(network), fontsize=11, va="center", fontweight="bold")
        for x, word, side in ((NAME, "layer", "left"), (KIND, "kind", "left"), (OUTPUT, "output", "right")):
            axes.text(x, 36, word, fontsize=9.5, color=MUTED.light, ha=side, va="center")
        axes.text(PARAMETERS, 36, "param.", fontsize=9.5, color=MUTED.light, ha="right", va="center")
        _paint_flow(axes, entry, boxes, slots)
        for place, box in zip(_places(boxes, slots), boxes, strict=True):
            own = network.variant != palette.baseline and baseline and baseline.get(box.name) != box
            _paint_box(axes, place, box, colour=palette.light(network.variant), own=bool(own))

    return Panel(f"architecture-{number}", title=title, paint=paint, palette=palette, height=_height(slots))


def _head(network: Network) -> str:
    layers = count(len(network.layers), "layer")
    return f"{network.variant}: {layers}, {network.parameters:,} parameters"


def _told(box: Box) -> str:
    """Its kind, output and parameters in words."""
    parameters = count(box.parameters, "parameter") if box.parameters else ""
    return ", ".join(filter(None, (box.kind, f"to {box.output}" if box.output else "", parameters)))


def _height(slots: Sequence[str]) -> int:
    return TOP + 28 + PITCH * len(slots) + 24


def _places(boxes: Sequence[Box], slots: Sequence[str]) -> list[float]:
    """The upper edge of each box."""
    places: list[float] = []
    place = 0
    for box in boxes:
        place = slots.index(box.name, place) + 1
        places.append(TOP + 28 + PITCH * (place - 1))
    return places


def _paint_flow(axes: Axes, entry: str, boxes: Sequence[Box], slots: Sequence[str]) -> None:
    """The image, the way from box to box, and the logits."""
    middle, end = WIDTH / 2, TOP + 28 + PITCH * len(slots)
    tops = _places(boxes, slots)
    starts = [TOP + 6, *(top + BOX for top in tops)]
    for start, stop in zip(starts, [*tops, end + 2], strict=True):
        axes.plot([middle, middle], [start, stop - 2.5], color=MUTED.light, linewidth=0.9, zorder=1)
        axes.plot([middle], [stop - 2.5], marker="v", ms=3.2, color=MUTED.light, zorder=1)
    axes.text(middle, TOP - 4, f"image {entry}", ha="center", va="center", fontsize=10)
    axes.text(middle, end + 11, "logits", ha="center", va="center", fontsize=10)


def _paint_box(axes: Axes, top: float, box: Box, *, colour: str, own: bool) -> None:
    outline = FancyBboxPatch((8, top), WIDTH - 16, BOX, boxstyle="round,pad=0,rounding_size=4")
    outline.set(facecolor="none", edgecolor=colour if own else MUTED.light, linewidth=2.2 if own else 0.8)
    axes.add_patch(outline)
    if box.marked:
        tint = FancyBboxPatch((8, top), WIDTH - 16, BOX, boxstyle="round,pad=0,rounding_size=4")
        tint.set(facecolor=colour, edgecolor="none", alpha=0.2)
        axes.add_patch(tint)
    line: Any = {"va": "center_baseline", "fontsize": 10, "color": TEXT.light}
    y = top + BOX / 2
    axes.text(NAME, y, _end_of(box.name, most=18), fontweight="bold", **line)
    axes.text(KIND, y, box.kind if len(box.kind) <= 17 else f"{box.kind[:16]}…", **line)
    axes.text(OUTPUT, y, box.output, ha="right", **line)
    axes.text(PARAMETERS, y, f"{box.parameters:,}" if box.parameters else "–", ha="right", **line)


def _end_of(text: str, *, most: int) -> str:
    """A long name by its end, which tells more than its start."""
    return text if len(text) <= most else f"…{text[1 - most :]}"
