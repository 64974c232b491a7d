"""The agent's key at rest: where it is found, how it is asked for, and `hip3 key`."""
