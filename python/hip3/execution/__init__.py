"""The trader: from signals and exits to signed orders, and from the venue's answers to their ends.

Everything here but `backup` and `submit` is without I/O and without a clock: time is an argument, and
what is to be sent is handed out as bytes. `backup` owns the one thread, `submit` the sockets' side.
"""
