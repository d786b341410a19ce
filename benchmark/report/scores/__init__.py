"""From counts to scores: evaluations, means over seeds with intervals, classes, conventions."""
