"""How far a long look at many files is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
INTERVAL = 20.0  # seconds between lines where there is no terminal


@contextmanager
def progress_bar(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many pairs are done: a bar on a terminal, a line now and then elsewhere."""
    if quiet:
        yield lambda done, total: None  # noqa: ARG005
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines_now_and_then(title)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines_now_and_then(title: str) -> Callable[[int, int], None]:
    due = time.monotonic() + INTERVAL

    def show(done: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + INTERVAL
            click.echo(f"{title}: {done}/{total}", err=True)

    return show
