"""The simulated venue: matching, oracle, makers, accounts, the wire; sans-I/O except for `server`."""
