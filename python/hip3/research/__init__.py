"""Recordings: written by a run, read by replays and studies."""
