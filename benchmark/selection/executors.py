"""The options that say where stages are made, those of every installed executor, parsed into a configured executor."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from benchmark.errors import BenchmarkError, near
from benchmark.execute.executors import DEFAULT, ExecutorPlugin, Option, executors

R = TypeVar("R")

if TYPE_CHECKING:
    _Choice = click.Choice[str]  # generic since click 8.2
else:
    _Choice = click.Choice


class _Name(_Choice):
    """The name of an executor; the error for an unknown one says which are like it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message}{near(value, self.choices)}", param, ctx)


class _Declared(NamedTuple):
    """An option, the name of its parameter, how it is written, and the first executor that has it."""

    option: Option
    parameter: str
    flag: str
    owner: str


def executor_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say where stages are made, and pass it ``executor`` in their place.

    Raises BenchmarkError where an executor cannot be loaded, or two have different options of the same name.
    """
    known = executors()
    declared = _declared(known)

    @functools.wraps(command)
    def wrapped(**values: Any) -> R:
        plugin = known[values.pop("executor")]
        given = {one.parameter: values.pop(one.parameter) for one in declared}
        _refuse_foreign(plugin, declared)
        own = {one.parameter: given[one.parameter] for one in declared if one.option in plugin.options}
        return command(executor=plugin.configured(own), **values)

    shown: Callable[..., R] = wrapped
    for option in reversed([_choice(known), *(one.option for one in declared)]):
        shown = option(shown)
    return shown


def _choice(known: Mapping[str, ExecutorPlugin]) -> Option:
    return click.option(
        "--executor",
        type=_Name(list(known)),
        default=DEFAULT,
        show_default=True,
        help=f"{'; '.join(f'{name}: {plugin.summary}' for name, plugin in known.items())}.",
    )


def _declared(known: Mapping[str, ExecutorPlugin]) -> list[_Declared]:
    """Return the options of all executors, each once."""
    found: dict[str, _Declared] = {}
    for plugin in known.values():
        for option in plugin.options:
            parameter = _parameter(option)
            one = _Declared(option, str(parameter.name), parameter.opts[0], plugin.name)
            if found.setdefault(one.parameter, one).option is not option:
                raise BenchmarkError(
                    f"the executors {found[one.parameter].owner!r} and {plugin.name!r} both have an option {one.flag}; "
                    f"uninstall the package of one of them."
                )
    return list(found.values())


def _parameter(option: Option) -> click.Parameter:
    def nothing() -> None: ...

    return click.command()(option(nothing)).params[0]


def _refuse_foreign(plugin: ExecutorPlugin, declared: Iterable[_Declared]) -> None:
    """Raise UsageError for options that were given and that the executor does not have; it says whose they are."""
    context = click.get_current_context()
    foreign = [one for one in declared if one.option not in plugin.options]
    given = (one for one in foreign if context.get_parameter_source(one.parameter) is not ParameterSource.DEFAULT)
    wrong = next(given, None)
    if wrong is None:
        return
    flags = [one.flag for one in foreign if one.owner == wrong.owner]
    hint = f"; {plugin.instead}" if plugin.instead else ""
    raise click.UsageError(
        f"{_listed(flags)} belong{'s' if len(flags) == 1 else ''} to --executor {wrong.owner}{hint}."
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
