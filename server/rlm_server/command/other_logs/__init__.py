"""Logs of other systems, read as events, for viewing."""
