"""How much one client may ask: token buckets kept in memory, by address.

Nothing is written or logged: an address is only a key of a table that forgets it when its bucket is full again.
"""

from __future__ import annotations

import ipaddress
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.types import Scope

from bourg.errors import ParameterError

RATE_VARIABLE = "BOURG_API_RATE"
_MOST_CLIENTS = 20_000
_RATE = re.compile(r"(\d{1,6})(?:/(\d{1,6}))?")
_OFF = frozenset({"0", "off", "non"})
_IPV6_NETWORK = 64


@dataclass(frozen=True)
class Rate:
    """Requests allowed to one client.

    Attributes
    ----------
    per_minute
        Tokens given back each minute; 0 means no limit.
    burst
        Tokens of a full bucket: what may be asked at once.
    """

    per_minute: int = 1200
    burst: int = 300

    @property
    def unlimited(self) -> bool:
        """Whether nothing is counted."""
        return self.per_minute == 0


def load_rate(environment: Mapping[str, str] | None = None) -> Rate:
    """Read ``BOURG_API_RATE``: ``1200`` (a minute), ``1200/300`` (a minute / at once), ``0`` for no limit.

    Raises
    ------
    ParameterError
        When the setting is something else.
    """
    text = (os.environ if environment is None else environment).get(RATE_VARIABLE, "").strip().lower()
    if not text:
        return Rate()
    if text in _OFF:
        return Rate(0, 0)
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) == 0 or match[2] == "0":
        raise ParameterError(
            f"Le réglage {RATE_VARIABLE} ne se lit pas : « {text[:40]} ».",
            next_step="écrivez 1200 (demandes par minute), 1200/300 (par minute / d'un coup) ou 0 (sans limite).",
        )
    per_minute = int(match[1])
    return Rate(per_minute, int(match[2]) if match[2] else max(per_minute // 4, 1))


class TokenBuckets:
    """One bucket of tokens for each client (token bucket, RFC 2697 with a single rate).

    Parameters
    ----------
    rate
        Tokens a minute and size of a bucket.
    clock
        Seconds that only go forward.
    most
        Clients remembered; the one seen longest ago is forgotten first.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic, *, most: int = _MOST_CLIENTS) -> None:
        self.rate = rate
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str, cost: float = 1.0) -> float:
        """Take tokens from a bucket; return 0, or the seconds to wait when there are not enough of them.

        A cost above the size of the bucket asks for a full one, so that a heavy request is slow and never impossible.
        """
        if self.rate.unlimited:
            return 0.0
        speed, size = self.rate.per_minute / 60, float(self.rate.burst)
        cost = min(cost, size)
        now = self._clock()
        with self._lock:
            tokens, seen = self._buckets.get(client, (size, now))
            tokens = min(size, tokens + (now - seen) * speed)
            wait = 0.0 if tokens >= cost else (cost - tokens) / speed
            self._buckets[client] = (tokens if wait else tokens - cost, now)
            self._buckets.move_to_end(client)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return wait


def client_key(scope: Scope) -> str:
    """Return what tells a client from another: its IPv4 address, or the /64 network of its IPv6 address.

    The address is the one the server gives; behind a proxy, it is the server (uvicorn, ``--forwarded-allow-ips``)
    that decides whether ``X-Forwarded-For`` may be believed.
    """
    client = scope.get("client")
    host = str(client[0]) if client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:60]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
    return str(address)
