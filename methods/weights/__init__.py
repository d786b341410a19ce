"""Files of weights: our checkpoints, and those of others, read without running pickled code."""
