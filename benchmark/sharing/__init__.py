"""Results that people pass on: what a run was, in one archive that anybody can read, and runs that others have made."""
