"""Training: the loop, its batches and input, precision, several processes, networks on the way."""
