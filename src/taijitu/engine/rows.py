"""What a transaction makes true of cells and tasks, as rows for storage."""

from taijitu.engine.cell import Head, path_text
from taijitu.engine.storage import HeadChange, ListChange, TaskRow
from taijitu.ipld.cid import Link
from taijitu.kernel.effect import Path, Task, tag


def task_row(planned: Link, index: int, task: Task, path: Path, at: int) -> TaskRow:
    """A task that was asked for at the time `at` (ms since 1970)."""
    ready_at = max(task.ready_at(), at) if task.queues else task.ready_at()
    return TaskRow(planned.data, index, path_text(path), tag(type(task)), task.about(), ready_at)


def list_changes(path: str, before: Head, after: Head) -> list[ListChange]:
    """How the cell's membership in lists changes with its state."""
    was, now = before.machine.lists(before.state), after.machine.lists(after.state)
    return [
        *(ListChange(name, path, False) for name in was if name not in now),
        *(ListChange(name, path, True) for name in now if name not in was),
    ]


def head_change(path: str, expected: int, head: Head) -> HeadChange:
    assert head.cid is not None
    assert head.planned is not None
    return HeadChange(path, expected, head.seq, head.cid.data, head.planned.data)
