"""How long work takes: measured on this machine, computed from a device's figures, or expected."""
