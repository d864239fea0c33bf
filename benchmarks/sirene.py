"""Read a StockEtablissement of national size into the town tables: Bourg's reader against pandas by chunks.

    python benchmarks/sirene.py [--rows 35000000] [--fraction 0.1] [--folder DIR] [--file FILE.zip]

A file of ``--rows`` establishments is generated in the official layout (CSV in a zip, 54 columns), about one in six
being a shop. The whole of it is read by Bourg, and its first ``--fraction`` by Bourg and by pandas (``usecols``,
chunks, the same filter, counts by town, type and year), in the same run, each in its own process: time, peak
resident memory.
"""

# Each contender imports its own library in its own process.
# ruff: noqa: PLC0415
from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

BLOCK = 500_000
MEMBER = "StockEtablissement_utf8.csv"
CHUNK = 1_000_000
USED = [
    "siret", "statutDiffusionEtablissement", "dateCreationEtablissement", "codeCommuneEtablissement", "dateDebut",
    "etatAdministratifEtablissement", "enseigne1Etablissement", "denominationUsuelleEtablissement",
    "activitePrincipaleEtablissement", "nomenclatureActivitePrincipaleEtablissement",
]  # fmt: skip


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


def run_pandas(path: Path, out: Path) -> int:
    """Read the usual way: chunks of the used columns, a filter, one groupby, no check."""
    import pandas as pd

    from bourg.commerce.typology import typology

    kinds = typology().by("naf")
    rows, kept = 0, []
    for chunk in pd.read_csv(path, usecols=USED, dtype="str", chunksize=CHUNK):
        rows += len(chunk)
        chosen = chunk["activitePrincipaleEtablissement"].isin(kinds)
        chosen &= chunk["nomenclatureActivitePrincipaleEtablissement"] == "NAFRev2"
        kept.append(chunk[chosen])
    shops = pd.concat(kept)
    shops["type"] = shops["activitePrincipaleEtablissement"].map(kinds)
    shops["year"] = shops["dateCreationEtablissement"].str.slice(0, 4)
    counts = shops.groupby(["codeCommuneEtablissement", "type", "year"]).size().rename("opened").reset_index()
    counts.to_parquet(out / "shop_years.parquet")
    shops.to_parquet(out / "shops.parquet")
    return rows


CONTENDERS = {"bourg": run_bourg, "pandas": run_pandas}


def child(name: str, path: Path) -> None:
    """Run one contender and print its figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        rows = CONTENDERS[name](path, Path(folder))
        wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "name": name, "rows": rows, "wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }))  # fmt: skip


def measure(name: str, path: Path) -> dict[str, float]:
    """Run one contender in its own process."""
    command = [sys.executable, __file__, "--child", name, "--file", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def show(results: list[dict[str, float]]) -> None:
    """Print one line per contender with its ratios to the first one."""
    ours = results[0]
    print(f"{'':10}{'s':>8}{'s CPU':>8}{'lignes/s':>12}{'Mo':>8}{'temps':>9}{'mémoire':>9}")
    for each in results:
        print(
            f"{each['name']:10}{each['wall_s']:8.1f}{each['cpu_s']:8.1f}{each['rows'] / each['wall_s']:12,.0f}"
            f"{each['peak_mb']:8.0f}{each['wall_s'] / ours['wall_s']:8.1f}×{each['peak_mb'] / ours['peak_mb']:8.1f}×"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=35_000_000)
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--child", choices=list(CONTENDERS))
    options = parser.parse_args()
    if options.child:
        child(options.child, options.file)
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temporary:
        folder = options.folder or Path(temporary)
        whole = options.file or folder / f"StockEtablissement_{options.rows}.zip"
        part_rows = int(options.rows * options.fraction)
        part = folder / f"StockEtablissement_{part_rows}.zip"
        for path, rows in ((whole, options.rows), (part, part_rows)):
            if not path.exists():
                generate(path, rows)
            with zipfile.ZipFile(path) as archive:
                size = archive.infolist()[0].file_size
            print(f"{path.name} : {rows} lignes, {size / 1e6:.0f} Mo de CSV, {path.stat().st_size / 1e6:.0f} Mo en zip")
        print(f"\nMême fichier, {options.fraction:.0%} du national")
        show([measure(name, part) for name in CONTENDERS])
        print("\nFichier entier")
        show([measure("bourg", whole)])


if __name__ == "__main__":
    main()
