"""Making stages: in this process or in worker processes, with retries, resumption and one computation a key."""
