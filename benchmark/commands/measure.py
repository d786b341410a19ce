"""``measure``: how fast this machine makes stages and what a table costs here, or where the time of one stage goes."""

import dataclasses
import json
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmark.comma_lists import split_names
from benchmark.costs.breakdown import break_down, costliest
from benchmark.costs.listing import cost_line, remarks
from benchmark.costs.measurements import Measurement, keep, measurements_file
from benchmark.costs.pace import measured_paces
from benchmark.costs.photographs import stand_in
from benchmark.costs.running import Limits
from benchmark.costs.tasks import MeasuredTask, measure_tasks, tasks_of
from benchmark.costs.workloads import in_precision, signature
from benchmark.datasets.catalog import as_listed
from benchmark.errors import Exit
from benchmark.plan import Plan
from benchmark.selection.endings import nothing_selected
from benchmark.selection.options import Selection, selection_options
from benchmark.store import Store
from benchmark.wording import duration, plural

GIB = 2**30


class _Measure(click.Command):
    """``measure``; with ``--breakdown`` or ``--input`` another command, with options of its own, takes over."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        asked = [option for option in MODES if option in args]
        if not asked:
            return super().make_context(info_name, args, parent, **extra)
        if len(asked) > 1:
            raise click.UsageError(f"{' and '.join(asked)} are two measurements; ask for one of them.")
        others = [argument for argument in args if argument not in asked]
        return MODES[asked[0]].make_context(f"{info_name} {asked[0]}", others, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


def _mode(option: str, text: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Name another mode among the options of ``measure``; what it is given, ``_Measure`` takes."""
    shown = f"{text} See `measure {option} --help`."
    return click.option(option, is_flag=True, expose_value=False, help=shown)


row_option = click.option("--row", help="Label of the row whose stage is taken.  [default: the first available]")


@click.command()
@selection_options()
@row_option
@click.option("--iterations", type=click.IntRange(min=1), default=50, show_default=True, help="Iterations to measure.")
@click.option("--trace", type=click.Path(path_type=Path, dir_okay=False), help="Also write a Chrome trace.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def breakdown_command(
    *, selection: Selection, row: str | None, iterations: int, trace: Path | None, as_json: bool
) -> int:
    """Run some iterations of the costliest stage of a cell, on one thread, and show where their time goes.

    The first selected cell of the row is taken; stages that it needs are made first, its own result is not kept.
    """
    plan = selection.plan()
    reason = nothing_selected(plan, selection)
    if reason:
        click.echo(reason, err=True)
        return Exit.NOTHING
    found = break_down(plan, costliest(plan, row), selection.store, iterations, trace)
    click.echo(json.dumps(found._asdict(), indent=2) if as_json else found.as_text())
    return Exit.OK


