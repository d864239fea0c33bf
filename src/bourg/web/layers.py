"""Layers that pages make (values of a map, isochrones), served by an address that names their content.

A page sends the address only; the browser asks for the content once, and never again while it does not change.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from bourg.errors import UnknownTerritoryError

_MOST_BYTES = 64_000_000


class UnknownLayerError(UnknownTerritoryError):
    """A layer that is not held: never made, or so old that newer ones took its place."""


class LayerStore:
    """Contents by their SHA-256, the last used kept within a number of bytes.

    Parameters
    ----------
    most_bytes
        Bytes kept at most; the last content put is always kept.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def put(self, content: bytes) -> str:
        """Hold a content and return its digest (64 hexadecimal digits)."""
        digest = hashlib.sha256(content).hexdigest()
        with self._lock:
            if digest not in self._held:
                self._held[digest] = content
                self._size += len(content)
            self._held.move_to_end(digest)
            while self._size > self._most and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._size -= len(dropped)
        return digest

    def get(self, digest: str) -> bytes:
        """Return a content.

        Raises
        ------
        UnknownLayerError
            When it is not held.
        """
        with self._lock:
            if digest in self._held:
                self._held.move_to_end(digest)
                return self._held[digest]
        raise UnknownLayerError(
            "Cette couche de la carte n'est plus gardée.", where=digest[:64], next_step="rechargez la page."
        )


LAYERS = LayerStore()
