"""Edge: whether the kernel's memory killer was at work; a killed process looks like any SIGKILL."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


class MemoryKills:
    """Counts the processes that the kernel killed for want of memory, since this was made."""

    def __init__(self, events: Path | None = None) -> None:
        self._events = _own_events() if events is None else events
        self._seen = self._count()

    def one_more(self) -> bool:
        """Whether a kill happened that was not told yet; each is told once."""
        if self._count() <= self._seen:
            return False
        self._seen += 1
        return True

    def _count(self) -> int:
        if self._events is None:
            return 0
        try:
            lines = self._events.read_text().splitlines()
        except OSError:  # the group is gone, or the kernel keeps no such count
            return 0
        return sum(
            int(count) for name, _, count in (line.partition(" ") for line in lines) if name == "oom_kill"
        )


def _own_events() -> Path | None:
    """The file in which the kernel counts the kills of this process's group (cgroups(7)), v2 or v1."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in groups:
        _, controllers, path = line.split(":", 2)
        name = {"": "memory.events", "memory": "memory.oom_control"}.get(controllers)
        folders = (CGROUPS / controllers / path.lstrip("/"), CGROUPS / controllers)
        for folder in folders:  # inside a container, its own group is mounted as the root
            if name and (folder / name).exists():
                return folder / name
    return None