@click.command()
@selection_options()
@row_option
@click.option("--images", type=click.IntRange(min=1), default=50, show_default=True, help="Images to make.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def input_command(*, selection: Selection, row: str | None, images: int, as_json: bool) -> int:
    """Make training images as the costliest stage of a cell would, and show how long each part of that takes.

    Nothing is trained and no image is read: photographs of 640 x 480 pixels are drawn, and cropped as that stage does.
    """
    from benchmark.costs.input_speed import measure_input

    plan = selection.plan(as_listed(selection.dataset, selection.data_root))
    reason = nothing_selected(plan, selection)
    if reason:
        click.echo(reason, err=True)
        return Exit.NOTHING
    found = measure_input(costliest(plan, row), images)
    click.echo(json.dumps(found._asdict(), indent=2) if as_json else found.as_text())
    return Exit.OK


MODES: Mapping[str, click.Command] = {"--breakdown": breakdown_command, "--input": input_command}


@click.command(cls=_Measure)
@_mode("--breakdown", "Show instead where the time of a training step goes.")
@_mode("--input", "Show instead how fast training images are made.")
@selection_options(tables="3", profile="paper")
@click.option(
    "--precisions",
    callback=split_names,
    metavar="fp32,tf32,bf16",
    help="Precisions to compare.  [default: all on a GPU, else the one of the settings]",
)
@click.option("--units", type=click.IntRange(min=1), default=20, show_default=True, help="Units to time of each kind.")
@click.option("--seconds", type=float, default=12.0, show_default=True, help="Begin no further unit after so long.")
@click.option("--minutes", type=float, default=8.0, show_default=True, help="Begin no further kind after so long.")
@click.option("--flops", is_flag=True, help="Also count the floating-point operations of a unit; on a CPU.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON.")
def command(
    *,
    selection: Selection,
    precisions: tuple[str, ...] | None,
    units: int,
    seconds: float,
    minutes: float,
    flops: bool,
    as_json: bool,
) -> int:
    """Measure how fast this machine makes the stages of a table, and say how long the whole table takes.

    Each kind of work runs for some units, iterations of a training or images, after a warm-up: on photographs drawn for
    the purpose, from random weights, on inputs that are soon made. Nothing is kept but the measurements, beside the
    store: `plan` uses them. The costliest kinds come first; Ctrl-C ends it and loses none of them. Exit code 1 if some
    kind was not measured.
    """
    from benchmark.execute.machine import choose_device

    began = time.monotonic()
    limits = Limits(units, seconds, flops)
    device = choose_device()
    gpu = device.startswith("cuda")
    if flops and gpu:
        raise click.UsageError("--flops counts on a processor alone; set BENCHMARK_DEVICE=cpu.")
    whole = selection.plan(as_listed(selection.dataset, selection.data_root))
    reason = nothing_selected(whole, selection)
    if reason:
        click.echo(reason, err=True)
        return Exit.NOTHING
    with _interruptible(), TemporaryDirectory(prefix="weakshot-measure-") as folder:
        drawn = stand_in(selection.dataset, Path(folder, "data"), limits.images)
        plan = dataclasses.replace(selection, dataset=drawn.source, data_root=drawn.root).plan()
        tasks = tasks_of(plan, whole, precisions, gpu=gpu)
        outcomes: list[MeasuredTask] = []
        stopped = False
        try:
            for outcome in measure_tasks(
                tasks, plan, Store(Path(folder, "store")), limits, device, began + 60 * minutes
            ):
                outcomes.append(outcome)
                if outcome.measurement:
                    keep(measurements_file(selection.store), [outcome.measurement])
        except KeyboardInterrupt:
            stopped = True
    lines = [_as_json(outcomes)] if as_json else report(outcomes, whole, measurements_file(selection.store))
    for line in lines:
        click.echo(line)
    if stopped:
        click.echo(f"interrupted: {len(outcomes)} of {plural(len(tasks), 'kind')} of work were reached", err=True)
        return Exit.INTERRUPTED
    return Exit.OK if all(outcome.measurement for outcome in outcomes) else Exit.INCOMPLETE


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: a time limit is no reason to lose what was measured."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def report(outcomes: Sequence[MeasuredTask], whole: Plan, file: Path) -> Iterator[str]:
    """Yield the table of what was measured, what was not, and what all of the table costs in each precision."""
    measurements = [outcome.measurement for outcome in outcomes if outcome.measurement]
    if measurements:
        yield from _table(measurements, whole)
        yield ""
    for outcome in outcomes:
        if not outcome.measurement:
            yield f"not measured: {outcome.task.title}: {outcome.problem}"
    if measurements:
        yield from _totals(measurements, whole)
        yield f"kept in {file}; `plan` uses it"


def _table(found: Iterable[Measurement], whole: Plan) -> Iterator[str]:
    costs: dict[str, float] = {}
    for stage in whole.stages:
        costs[signature(stage)] = max(costs.get(signature(stage), 0.0), stage.cost)
    header = ("stage", "precision", "images/s", "s/unit", "memory", "full stage")
    rows = [
        (
            f"{one.kind}: {one.stage}",
            one.precision,
            "" if one.images_per_second is None else f"{one.images_per_second:.3g}",
            f"{one.seconds:.3g}",
            f"{one.memory / GIB:.1f} GiB",
            duration(one.ratio * costs[one.signature]),
        )
        for one in found
    ]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        first, *others = zip(row, widths, strict=True)
        yield "  ".join([f"{first[0]:<{first[1]}}", *(f"{text:>{width}}" for text, width in others)])


def _totals(found: Sequence[Measurement], whole: Plan) -> Iterator[str]:
    """Yield a line for each precision: the whole plan in it, one device after the other's work."""
    (pace,) = measured_paces(found)
    cells = sum(cell.stage is not None for cell in whole.cells)
    for precision in list(dict.fromkeys(one.precision for one in found if one.precision)) or [""]:
        stages = [
            in_precision(stage, precision) if precision in stage.work.precisions else stage for stage in whole.stages
        ]
        costs = cost_line(stages, pace, 1)
        yield f"{plural(cells, 'cell')} -> {plural(len(stages), 'unique stage')} -> {costs}"
        yield from remarks(stages, pace)


def _as_json(outcomes: Iterable[MeasuredTask]) -> str:
    values: list[Mapping[str, object]] = [
        dataclasses.asdict(outcome.measurement)
        if outcome.measurement
        else {"stage": outcome.task.title, "problem": outcome.problem}
        for outcome in outcomes
    ]
    return json.dumps(values, indent=1)
