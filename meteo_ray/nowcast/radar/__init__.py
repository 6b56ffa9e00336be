"""From radar files to rain rates on one grid, event by event."""
