"""One run: its parts wired together, its course, its end."""
