"""MLflow as a mirror of the store: something to look at, never something that results depend on."""

from benchmark.tracking.mirror import Mirror
from benchmark.tracking.observer import mirrored, mirrored_over_http
from benchmark.tracking.runs import Delivery
from benchmark.tracking.server import connect, public, reason, sqlite_file, tracking_uri

__all__ = [
    "Delivery",
    "Mirror",
    "connect",
    "mirrored",
    "mirrored_over_http",
    "public",
    "reason",
    "sqlite_file",
    "tracking_uri",
]
