"""What options and arguments take, as far as it is found out at once; methods are not loaded for it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import entry_points

import click
from click.shell_completion import CompletionItem

from benchmark.errors import BenchmarkError

Names = Callable[[click.Context], Iterable[str]]
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def one_of(names: Names, *, path: bool = False) -> Completer:
    """Return what completes a name; with ``path`` files are offered where no name begins so."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names(context) if name.startswith(incomplete)]
        return found or ([CompletionItem(incomplete, type="file")] if path else [])

    return complete


def several_of(names: Names, *, path: bool = False) -> Completer:
    """Return what completes the last of several names with commas between them; each is offered once."""

    def complete(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
        head, comma, _ = incomplete.rpartition(",")
        taken = head.split(",")
        left = [f"{head}{comma}{name}" for name in names(context) if name not in taken]
        return one_of(lambda _: left, path=path and not comma)(context, option, incomplete)

    return complete


def tables(_: click.Context) -> Iterable[str]:
    from benchmark.table_files import table_names

    return table_names()


def profiles(_: click.Context) -> Iterable[str]:
    from benchmark.config import profile_names

    return profile_names()


def datasets(_: click.Context) -> Iterable[str]:
    from benchmark.split_files import datasets
    from benchmark.splits import WITHOUT

    return sorted((*datasets(), *WITHOUT))


def splits_of(parameter: str) -> Names:
    """Return what gives the splits of the dataset that a parameter names; without it those of the paper."""

    def splits(context: click.Context) -> Iterable[str]:
        from benchmark.splits import FOLDS, GROWING, splits

        dataset = context.params.get(parameter)
        if not dataset:
            return (*FOLDS, *GROWING)
        with suppress(BenchmarkError):
            return splits(dataset)
        return ()

    return splits


def methods(_: click.Context) -> Iterable[str]:
    from benchmark.registry import GROUP

    return sorted(entry_points(group=GROUP).names)


def gpus(_: click.Context) -> Iterable[str]:
    from benchmark.costs.gpus import gpu_table

    return gpu_table().gpus
