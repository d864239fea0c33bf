"""The server under load: readers of public pages and of the API, then people on the dashboard, beside a plain page.

Run with ``python benchmarks/server.py --home DIR``. Everything is on loopback, the load included, on the same cores:

- 200 readers, each taking a page or a question, then reading from 5 to 15 seconds; towns are drawn as readers draw
  them (few are read much, most are read little: rank to the power -1). Caches are cold at the start: the first part
  of the load is told apart;
- 50 sessions of the culture map, each changing a filter, with a pause from 5 to 15 seconds; with and without
  ``gc.freeze``, to tell what it brings;
- 50 sessions of the page of a town, each changing what it is compared with, and the same on a plain Streamlit script
  that shows the same figures of the same towns, in the same run.

Percentiles are of the time from the request to the last byte (pages) or to the end of the script (dashboard).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.site.addresses import town_name
from bourg.store.snapshot import SnapshotStore

ROOT = Path(__file__).resolve().parents[1]
READERS, SESSIONS = 200, 50
# Seconds between two requests of one person.
PAUSE = (5.0, 15.0)
TARGETS = {"pages_p95_ms": 100, "dashboard_p95_ms": 1000}
_TOWNS = 400
# What a careful person writes in an afternoon: the same figures, tables kept in memory, no strip and no sentence.
PLAIN = """
import polars as pl
import streamlit as st

FOLDER = {folder!r}


@st.cache_resource
def tables():
    values = pl.read_parquet(FOLDER + "/values.parquet").filter(pl.col("level") == "commune")
    last = values.sort("period").group_by("indicator", "code").last()
    ranked = last.with_columns(
        rank=pl.col("value").rank().over("indicator"), of=pl.col("value").count().over("indicator"),
        median=pl.col("value").median().over("indicator"),
    )
    communes = pl.read_parquet(FOLDER + "/tables/communes.parquet", columns=["code", "name"])
    return ranked, dict(communes.iter_rows())


values, names = tables()
code = st.query_params.get("commune", "12145")
st.title(names[code])
town = values.filter(pl.col("code") == code).sort("indicator")
for start in range(0, 8, 4):
    for column, row in zip(st.columns(4), town.slice(start, 4).iter_rows(named=True)):
        column.metric(row["indicator"], row["value"], help=f"{{row['rank']}} / {{row['of']}}")
themes = town.with_columns(theme=pl.col("indicator").str.split(".").list.first())
for (theme,), rows in themes.group_by("theme", maintain_order=True):
    st.subheader(theme)
    st.dataframe(rows.select("indicator", "period", "value", "status", "rank", "of", "median"))
