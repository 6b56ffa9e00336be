"""Hypothesis without deadlines: how fast an example runs depends on the machine, not on the code."""

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
