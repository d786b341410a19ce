"""What installed packages offer under an entry-point group, by name."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from benchmark.errors import BenchmarkError


def plugins(group: str, kind: str) -> Mapping[str, Any]:
    """Return every object that an entry point of a group names, by its own ``name``; ``kind`` is for messages.

    Raises BenchmarkError when one cannot be loaded or two share a name.
    """
    found: dict[str, Any] = {}
    for point in entry_points(group=group):
        try:
            plugin = point.load()
        except Exception as error:
            where = f"{point.value!r}" + (f" of package {point.dist.name}" if point.dist else "")
            raise BenchmarkError(
                f"{kind} {point.name!r} ({where}) cannot be loaded: {type(error).__name__}: {error}. "
                f"Mend or uninstall that package."
            ) from error
        if plugin.name in found:
            article = "an" if kind[0] in "aeiou" else "a"
            raise BenchmarkError(
                f"two installed packages provide {article} {kind} named {plugin.name!r}; uninstall one."
            )
        found[plugin.name] = plugin
    return found
