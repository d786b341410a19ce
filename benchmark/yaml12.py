"""YAML read as YAML 1.2 means it, with duplicate keys refused and errors that say file and line."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from benchmark.errors import BenchmarkError

LARGEST = 2**24  # characters of a file
MOST_NODES = 100_000  # a file of settings has hundreds; aliases count as often as they stand there
DEEPEST = 50
_DIGITS = 100


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader speaks YAML 1.1: ``1e-4`` a string, ``1:30:00`` 5400, ``010`` 8, ``yes`` true."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        found: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a key must be a plain word", problem_mark=key_node.start_mark)
            if key in found:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} appears twice", problem_mark=key_node.start_mark)
            found[key] = self.construct_object(value_node, deep=deep)
        return found

    def construct_int(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node))
        if len(text) > _DIGITS:
            problem = f"a whole number of {len(text)} characters; at most {_DIGITS} are read"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return int(text, 0)

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _weight(node, {}, 0)
        return node

    def construct_float(self, node: yaml.ScalarNode) -> float:
        return float(re.sub(r"\.(inf|nan)", r"\1", self.construct_scalar(node), flags=re.IGNORECASE))


def _weight(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Return how many values a node stands for, those behind aliases included, each time.

    Raises MarkedYAMLError for too many, too deep, and for an alias inside what it stands for.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if known.get(id(node), 1) == 0 or depth > DEEPEST:
        raise yaml.MarkedYAMLError(
            problem=f"values nested more than {DEEPEST} deep, or an alias inside what it stands for",
            problem_mark=node.start_mark,
        )
    if id(node) not in known:
        known[id(node)] = 0  # being weighed
        pairs = isinstance(node, yaml.MappingNode)
        inner = [one for pair in node.value for one in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_weight(one, known, depth + 1) for one in inner)
    if known[id(node)] > MOST_NODES:
        raise yaml.MarkedYAMLError(
            problem=f"aliases and lists stand for more than {MOST_NODES:,} values", problem_mark=node.start_mark
        )
    return known[id(node)]


# The core schema of YAML 1.2, except that a number with a leading zero (010, 01:30:00) stays a string.
_PLAIN = [
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
]
for _name, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}",
        re.compile(rf"^(?:{_pattern})$"),
        ["" if letter == "\0" else letter for letter in _first],
    )
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_float)


def parse_yaml(text: str, where: str) -> Any:
    """Return the value of a YAML text; ``where`` names it in errors. Raises BenchmarkError with the line."""
    if len(text) > LARGEST:
        raise BenchmarkError(f"{where}: {len(text):,} characters; a file of YAML has at most {LARGEST:,}.")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise BenchmarkError(f"{where}{line}: not valid YAML: {error.problem or error.context}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BenchmarkError(f"{where}: not valid YAML: {error}.") from error


def load_mapping(path: Path, expected: str) -> dict[Any, Any]:
    """Return the keys and values of a YAML file; ``expected`` says what they are: ``a table maps names to values``.

    Raises BenchmarkError where the file cannot be read, is empty or holds something else.
    """
    content = load_yaml(path)
    if not isinstance(content, dict):
        found = "an empty file" if content is None else f"{content!r:.80}"
        raise BenchmarkError(f"{path}: {expected}; found {found}.")
    return content


def load_yaml(path: Path) -> Any:
    """Return the value of a YAML file. Raises BenchmarkError with file and line where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BenchmarkError(f"cannot read {path}: {reason}.") from error
    return parse_yaml(text, str(path))
