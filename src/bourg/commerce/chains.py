"""Network brands and independents: what is known of each shop, in the order of evidence of ANCHORS D4.

1. tag ``brand:wikidata`` or ``brand`` of OpenStreetMap; 2. tag ``operator`` or ``network``; 3. sign or usual name of
Sirene found in our list of brands; 4. one SIREN with many open shops in several departments; 5. size of hyper and
supermarkets in their APE code. A shop with a name of its own and no such evidence is independent; without a name, or
with a name that only says its trade (« boulangerie »), it is undetermined. A franchise is a network brand as much as an
integrated shop: the class says nothing of who owns it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from bourg.commerce.typology import PACKAGE, rules, typology
from bourg.errors import DeclarationError
from bourg.indicators.parameters import parameter

NETWORK, INDEPENDENT, UNDETERMINED = "enseigne_de_reseau", "independant", "indetermine"
CLASSES = {NETWORK: "Enseigne de réseau", INDEPENDENT: "Indépendant", UNDETERMINED: "Indéterminé"}
EVIDENCE = {
    "osm_brand": "étiquette « brand » d'OpenStreetMap",
    "osm_operator": "étiquette « operator » ou « network » d'OpenStreetMap",
    "sign": "nom d'enseigne reconnu",
    "company": "entreprise qui a plusieurs établissements dans plusieurs départements",
    "size": "code APE d'hypermarché, de supermarché ou de grand magasin",
    "own_name": "nom propre au commerce, sans enseigne reconnue",
    "trade_name": "nom qui ne dit que le métier",
    "no_name": "aucun nom connu",
}
_SIZE_NAF = ("47.11D", "47.11F", "47.19A")
_PREFIX_WORDS = 4
_MATCHINGS = ("whole", "prefix")


@dataclass(frozen=True)
class Brand:
    """A network brand.

    Attributes
    ----------
    types
        Ids of the types of shops that carry it.
    prefix
        Whether a name that begins with it is enough.
    names
        The name and the other ways to write it.
    """

    name: str
    types: frozenset[str]
    wikidata: str | None
    prefix: bool
    names: tuple[str, ...]


def fold_words(column: pl.Expr) -> pl.Expr:
    """Return names in lower-case words without accents nor punctuation: ``E.LECLERC`` gives ``e leclerc``."""
    plain = column.str.to_lowercase().str.replace_all("œ", "oe", literal=True).str.normalize("NFKD")
    return plain.str.replace_all(r"\p{M}", "").str.replace_all(r"[^a-z0-9]+", " ").str.strip_chars(" ")


def fold_name(name: str) -> str:
    """Return :func:`fold_words` of one text."""
    folded: str = pl.select(fold_words(pl.lit(name, dtype=pl.String))).item()
    return folded


@cache
def brands() -> tuple[Brand, ...]:
    """Return the declared brands.

    Raises
    ------
    DeclarationError
        Unknown type, group or matching, or one name given to two brands in one type.
    """
    groups = typology().group_of()
    found = []
    for name, where, wikidata, matching, others in parameter("brands", package=PACKAGE)["brands"]:
        types = {kind for kind, group in groups.items() if kind in where or group in where}
        strangers = set(where) - set(groups) - set(groups.values())
        if strangers or matching not in _MATCHINGS:
            raise DeclarationError("Une enseigne est mal déclarée.", where=str(name), why=", ".join(sorted(strangers)))
        found.append(Brand(name, frozenset(types), wikidata, matching == "prefix", (name, *map(str, others))))
    return tuple(found)


@cache
def _keys() -> pl.DataFrame:
    """Return ``key (no space), type, brand, wikidata, prefix``: one row per name, type and brand."""
    rows = [
        (name, kind, brand.name, brand.wikidata, brand.prefix)
        for brand in brands()
        for name in brand.names
        for kind in sorted(brand.types)
    ]
    schema = {"name": pl.String, "type": pl.String, "brand": pl.String, "wikidata": pl.String, "prefix": pl.Boolean}
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(key=_compact(fold_words(pl.col("name"))))
    common = [fold_name(name) for name in parameter("brands", package=PACKAGE)["common_names"]]
    table = table.filter(~fold_words(pl.col("name")).is_in(common)).drop("name").unique(maintain_order=True)
    twice = (
        table.group_by("key", "type")
        .agg(pl.col("brand").n_unique().alias("n"), pl.col("brand"))
        .filter(pl.col("n") > 1)
    )
    if twice.height:
        raise DeclarationError("Un nom est donné à deux enseignes.", where=", ".join(sorted(set(twice["key"]))))
    return table.unique(["key", "type"], keep="first", maintain_order=True)


def _compact(words: pl.Expr) -> pl.Expr:
    return words.str.replace_all(" ", "", literal=True)


@cache
def _trade_pattern() -> str:
    words = "|".join(sorted(str(parameter("brands", package=PACKAGE)["trade_words"]).split()))
    return rf"^(?:(?:{words}|\d+)(?: |$))+$"


def match_brands(names: pl.DataFrame) -> pl.DataFrame:
    """Find the brand of names, each in its type of shop.

    Parameters
    ----------
    names
        ``name, type`` (duplicates allowed).

    Returns
    -------
    DataFrame
        Distinct ``name, type, brand, wikidata`` (null when nothing matches), ``trade`` (the name only says a trade).
        The longest match wins: « Carrefour Market Millau » is a Carrefour Market.
    """
    words = fold_words(pl.col("name"))
    table = names.select("name", "type").unique(maintain_order=True).with_columns(words=words)
    pieces = pl.col("words").str.split(" ")
    table = table.with_columns(
        trade=pl.col("words").str.contains(_trade_pattern()).fill_null(value=False),
        whole=_compact(pl.col("words")),
        **{f"first_{k}": pieces.list.head(k).list.join("") for k in range(1, _PREFIX_WORDS + 1)},
    )
    common = [fold_name(name) for name in parameter("brands", package=PACKAGE)["common_names"]]
    keys = _keys()
    prefixes = keys.filter("prefix")
    steps = [("whole", keys), *((f"first_{k}", prefixes) for k in range(_PREFIX_WORDS, 0, -1))]
    for rank, (column, known) in enumerate(steps):
        renamed = known.select("type", pl.col("key").alias(column), **{f"b{rank}": "brand", f"w{rank}": "wikidata"})
        table = table.join(renamed, on=["type", column], how="left", maintain_order="left")
    ranks = range(len(steps))
    free = ~pl.col("words").is_in(common)
    chosen = pl.coalesce(
        pl.when(pl.col(f"b{rank}").is_not_null()).then(pl.struct(brand=f"b{rank}", wikidata=f"w{rank}"))
        for rank in ranks
    )
    found = pl.when(free).then(chosen)
    return table.select(
        "name",
        "type",
        brand=found.struct.field("brand"),
        wikidata=found.struct.field("wikidata"),
        trade="trade",
    )


def large_companies(shops: pl.DataFrame) -> pl.Series:
    """Return the SIREN numbers that have enough open shops in enough departments (evidence 4).

    Parameters
    ----------
    shops
        ``siret, code, open``.
    """
    limits = rules()
    codes = pl.col("code")
    area = (
        pl.when(codes.str.slice(0, 2).is_in(["97", "98"])).then(codes.str.slice(0, 3)).otherwise(codes.str.slice(0, 2))
    )
    return (
        shops.filter(pl.col("open") & pl.col("siret").is_not_null())
        .group_by(siren=pl.col("siret").str.slice(0, 9))
        .agg(pl.len().alias("n"), area.n_unique().alias("areas"))
        .filter((pl.col("n") >= limits["chain_establishments"]) & (pl.col("areas") >= limits["chain_departements"]))
    )["siren"].sort()


def classify(shops: pl.DataFrame, companies: pl.Series | None = None) -> pl.DataFrame:
    """Add the class of each shop and the evidence kept for it.

    Parameters
    ----------
    shops
        ``code, type`` and, when known, ``name, name_other, siret, open, naf, osm_brand, osm_wikidata, osm_operator``.
        ``name`` comes before ``name_other`` (a second sign, the usual name).
    companies
        SIREN numbers of networks (:func:`large_companies`), when ``shops`` is a part only of the file.

    Returns
    -------
    DataFrame
        The rows in the same order with ``chain`` (one of :data:`CLASSES`), ``evidence`` (one of :data:`EVIDENCE`),
        ``brand`` and ``wikidata`` (null when the brand is not in our list).
    """
    optional = ("name", "name_other", "naf", "osm_brand", "osm_wikidata", "osm_operator")
    absent = [name for name in optional if name not in shops.columns]
    table = shops.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    if "open" not in table.columns:
        table = table.with_columns(open=pl.lit(value=True))
    if "siret" not in table.columns:
        table = table.with_columns(siret=pl.lit(None, dtype=pl.String))
    if companies is None:
        companies = large_companies(table)
    company = pl.col("siret").str.slice(0, 9).is_in(companies.implode()).fill_null(value=False)
    sources = ("osm_brand", "osm_operator", "name", "name_other")
    listed = pl.concat([table.filter(pl.col(s).is_not_null()).select(pl.col(s).alias("name"), "type") for s in sources])
    matches = match_brands(listed)
    for source in sources:
        renamed = {name: f"{source}_{name}" for name in ("brand", "wikidata", "trade")}
        known = matches.rename({"name": source, **renamed})
        table = table.join(known, on=[source, "type"], how="left", maintain_order="left")
    # A sign that is a brand wins over a first name that is not; a brand tag needs no list to be believed.
    sign = pl.coalesce("name_brand", "name_other_brand")
    tagged = pl.col("osm_brand").is_not_null() | pl.col("osm_wikidata").is_not_null()
    names = [pl.col("name"), pl.col("name_other")]
    trades = [pl.col("name_trade"), pl.col("name_other_trade")]
    own = pl.any_horizontal(
        name.is_not_null() & ~trade.fill_null(value=False) for name, trade in zip(names, trades, strict=True)
    )
    evidence = (
        pl.when(tagged)
        .then(pl.lit("osm_brand"))
        .when(pl.col("osm_operator_brand").is_not_null())
        .then(pl.lit("osm_operator"))
        .when(sign.is_not_null())
        .then(pl.lit("sign"))
        .when(company)
        .then(pl.lit("company"))
        .when(pl.col("naf").is_in(_SIZE_NAF))
        .then(pl.lit("size"))
        .when(own)
        .then(pl.lit("own_name"))
        .when(pl.any_horizontal(name.is_not_null() for name in names))
        .then(pl.lit("trade_name"))
        .otherwise(pl.lit("no_name"))
    )
    chain = (
        pl.when(pl.col("evidence").is_in(["osm_brand", "osm_operator", "sign", "company", "size"]))
        .then(pl.lit(NETWORK))
        .when(pl.col("evidence") == "own_name")
        .then(pl.lit(INDEPENDENT))
        .otherwise(pl.lit(UNDETERMINED))
    )
    table = table.with_columns(
        evidence=evidence,
        brand=pl.coalesce("osm_brand_brand", "osm_brand", "osm_operator_brand", sign),
        wikidata=pl.coalesce(
            "osm_wikidata", "osm_brand_wikidata", "osm_operator_wikidata", "name_wikidata", "name_other_wikidata"
        ),
    ).with_columns(chain=chain)
    return table.select(*shops.columns, "chain", "evidence", "brand", "wikidata")


def shares(counts: pl.LazyFrame, *, by: str = "code") -> pl.LazyFrame:
    """Return the share of network brands and its bounds, in percent.

    Parameters
    ----------
    counts
        ``by, chain, n``.

    Returns
    -------
    LazyFrame
        ``by, n, network, independent, undetermined, share`` = network/(network + independent), null when nothing is
        determined, and the bounds ``low`` = network/n and ``high`` = (network + undetermined)/n.
    """

    def of(name: str) -> pl.Expr:
        return pl.col("n").filter(pl.col("chain") == name).sum()

    table = counts.group_by(by).agg(
        network=of(NETWORK), independent=of(INDEPENDENT), undetermined=of(UNDETERMINED), n=pl.col("n").sum()
    )
    known = pl.col("network") + pl.col("independent")
    return table.with_columns(
        share=pl.when(known > 0).then(100 * pl.col("network") / known),
        low=pl.when(pl.col("n") > 0).then(100 * pl.col("network") / pl.col("n")),
        high=pl.when(pl.col("n") > 0).then(100 * (pl.col("network") + pl.col("undetermined")) / pl.col("n")),
    ).sort(by)
