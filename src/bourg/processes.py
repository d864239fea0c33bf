"""Processes of this machine that share a long work."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def no_main_script() -> Iterator[None]:
    """Hide the main script from the processes that start: they would run it, and it may be the page of a server."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
