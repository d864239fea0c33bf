"""Read a StockEtablissement of national size into the town tables: Bourg's reader against pandas by chunks.

    python benchmarks/sirene.py [--rows 35000000] [--fraction 0.1] [--folder DIR] [--file FILE.zip]

A file of ``--rows`` establishments is generated in the official layout (CSV in a zip, 54 columns), about one in six
being a shop. Its first ``--fraction`` is read in the same run by Bourg, by pandas doing what the same town tables need
(the twenty columns Bourg reads, by chunks; years, survival, successors; the tables are compared), and by pandas doing
the least (ten columns, a filter, one count), each in its own process: time, processor, peak resident memory. Brands,
coordinates in degrees, checks and personal data are for Bourg alone. The whole file is then read by Bourg.
"""

# Each contender imports its own library in its own process.
# ruff: noqa: PLC0415
from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 500_000
MEMBER = "StockEtablissement_utf8.csv"
CHUNK = 1_000_000
LEAST = [
    "siret", "statutDiffusionEtablissement", "dateCreationEtablissement", "codeCommuneEtablissement", "dateDebut",
    "etatAdministratifEtablissement", "enseigne1Etablissement", "denominationUsuelleEtablissement",
    "activitePrincipaleEtablissement", "nomenclatureActivitePrincipaleEtablissement",
]  # fmt: skip
ADDRESS = [
    "numeroVoieEtablissement", "indiceRepetitionEtablissement", "typeVoieEtablissement", "libelleVoieEtablissement",
]  # fmt: skip
SAME = [
    *LEAST, *ADDRESS, "dateDernierTraitementEtablissement", "trancheEffectifsEtablissement", "enseigne2Etablissement",
    "caractereEmployeurEtablissement", "coordonneeLambertAbscisseEtablissement",
    "coordonneeLambertOrdonneeEtablissement",
]  # fmt: skip
TABLES = ("shop_years", "shop_survival", "shop_turnover")
GIGABYTE_MB, SECONDS = 1024, 300


