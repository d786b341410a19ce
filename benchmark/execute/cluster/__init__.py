"""Making stages on a cluster that Slurm runs: submit and return; the state lies in the store."""
