"""Progress bars of the command line, on the error stream so that outputs stay clean."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class StepBar(_Bars):
    """One bar over named steps.

    Parameters
    ----------
    console
        Where to draw.
    title
        First label.
    quiet
        Draw nothing (``--json``).
    """

    def __init__(self, console: Console, title: str, *, quiet: bool = False) -> None:
        label = TextColumn("{task.description}")
        columns = (SpinnerColumn(), label, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        super().__init__(Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal))
        self._task = self._progress.add_task(title, total=1.0)
        self._console = console
        self._quiet = quiet
        self._last = ""

    def advance(self, label: str, share: float) -> None:
        """Show ``label`` and the share done, 0 to 1; without a terminal, one line per new label."""
        if not self._quiet and not self._console.is_terminal and label != self._last:
            self._console.print(f"{share:4.0%} {label}")
        self._last = label
        self._progress.update(self._task, description=label, completed=share)


class ByteBars(_Bars):
    """One bar per file downloaded.

    Parameters
    ----------
    console
        Where to draw.
    quiet
        Draw nothing (``--json``).
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        super().__init__(Progress(*columns, console=console, transient=False, disable=quiet or not console.is_terminal))
        self._tasks: dict[str, TaskID] = {}

    def advance(self, label: str, done: int, total: int | None) -> None:
        """Show ``done`` bytes of ``total`` (``None`` when unknown) for the file ``label``."""
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done, total=total)
