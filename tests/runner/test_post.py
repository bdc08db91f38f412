"""One worker process."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from harness.runner.desk import Desk
from harness.runner.memory import MemoryKills
from harness.runner.post import Post, Work


def a_post(folder: Path, **options: Any) -> Post[str]:
    return Post("cpu", Desk(folder / "beacon.json", folder, folder), kills=MemoryKills(), **options)


def result(post: Post[str], work: Work) -> Any:
    post.hand("task", work)
    wait([post.future], timeout=60)
    return post.collect()


def pid(_: Desk) -> int:
    return os.getpid()


def import_path(_: Desk) -> list[str]:
    return sys.path


def test_a_process_without_work_ends_after_a_while_and_the_next_work_starts_another(tmp_path: Path) -> None:
    post = a_post(tmp_path, idle=0.5)
    first = result(post, pid)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{first}").exists():
        assert time.monotonic() < deadline, "it stays"
        time.sleep(0.05)
    second = result(post, pid)
    assert second != first
    post.close()


def test_the_import_path_is_the_parents_behind_what_comes_first(tmp_path: Path) -> None:
    post = a_post(tmp_path, import_first=(str(tmp_path / "sent"),))
    found = result(post, import_path)
    assert found[0] == str(tmp_path / "sent")
    ours = [entry for entry in dict.fromkeys(sys.path) if entry]
    assert [entry for entry in found if entry in ours] == ours
    post.close()
