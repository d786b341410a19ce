"""What a run shows on stderr: a live view on a terminal, plain lines elsewhere, errors only when quiet."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import click

from benchmark.execute.forecast import Forecast
from benchmark.execute.messages import Event, Finished, Started
from benchmark.stage import Stage
from benchmark.wording import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_INTERVAL = 20.0  # seconds between two lines on progress
RUNNING_SHOWN = 12


class Display(Protocol):
    """An observer that holds a part of the terminal while it is open."""

    def event(self, event: Event) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


def display(stages: Sequence[Stage], workers: int, *, quiet: bool) -> Display:
    """Return the display that suits stderr."""
    if quiet:
        return QuietDisplay()
    from rich.console import Console

    console = Console(stderr=True)
    return LiveDisplay(stages, workers, console) if console.is_terminal else PlainDisplay(stages, workers)


def line_of(event: Started | Finished, names: Mapping[str, str]) -> str:
    """Return one event in words."""
    name = f"{names[event.key]} [{event.key[:8]}]"
    if isinstance(event, Started):
        return f"start    {name}" + (f", attempt {event.attempt}" if event.attempt > 1 else "")
    if event.state == "done" and event.seconds:
        return f"done     {name} in {duration(event.seconds)}"
    word = {"done": "done", "busy": "wait", "failed": "FAILED", "blocked": "blocked", "interrupted": "stopped"}
    return f"{word[event.state]:8} {name}: {event.message.splitlines()[0]}"


def failure_lines(ends: Iterable[Finished], names: Mapping[str, str]) -> Iterator[str]:
    """Yield which stages failed and why, with their logs; ``names`` are those of the stages, by key."""
    for end in ends:
        if end.state == "failed":
            log = f"\n  log: {end.log}" if end.log else ""
            yield f"failed: {names[end.key]} [{end.key[:8]}]: {end.message}{log}"


class QuietDisplay:
    """Nothing: failures are told when the run ends."""

    def event(self, event: Event) -> None:
        """Show nothing."""

    def tick(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Hold nothing."""


class PlainDisplay:
    """A line for each start and end, and now and then one on progress."""

    def __init__(self, stages: Sequence[Stage], workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._names = {stage.key: stage.name for stage in stages}
        self._forecast = Forecast(stages, workers, clock)
        self._clock = clock
        self._due = clock() + PLAIN_INTERVAL

    def event(self, event: Event) -> None:
        self._forecast.event(event)
        if isinstance(event, Started | Finished):
            click.echo(line_of(event, self._names), err=True)
        else:
            self.tick()

    def tick(self) -> None:
        if self._clock() < self._due:
            return
        self._due = self._clock() + PLAIN_INTERVAL
        running = (
            f"{running.stage.name} {running.done}/{running.total}" if running.total else running.stage.name
            for running in self._forecast.running.values()
        )
        click.echo(f"progress {overview(self._forecast)}; running: {', '.join(running) or 'none'}", err=True)

    def close(self) -> None:
        """Hold nothing."""


class LiveDisplay:
    """Running stages with bars at the bottom of the terminal; what ended scrolls by above."""

    def __init__(self, stages: Sequence[Stage], workers: int, console: "Console") -> None:
        from rich.live import Live

        self._names = {stage.key: stage.name for stage in stages}
        self._forecast = Forecast(stages, workers)
        self._live = Live(get_renderable=self._view, console=console, auto_refresh=False, transient=True)
        self._live.start()

    def event(self, event: Event) -> None:
        self._forecast.event(event)
        if isinstance(event, Finished):
            style = {"done": "green", "failed": "bold red", "blocked": "red"}.get(event.state, "yellow")
            self._live.console.print(line_of(event, self._names), style=style, markup=False, highlight=False)
        self._live.refresh()

    def tick(self) -> None:
        self._live.refresh()

    def close(self) -> None:
        self._live.stop()

    def _view(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
        grid.add_column(max_width=60, no_wrap=True, overflow="ellipsis")
        for running in list(self._forecast.running.values())[:RUNNING_SHOWN]:
            left = running.left()
            grid.add_row(
                Text(running.stage.name),
                ProgressBar(total=running.total or None, completed=running.done, width=24, pulse=not running.total),
                Text(f"{running.done}/{running.total}" if running.total else ""),
                Text("" if left is None else f"{duration(left)} left"),
            )
        return Group(grid, Text(overview(self._forecast), style="bold"))


def overview(forecast: Forecast) -> str:
    """Return how the whole run stands."""
    failed = f", {forecast.failed} failed or blocked" if forecast.failed else ""
    return f"{forecast.finished}/{forecast.total} stages{failed}, about {duration(forecast.left())} left"
