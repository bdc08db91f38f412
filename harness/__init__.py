"""Declaration: the public names, resolved lazily: declaring a study imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.design.factor import Factor
    from harness.design.finding import Finding
    from harness.design.scale import Scale
    from harness.design.search import Search
    from harness.design.space import Range
    from harness.design.study import Study
    from harness.design.variant import Variant
    from harness.errors import HarnessError, InputError
    from harness.interface import compare, load, render, run

_HOMES = {
    "Factor": "harness.design.factor",
    "Finding": "harness.design.finding",
    "HarnessError": "harness.errors",
    "InputError": "harness.errors",
    "Range": "harness.design.space",
    "Scale": "harness.design.scale",
    "Search": "harness.design.search",
    "Study": "harness.design.study",
    "Variant": "harness.design.variant",
    "compare": "harness.interface",
    "load": "harness.interface",
    "render": "harness.interface",
    "run": "harness.interface",
}

__all__ = [
    "Factor", "Finding", "HarnessError", "InputError", "Range", "Scale", "Search", "Study", "Variant",
    "compare", "load", "render", "run",
]  # fmt: skip
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """A public name, imported when first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}; public: {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """What completion offers: the public names, resolved or not."""
    return sorted({*globals(), *__all__})
