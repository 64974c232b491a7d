"""Control of a running trader: the kill latch, and the verbs on a socket of their own."""