def generate(path: Path, rows: int) -> None:
    """Write a zip of ``rows`` establishments: one random block, its numbers and dates changed from one to the next."""
    import numpy as np
    import polars as pl

    from bourg.commerce.chains import brands
    from bourg.commerce.typology import typology
    from bourg.sources.demo.sirene import COLUMNS

    rng = np.random.default_rng(20_250_101)
    shops = list(typology().by("naf"))
    others = ["68.20A", "68.20B", "70.22Z", "86.90E", "43.34Z", "94.99Z", "62.01Z", "01.11Z", "74.90B", "85.59A"]
    signs = np.array(["", "", "", "", "LE FOURNIL", "BOULANGERIE", 'L\'ATELIER, "CHEZ NOUS"', "SNACK DE LA PLACE"])
    signs = np.concatenate([signs, [brand.name.upper() for brand in brands()[::8]]])
    codes = np.array([f"{d:02d}{c:03d}" for d in range(1, 96) if d != 20 for c in range(1, 370)])
    empty = pl.Series([None], dtype=pl.String).extend_constant(None, BLOCK - 1)

    # A few towns hold most shops, a few trades most of them.
    weights = 1.0 / np.arange(8, codes.size + 8)
    towns = np.cumsum(weights / weights.sum())
    trades = np.cumsum(1.0 / np.arange(3, len(shops) + 3))
    order, trade_order = rng.permutation(codes.size), rng.permutation(len(shops))

    def dates(days: np.ndarray) -> pl.Series:
        return pl.Series(days.astype(np.int32)).cast(pl.Date).cast(pl.String)

    def block(number: int) -> pl.DataFrame:
        is_shop = rng.random(BLOCK) < 0.17
        code = pl.Series(codes[order[np.searchsorted(towns, rng.random(BLOCK)).clip(max=codes.size - 1)]])
        trade = trade_order[np.searchsorted(trades, rng.random(BLOCK) * trades[-1]).clip(max=len(shops) - 1)]
        closed = rng.random(BLOCK) < 0.55
        # Births from 1985 to 2023; a life of six years on average, cut at the day of the file.
        born = rng.integers(5_500, 19_700, BLOCK)
        start = np.where(closed, np.minimum(born + rng.exponential(2_200, BLOCK), 20_000), born)
        siren = pl.Series(np.arange(number * BLOCK, (number + 1) * BLOCK)).cast(pl.String).str.zfill(9)
        given = {
            "siren": siren,
            "nic": pl.Series(["00011"]).extend_constant("00011", BLOCK - 1),
            "siret": siren + "00011",
            "statutDiffusionEtablissement": pl.Series(np.where(rng.random(BLOCK) < 0.15, "P", "O")),
            "dateCreationEtablissement": dates(born),
            "trancheEffectifsEtablissement": pl.Series(rng.choice(["NN", "00", "01", "02", "11"], BLOCK)),
            "dateDernierTraitementEtablissement": dates(rng.integers(14_300, 20_089, BLOCK)) + "T10:00:00",
            "etablissementSiege": pl.Series(np.where(rng.random(BLOCK) < 0.8, "true", "false")),
            "nombrePeriodesEtablissement": pl.Series(rng.integers(1, 6, BLOCK)).cast(pl.String),
            "numeroVoieEtablissement": pl.Series(rng.integers(1, 200, BLOCK)).cast(pl.String),
            "typeVoieEtablissement": pl.Series(rng.choice(["RUE", "AV", "PL", "BD", "CHE"], BLOCK)),
            "libelleVoieEtablissement": pl.Series(rng.choice([f"DU LIEU {k}" for k in range(400)], BLOCK)),
            "codePostalEtablissement": code,
            "libelleCommuneEtablissement": pl.Series(rng.choice(["VILLE-SUR-RIVE", "SAINT-BOURG", "MONT"], BLOCK)),
            "codeCommuneEtablissement": code,
            "identifiantAdresseEtablissement": siren + "_B",
            "coordonneeLambertAbscisseEtablissement": pl.Series(rng.uniform(3e5, 9e5, BLOCK).round(2)).cast(pl.String),
            "coordonneeLambertOrdonneeEtablissement": pl.Series(rng.uniform(6.3e6, 6.9e6, BLOCK).round(2)).cast(
                pl.String
            ),
            "dateDebut": dates(start),
            "etatAdministratifEtablissement": pl.Series(np.where(closed, "F", "A")),
            "enseigne1Etablissement": pl.Series(np.where(is_shop, rng.choice(signs, BLOCK), "")).replace("", None),
            "activitePrincipaleEtablissement": pl.Series(
                np.where(is_shop, np.array(shops)[trade], rng.choice(others, BLOCK))
            ),
            "nomenclatureActivitePrincipaleEtablissement": pl.Series(
                np.where(closed & (start < 13_879), "NAF1993", "NAFRev2")
            ),
            "caractereEmployeurEtablissement": pl.Series(np.where(rng.random(BLOCK) < 0.3, "O", "N")),
        }
        return pl.DataFrame({name: given.get(name, empty) for name in COLUMNS})

    # A handful of blocks drawn anew are enough: only the SIREN of a copy must differ.
    drawn = 4
    base = [block(number) for number in range(min(drawn, -(-rows // BLOCK)))]
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open(MEMBER, "w", force_zip64=True) as out:
        for number in range(-(-rows // BLOCK)):
            frame = base[number % drawn].head(min(BLOCK, rows - number * BLOCK))
            siren = pl.Series(np.arange(number * BLOCK, number * BLOCK + frame.height)).cast(pl.String).str.zfill(9)
            frame = frame.with_columns(siren=siren, siret=siren + "00011")
            buffer = io.BytesIO()
            frame.write_csv(buffer, include_header=number == 0)
            out.write(buffer.getbuffer())


def run_bourg(path: Path, out: Path) -> int:
    """Bourg's reader: every check, brand and life table included."""
    from bourg.sources.model import get_source
    from bourg.sources.reading import read_resource

    source = get_source("sirene")
    tables, report = read_resource(path, source, source.resources[0])
    for name, frame in tables.items():
        frame.write_parquet(out / f"{name}.parquet")
    return report.rows_read


def pandas_shops(path: Path, columns: list[str]) -> tuple[int, pd.DataFrame]:
    """Return the rows read and those of shops, by chunks."""
    import pandas as pd

    from bourg.commerce.typology import typology

    kinds = typology().by("naf")
    rows, kept = 0, []
    for chunk in pd.read_csv(path, usecols=columns, dtype="str", chunksize=CHUNK):
        rows += len(chunk)
        chosen = chunk["activitePrincipaleEtablissement"].isin(kinds)
        chosen &= chunk["nomenclatureActivitePrincipaleEtablissement"] == "NAFRev2"
        kept.append(chunk[chosen])
    shops = pd.concat(kept, ignore_index=True)
    shops["type"] = shops["activitePrincipaleEtablissement"].map(kinds)
    return rows, shops.rename(columns={"codeCommuneEtablissement": "code"})


def run_pandas_least(path: Path, out: Path) -> int:
    """Read ten columns, filter, count once."""
    rows, shops = pandas_shops(path, LEAST)
    shops["year"] = shops["dateCreationEtablissement"].str.slice(0, 4)
    counts = shops.groupby(["code", "type", "year"]).size().rename("opened").reset_index()
    counts.to_parquet(out / "counts.parquet")
    shops.to_parquet(out / "shops.parquet")
    return rows


def run_pandas(path: Path, out: Path) -> int:
    """Compute the three town tables of Bourg in the usual pandas."""
    import pandas as pd

    from bourg.commerce.typology import rules, typology

    limits = rules()
    rows, shops = pandas_shops(path, SAME)
    for name, source in (
        ("created", "dateCreationEtablissement"),
        ("closed", "dateDebut"),
        ("treated", "dateDernierTraitementEtablissement"),
    ):
        shops[name] = pd.to_datetime(shops[source].str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    observed = shops["treated"].max()
    shops["open"] = shops["etatAdministratifEtablissement"] == "A"
    shops["group"] = shops["type"].map(typology().group_of())
    shops["closed"] = shops["closed"].where(~shops["open"])
    shops = shops[shops["open"] | shops["closed"].notna()]
    shops = shops[~(shops["closed"] < pd.Timestamp(limits["first_year"], 1, 1))]
    public = shops["statutDiffusionEtablissement"] == "O"
    shops = shops[~public | ~shops["siret"].where(public).duplicated()]
    tables = {
        "shop_years": pandas_years(shops, observed, limits),
        "shop_survival": pandas_survival(shops, observed, limits),
        "shop_turnover": pandas_turnover(shops, observed, limits),
    }
    for name, table in tables.items():
        table.to_parquet(out / f"{name}.parquet")
    shops.to_parquet(out / "shops.parquet")
    return rows


def pandas_years(shops: pd.DataFrame, observed: pd.Timestamp, limits: Mapping[str, int]) -> pd.DataFrame:
    """Return openings, closures and stock by town, type and year."""
    last = observed.year if (observed.month, observed.day) == (12, 31) else observed.year - 1
    years = list(range(limits["first_year"] - 1, last + 2))

    def counted(part: pd.DataFrame, column: str) -> pd.DataFrame:
        year = part[column].dt.year.fillna(years[0]).clip(years[0], years[-1]).astype(int).rename("year")
        return part.groupby(["code", "type", year]).size().unstack(fill_value=0).reindex(columns=years, fill_value=0)

    opened = counted(shops, "created")
    closed = counted(shops[shops["closed"].notna()], "closed").reindex(opened.index, fill_value=0)
    stock = (opened - closed).cumsum(axis=1)
    parts = {name: t[years[1:-1]].stack() for name, t in (("opened", opened), ("closed", closed), ("stock", stock))}
    table = type(shops)(parts)
    return table[(table != 0).any(axis=1)].reset_index()


def pandas_survival(shops: pd.DataFrame, observed: pd.Timestamp, limits: Mapping[str, int]) -> pd.DataFrame:
    """Return shops at risk and closed by town, group, year of birth and age."""
    import pandas as pd

    span = limits["survival_years"]
    known = shops[(shops["created"].dt.year >= limits["first_year"]) & (shops["created"] <= observed)].copy()
    born = known["created"].dt

    def birthdays(until: pd.Series | pd.Timestamp) -> pd.Series:
        day = until.dt if isinstance(until, pd.Series) else until
        before = day.month * 32 + day.day < born.month * 32 + born.day
        return (day.year - born.year - before).clip(0, span)

    known["cohort"] = born.year
    known["lived"] = birthdays(known["closed"]).where(known["closed"].notna(), span)
    known["seen"] = birthdays(observed)
    lives = known.groupby(["code", "group", "cohort", "lived", "seen"]).size().rename("n").reset_index()
    parts = []
    for age in range(span):
        risk = lives[(lives["lived"] >= age) & (lives["seen"] > age)]
        risk = risk.assign(age=age, at_risk=risk["n"], closed=risk["n"].where(risk["lived"] == age, 0))
        parts.append(risk.groupby(["code", "group", "cohort", "age"])[["at_risk", "closed"]].sum().reset_index())
    return pd.concat(parts)


def pandas_turnover(shops: pd.DataFrame, observed: pd.Timestamp, limits: Mapping[str, int]) -> pd.DataFrame:
    """Return closures followed and replaced, addresses occupied and vacant, by town (addresses as written)."""
    import pandas as pd

    located = shops[
        (shops["statutDiffusionEtablissement"] == "O") & shops[[ADDRESS[0], ADDRESS[3]]].notna().all(axis=1)
    ].copy()
    words = [located[name].fillna("") for name in ADDRESS]
    located["address"] = words[0] + "|" + words[1] + "|" + words[2] + "|" + words[3]
    crowd = located.groupby(["code", "address"])["open"].transform("sum")
    located = located[crowd <= limits["shared_address"]].reset_index(names="row")
    delay, overlap = pd.DateOffset(months=limits["replacement_months"]), limits["replacement_overlap_days"]
    limit, window = observed - delay, observed - pd.DateOffset(years=limits["vacancy_years"])
    gone = located.loc[located["closed"].notna(), ["row", "code", "address", "created", "closed"]]
    comers = located.loc[located["created"].notna(), ["row", "code", "address", "created"]]
    pairs = gone.merge(comers, on=["code", "address"], suffixes=("", "_next"))
    pairs = pairs[
        (pairs["row"] != pairs["row_next"])
        & (pairs["created_next"] > pairs["created"].fillna(pd.Timestamp(1, 1, 1).as_unit("s")))
        & (pairs["created_next"] >= pairs["closed"] - pd.Timedelta(days=overlap))
        & (pairs["created_next"] <= pairs["closed"] + delay)
    ]
    gone = gone[gone["closed"].between(window, limit)]
    moves = gone["row"].isin(pairs["row"]).groupby(gone["code"]).agg(followed="size", replaced="sum")
    places = located.groupby(["code", "address"]).agg(open=("open", "any"), last=("closed", "max"))
    places["vacant"] = ~places["open"] & places["last"].between(window, limit)
    state = places.groupby("code").agg(occupied=("open", "sum"), vacant=("vacant", "sum"))
    return state.join(moves).fillna(0).astype(int).reset_index()


def differing(ours: Path, theirs: Path) -> list[str]:
    """Return the town tables that are not the same, whatever the order of rows and the width of integers."""
    import polars as pl

    def table(folder: Path, name: str, columns: list[str]) -> pl.DataFrame:
        found = pl.read_parquet(folder / f"{name}.parquet").select(columns)
        return found.with_columns(pl.col(pl.Int8, pl.Int16, pl.Int32, pl.UInt32, pl.Int64).cast(pl.Int64)).sort(columns)

    names = {name: pl.read_parquet(ours / f"{name}.parquet").columns for name in TABLES}
    return [
        name for name, columns in names.items() if not table(ours, name, columns).equals(table(theirs, name, columns))
    ]


CONTENDERS = {"bourg": run_bourg, "pandas": run_pandas, "pandas-min": run_pandas_least}


def child(name: str, path: Path, out: Path) -> None:
    """Run one contender and print its figures as JSON."""
    start = time.perf_counter()
    rows = CONTENDERS[name](path, out)
    wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "name": name, "rows": rows, "wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }))  # fmt: skip


def measure(name: str, path: Path, out: Path) -> dict[str, float]:
    """Run one contender in its own process, its tables left in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--child", name, "--file", str(path), "--folder", str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def show(results: list[dict[str, float]]) -> None:
    """Print one line per contender with its ratios to the first one."""
    ours = results[0]
    print(f"{'':10}{'s':>8}{'s CPU':>8}{'lignes/s':>12}{'Mo':>8}{'temps':>9}{'CPU':>9}{'mémoire':>9}")
    for each in results:
        ratios = "".join(f"{each[key] / ours[key]:8.1f}×" for key in ("wall_s", "cpu_s", "peak_mb"))
        print(
            f"{each['name']:10}{each['wall_s']:8.1f}{each['cpu_s']:8.1f}{each['rows'] / each['wall_s']:12,.0f}"
            f"{each['peak_mb']:8.0f}{ratios}"
        )


def answer(*, reached: bool) -> str:
    return "oui" if reached else "NON"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=35_000_000)
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--child", choices=list(CONTENDERS))
    options = parser.parse_args()
    if options.child:
        child(options.child, options.file, options.folder)
        return 0
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temporary:
        folder, out = options.folder or Path(temporary), Path(temporary) / "tables"
        whole = options.file or folder / f"StockEtablissement_{options.rows}.zip"
        part_rows = int(options.rows * options.fraction)
        part = folder / f"StockEtablissement_{part_rows}.zip"
        for path, rows in ((whole, options.rows), (part, part_rows)):
            if not path.exists():
                generate(path, rows)
            with zipfile.ZipFile(path) as archive:
                size = archive.infolist()[0].file_size
            print(f"{path.name} : {rows} lignes, {size / 1e6:.0f} Mo de CSV, {path.stat().st_size / 1e6:.0f} Mo en zip")
        print(f"Charge au départ : {os.getloadavg()[0]:.1f} ; {os.cpu_count()} cœurs")
        print(f"\nMême fichier, {options.fraction:.0%} du national")
        show([measure(name, part, out / name) for name in CONTENDERS])
        wrong = differing(out / "bourg", out / "pandas")
        print(f"Tables des villes identiques chez pandas : {answer(reached=not wrong)} {', '.join(wrong)}")
        print("\nFichier entier")
        result = measure("bourg", whole, out / "whole")
        show([result])
        light, fast = result["peak_mb"] < 4 * GIGABYTE_MB, result["wall_s"] < SECONDS
        print(f"Objectifs : moins de 5 minutes : {answer(reached=fast)}, moins de 4 Go : {answer(reached=light)}")
        return 0 if light and fast and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
