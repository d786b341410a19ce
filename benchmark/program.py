"""The name of the program as it was called, for messages that say what to type."""

import sys
from pathlib import Path

CONSOLE_SCRIPT = "weakshot-benchmark"
COMPLETE = "_WEAKSHOT_BENCHMARK_COMPLETE"  # environment variable by which shells ask for completion
MODULE = "python -m benchmark"  # also what stands in files: it works wherever the package does


def program() -> str:
    """Return ``weakshot-benchmark`` if the console script was called, else ``python -m benchmark``."""
    return CONSOLE_SCRIPT if Path(sys.argv[0]).stem == CONSOLE_SCRIPT else MODULE
