"""``python -m benchmark``."""

import sys
from pathlib import Path

from benchmark.paths import PACKAGES

if Path(sys.path[0] or ".").resolve() != PACKAGES:
    del sys.path[0]  # the current folder, in which `methods` or `splits` may be anybody's

from benchmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
