"""What the compiled loops of the package share: how they are compiled, and the arrays they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

_F = TypeVar("_F", bound=Callable[..., object])

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]


def compiled(function: _F) -> _F:
    """Compile on first use, keep the machine code on disk, release the interpreter while running."""
    return cast("_F", numba.njit(cache=True, nogil=True)(function))
