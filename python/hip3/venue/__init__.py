"""The venue's side of the shell: sockets, HTTP, discovery and account reads. Decides nothing about trades."""
