"""``explain``: why two stages have different keys."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import click

from benchmark.errors import Exit
from benchmark.execute.records import attempt_line
from benchmark.selection.options import Selection, selection_options
from benchmark.stage import closure
from benchmark.store import check_prefix, resolve_prefix

_ABSENT = object()
Spec = Mapping[str, Any]


class Difference(NamedTuple):
    """A dotted path below the stage, and the JSON texts of both sides; ``None`` where a side has nothing."""

    path: str
    a: str | None
    b: str | None


@click.command()
@click.argument("a")
@click.argument("b")
@selection_options()
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def command(selection: Selection, a: str, b: str, as_json: bool) -> int:
    """Show why stages A and B differ; each is the beginning of a key in the store or in the plan of the options."""
    specs = _Specs(selection)
    first, second = specs.resolve(a), specs.resolve(b)
    found = list(differences(first, second, specs.get))
    attempts = {key: selection.store.attempts(key) for key in (first, second)}
    if as_json:
        content = {"a": first, "b": second, "same": first == second, "differences": [one._asdict() for one in found]}
        click.echo(json.dumps(content | {"attempts": attempts}, indent=1))
        return Exit.OK
    for key in (first, second):
        click.echo(f"{key[:12]}  {specs.get(key)['name']}")
        for attempt in attempts[key] if len(attempts[key]) > 1 else ():
            click.echo(f"  {attempt_line(attempt, dead=not selection.store.locked(key))}")
    click.echo("\n".join(_line(one) for one in found) or "the same stage")
    return Exit.OK


def differences(a: str, b: str, get: Callable[[str], Spec], path: str = "") -> Iterator[Difference]:
    """Yield what two stages differ in: function, version, access, parameters, and the same of their inputs."""
    if a == b:
        return
    first, second = get(a), get(b)
    for name in ("function", "version", "access"):
        yield from _compare(first[name], second[name], f"{path}{name}")
    yield from _compare(first["params"], second["params"], f"{path}params")
    for role in dict.fromkeys((*first["inputs"], *second["inputs"])):
        below = f"{path}inputs.{role}"
        one, other = first["inputs"].get(role), second["inputs"].get(role)
        if one and other:
            yield from differences(one, other, get, f"{below}.")
        else:
            yield Difference(below, one and get(one)["name"], other and get(other)["name"])


def _compare(a: object, b: object, path: str) -> Iterator[Difference]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys((*a, *b)):
            yield from _compare(a.get(name, _ABSENT), b.get(name, _ABSENT), f"{path}.{name}")
    elif a != b:
        yield Difference(path, _text(a), _text(b))


def _text(value: object) -> str | None:
    return None if value is _ABSENT else json.dumps(value)


def _line(one: Difference) -> str:
    return f"{one.path}: {'absent' if one.a is None else one.a} -> {'absent' if one.b is None else one.b}"


class _Specs:
    """What stages are, from the store, and from the plan where the store does not know them."""

    def __init__(self, selection: Selection) -> None:
        self._store = selection.store
        self._selection = selection
        self._planned: dict[str, Spec] | None = None

    def resolve(self, prefix: str) -> str:
        check_prefix(prefix)
        known = {*self._store.keys(), *self._store.unfinished()}
        if not any(key.startswith(prefix) for key in known):  # a plan may be wrong where nobody asks for it
            known |= self._plan().keys()
        return resolve_prefix(prefix, known, f"store {self._store.root} or the plan")

    def get(self, key: str) -> Spec:
        planned = self._planned or {}
        return planned[key] if key in planned else self._store.spec(key)

    def _plan(self) -> dict[str, Spec]:
        if self._planned is None:
            stages = closure(self._selection.plan().stages)
            self._planned = {stage.key: {**stage.identity(), "name": stage.name} for stage in stages}
        return self._planned
