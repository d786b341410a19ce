"""Published datasets brought into the common layout, and the check that they arrived there sound."""

from benchmark.datasets.preparation.prepare import prepare
from benchmark.datasets.preparation.verify import Verification, verify

__all__ = ["Verification", "prepare", "verify"]
