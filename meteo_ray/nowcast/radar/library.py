"""pysteps, the library of the field: its readers, its optical flow, its advection.

It is compiled where it is installed, so it is an extra of this package: whoever only sorts charts needs no compiler.
"""

import contextlib
import io
from types import ModuleType

from meteo_ray.errors import UsageError


def pysteps() -> ModuleType:
    """The library, imported without its greeting. Raises UsageError where it is not installed."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import pysteps as library
    except ImportError as error:
        raise UsageError(
            f"nowcasts need pysteps ({error}); pip install 'meteo_ray[radar]', which wants a C compiler"
        ) from None
    return library
