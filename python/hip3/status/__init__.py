"""What people see of a run: log lines, the snapshot, the terminal view, the socket it is published on."""
