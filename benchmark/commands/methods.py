"""``methods``: what is installed, and every setting with its default."""

import dataclasses
import inspect
import io
import json
import tokenize
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, get_type_hints

import click

from benchmark import registry
from benchmark.errors import Exit


@click.command()
@click.option("--settings", is_flag=True, help="List every setting as well.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(settings: bool, as_json: bool) -> int:
    """List installed methods with their variants; --settings adds what --set and profiles can change."""
    content = as_data()
    click.echo(json.dumps(content, indent=1) if as_json else "\n".join(_lines(content, with_settings=settings)))
    return Exit.OK if content else Exit.NOTHING


def as_data() -> list[dict[str, Any]]:
    """Return every installed method as JSON values."""
    installed = registry.methods().values()  # first: it says which package cannot be loaded
    sources = {point.load().name: point.dist.name for point in entry_points(group=registry.GROUP) if point.dist}
    return [
        {
            "name": method.name,
            "title": method.title,
            "summary": method.summary,
            "distribution": sources.get(method.name, ""),
            "variants": dict(method.variants),
            "settings": {section: list(settings_of(declared)) for section, declared in method.settings.items()},
        }
        for method in installed
    ]


def settings_of(declared: type) -> Iterator[dict[str, Any]]:
    """Yield name, type, default and comment of every field of a settings dataclass."""
    comments, types = field_comments(declared), get_type_hints(declared)
    for field in dataclasses.fields(declared):
        default = field.default_factory() if callable(field.default_factory) else field.default
        yield {
            "name": field.name,
            "type": inspect.formatannotation(types[field.name]),
            "default": None if default is dataclasses.MISSING else default,
            "doc": field.metadata.get("doc", comments.get(field.name, "")),
        }


def field_comments(declared: type) -> dict[str, str]:
    """Return the comment at the end of each field's line in the source of a class and of those it inherits from."""
    found: dict[str, str] = {}
    for cls in reversed(declared.__mro__):
        found |= _own_comments(cls)
    return found


def _own_comments(declared: type) -> dict[str, str]:
    try:
        source = inspect.getsource(declared)
    except (OSError, TypeError):
        return {}
    found = {}
    name = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and not token.line[: token.start[1]].strip():
            name = token.string
        if token.type == tokenize.COMMENT and name and token.line[: token.start[1]].strip():
            found[name] = token.string.lstrip("# ")
    return found


def _lines(content: list[dict[str, Any]], *, with_settings: bool) -> Iterator[str]:
    for method in content:
        yield f"{method['name']}: {method['title']}, {method['summary']}  [{method['distribution'] or 'not packaged'}]"
        for variant, summary in method["variants"].items():
            yield f"  {variant or '(default)':12} {summary}"
        for section, fields in method["settings"].items() if with_settings else ():
            for field in fields:
                doc = f"  # {field['doc']}" if field["doc"] else ""
                yield f"  {section}.{field['name']} = {json.dumps(field['default'])}{doc}"
