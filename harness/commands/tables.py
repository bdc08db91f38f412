"""Edge: the table of results that a call names."""

from __future__ import annotations

from harness.errors import InputError, nearest
from harness.store.tables import TABLES


def check_table(name: str) -> None:
    """Refuse the name of a table that there is not.

    Raises:
        InputError: no table is called so.
    """
    if name not in TABLES:
        raise InputError(
            f"no table is named {name!r}",
            rule=f"tables are {', '.join(TABLES)}",
            remedy=nearest(name, TABLES),
        )