"""


@dataclass
class Load:
    """Durations in milliseconds, errors, and memory of the server in MB."""

    durations: list[float] = field(default_factory=list)
    errors: int = 0
    memory: float = 0.0

    def percentile(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        return float(np.percentile(self.durations, share)) if self.durations else float("nan")

    def line(self, name: str) -> str:
        """Return one line of the report."""
        return (
            f"{name:46s} n={len(self.durations):5d}  p50 {self.percentile(50):7.1f}  p95 {self.percentile(95):7.1f}  "
            f"p99 {self.percentile(99):7.1f} ms  erreurs {self.errors}  mémoire {self.memory:.0f} Mo"
        )


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(script: Path, home: Path, ready: str) -> Iterator[tuple[int, int]]:
    """Serve a script on a free port until the address ``ready`` answers; yield the port and the process."""
    port = free_port()
    options = ["--server.address=127.0.0.1", "--server.headless=true", "--browser.gatherUsageStats=false"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *options]
    environment = {**os.environ, "BOURG_HOME": str(home), "BOURG_API_RATE": "0"}
    process = subprocess.Popen(
        command, cwd=script.parent, stdout=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=60):
                    break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.5)
        time.sleep(8)  # what is loaded while the first page is read
        yield port, process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def memory_of(pid: int) -> float:
    """Return the resident memory of a process and of its children, in MB."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return float(sum(member.memory_info().rss for member in family) / 1e6)


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    """Ask for a page and read it whole; return the status."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept-Encoding: gzip", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode())
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    headers = head.decode("latin-1").lower()
    if "content-length:" in headers:
        await reader.readexactly(int(headers.split("content-length:", 1)[1].split("\r\n", 1)[0]))
    elif "chunked" in headers:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head.split(b" ", 2)[1])


async def one_reader(port: int, addresses: list[str], until: float, seed: int, load: Load) -> None:
    """Behave as one reader: a page, a pause, another page."""
    chance = random.Random(seed)
    await asyncio.sleep(chance.uniform(0, PAUSE[1]))
    weights = [1 / (1 + rank // 5) for rank in range(len(addresses))]
    while time.monotonic() < until:
        (path,) = chance.choices(addresses, weights)
        start = time.perf_counter()
        try:
            # The server closes a connection that says nothing for five seconds: a reader opens another.
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            status = await asyncio.wait_for(get(reader, writer, path), 30)
            writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            load.errors += 1
            print(f"{type(error).__name__} {error} : {path}", file=sys.stderr)
        else:
            load.durations.append(1000 * (time.perf_counter() - start))
            if status >= 400:
                load.errors += 1
                print(f"{status} : {path}", file=sys.stderr)
        await asyncio.sleep(chance.uniform(*PAUSE))


async def readers(port: int, addresses: list[str], seconds: float, people: int) -> Load:
    """Run readers for a while."""
    load = Load()
    until = time.monotonic() + seconds
    await asyncio.gather(*(one_reader(port, addresses, until, seed, load) for seed in range(people)))
    return load


async def rerun(session: Any, query: str, page: str) -> float:  # noqa: ANN401
    """Ask for a run of the script; return its duration in milliseconds, until its end is received."""
    message = BackMsg()
    message.rerun_script.query_string = query
    message.rerun_script.page_name = page
    start = time.perf_counter()
    await session.send(message.SerializeToString())
    while True:
        answer = ForwardMsg()
        answer.ParseFromString(await session.recv())
        if answer.WhichOneof("type") == "script_finished":
            return 1000 * (time.perf_counter() - start)


async def one_session(port: int, page: str, queries: list[str], *, changes: int, seed: int, load: Load) -> None:
    """Behave as one person on the dashboard: a first page, then changes of one choice."""
    chance = random.Random(seed)
    await asyncio.sleep(chance.uniform(0, PAUSE[1]))
    uri = f"ws://127.0.0.1:{port}/_stcore/stream"
    try:
        async with websockets.connect(uri, subprotocols=["streamlit"], max_size=None, ping_timeout=None) as session:  # type: ignore[list-item]
            await rerun(session, queries[0], page)
            for number in range(changes):
                await asyncio.sleep(chance.uniform(*PAUSE))
                load.durations.append(await rerun(session, queries[1 + (seed + number) % (len(queries) - 1)], page))
    except (OSError, websockets.WebSocketException) as error:
        load.errors += 1
        print(f"session {seed} : {error}", file=sys.stderr)


async def sessions(port: int, page: str, queries: list[list[str]], changes: int) -> Load:
    """Run people on a page of the dashboard, each with its own addresses: the first one, then those it changes to."""
    load = Load()
    everyone = (
        one_session(port, page, queries[seed], changes=changes, seed=seed, load=load) for seed in range(len(queries))
    )
    await asyncio.gather(*everyone)
    return load


def loose_app() -> str:
    """Return the application without ``gc.freeze``; its docstring and its call stay where Streamlit looks for them."""
    text = (ROOT / "app.py").read_text(encoding="utf-8")
    return text.replace("import sys\n", "import gc\nimport sys\n\ngc.freeze = lambda: None\n", 1)


def addresses_of(codes: list[str], names: dict[str, str]) -> list[str]:
    """Return what readers ask: pages of towns, figures, searches, similar towns, an indicator for a department."""
    found = []
    for rank, code in enumerate(codes):
        page = f"/ville/{town_name(code, names[code])}"
        api = (
            f"/api/v1/communes/{code}/values?theme=housing", f"/api/v1/communes?q={names[code][:6].split()[0].lower()}",
            f"/api/v1/communes/{code}/similar", f"/api/v1/communes/{code}",
        )  # fmt: skip
        found += [page, page, urllib.request.quote(api[rank % len(api)], safe="/?=&")]
    return found


def verdict(pages: Load, board: Load, *, town: Load, loose: Load, plain: Load) -> int:
    """Print the ratios and the targets; 1 when one is missed."""
    print(f"\npage d'une ville / page ordinaire : {town.percentile(95) / plain.percentile(95):.2f} (p95)")
    print(f"filtre sans gc.freeze / avec : {loose.percentile(95) / board.percentile(95):.2f} (p95)")
    met = {
        "pages_p95_ms": pages.percentile(95) < TARGETS["pages_p95_ms"] and not pages.errors,
        "dashboard_p95_ms": board.percentile(95) < TARGETS["dashboard_p95_ms"] and not board.errors,
    }
    for name, good in met.items():
        print(f"{'atteint' if good else 'manqué '} : {name} < {TARGETS[name]}")
    return 0 if all(met.values()) else 1


def main() -> int:
    """Run the benchmark; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="installation with a snapshot")
    parser.add_argument("--seconds", type=float, default=60, help="duration of each load of readers")
    parser.add_argument("--changes", type=int, default=5, help="changes of filter of each session")
    arguments = parser.parse_args()
    settings = Settings(home=arguments.home)
    snapshot = SnapshotStore(settings.snapshots).current()
    observatory = Observatory(snapshot, settings)
    small = observatory.communes.filter(observatory.communes["population"].is_between(2_000, 20_000))
    codes = random.Random(7).sample(sorted(observatory.pvd) or small["code"].to_list(), _TOWNS)
    names = observatory.names
    first = f"/ville/{town_name(codes[0], names[codes[0]])}"
    chance = random.Random(11)
    towns = [chance.choice(codes) for _ in range(SESSIONS)]
    sets = ("departement", "region", "pvd", "similar", "epci")
    of_town = [[f"commune={code}", *(f"commune={code}&comparer={name}" for name in sets)] for code in towns]
    filters = ("patrimoine", "spectacle%20vivant", "autre%20vivant")
    of_map = [["", *(f"categorie={name}" for name in filters), "type=Monument", f"commune={code}"] for code in towns]
    with serve(ROOT / "app.py", arguments.home, first) as (port, pid):
        addresses = addresses_of(codes, names)
        cold = asyncio.run(readers(port, addresses, arguments.seconds, READERS))
        cold.memory = memory_of(pid)
        print(cold.line(f"{READERS} lecteurs, premières lectures"), flush=True)
        pages = asyncio.run(readers(port, addresses, arguments.seconds, READERS))
        pages.memory = memory_of(pid)
        print(pages.line(f"{READERS} lecteurs, ensuite"), flush=True)
    with serve(ROOT / "app.py", arguments.home, first) as (port, pid):
        board = asyncio.run(sessions(port, "", of_map, arguments.changes))
        board.memory = memory_of(pid)
        print(board.line(f"{SESSIONS} sessions, filtre de la carte"), flush=True)
        town = asyncio.run(sessions(port, "ville", of_town, arguments.changes))
        town.memory = memory_of(pid)
        print(town.line(f"{SESSIONS} sessions, page d'une ville"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        # The same application, the collector left as Python sets it.
        (Path(folder) / "app.py").write_text(loose_app(), encoding="utf-8")
        (Path(folder) / "src").symlink_to(ROOT / "src")
        (Path(folder) / ".streamlit").symlink_to(ROOT / ".streamlit")
        with serve(Path(folder) / "app.py", arguments.home, first) as (port, pid):
            loose = asyncio.run(sessions(port, "", of_map, arguments.changes))
            loose.memory = memory_of(pid)
            print(loose.line(f"{SESSIONS} sessions, filtre, sans gc.freeze"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "page.py"
        script.write_text(PLAIN.format(folder=str(snapshot.folder)), encoding="utf-8")
        with serve(script, arguments.home, "/_stcore/health") as (port, pid):
            asyncio.run(sessions(port, "", of_town[:1], 1))
            plain = asyncio.run(sessions(port, "", of_town, arguments.changes))
            plain.memory = memory_of(pid)
            print(plain.line(f"{SESSIONS} sessions, page Streamlit ordinaire"), flush=True)
    return verdict(pages, board, town=town, loose=loose, plain=plain)


if __name__ == "__main__":
    sys.exit(main())
