"""``checkpoint``: what a file of weights holds, and what takes it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from benchmark import registry
from benchmark.errors import BenchmarkError
from benchmark.wording import escaped

LONGEST = 2000  # characters of a line; class names and keys come from a file from anywhere


@click.command("checkpoint")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(file: Path, as_json: bool) -> None:
    """Say what FILE holds: format, tensors, classes, digest, and which setting takes it. Nothing in it is run.

    The installed methods that can read weights are asked; a file that asks for code to be run is refused.
    """
    readers = {name: one for name, one in registry.methods().items() if isinstance(one, registry.CheckpointReader)}
    if not readers:
        raise BenchmarkError("no installed method reads files of weights; `methods` lists what is installed.")
    found = {name: dict(reader.describe_checkpoint(file)) for name, reader in readers.items()}
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(_lines(found)))


def _lines(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, content in found.items():
        if len(found) > 1:
            yield f"{name}:"
        for what, value in content.items():
            if value not in (None, ""):
                yield f"{what:9} {value:,}" if type(value) is int else f"{what:9} {escaped(str(value), LONGEST)}"
