"""Renewable energy: power in service and energy put on the grid, by sector, and what they weigh."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as bind
from functools import wraps
from inspect import Parameter, Signature, signature

import polars as pl

from bourg.energy.coverage import coverage_rate, partial
from bourg.energy.sectors import GROUPS, PRODUCTION, REGION_OF, RENEWABLE
from bourg.energy.specialisation import shrunk_quotient
from bourg.geography.codes import departement_expr
from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import covered, latest_population, ratio
from bourg.indicators.measures import latest
from bourg.indicators.registry import Compute, indicator
from bourg.indicators.specs_energy import INSTALLED, SUMS

_SOURCE = "registre_installations"
_REFERENCE = "ODRÉ, registre national des installations de production et de stockage d'électricité"
_PLACE = (
    "Une installation que le registre ne rattache à aucune commune n'est comptée qu'à partir de son département : la "
    "valeur d'une commune ou d'une intercommunalité est alors un minimum. "
)
_POWER = (
    _PLACE + "Puissance de ce qui est en service, pas énergie produite. Estimée (minimum) quand la puissance de 5 % au "
    "plus des installations est inconnue."
)
_ENERGY = (
    _PLACE + "Énergie injectée sur le réseau : l'électricité consommée sur place n'y est pas. Estimée (minimum) quand "
    "elle est inconnue pour 5 % au plus de la puissance, manquante au-delà."
)
_SECRECY = (
    "Les installations de moins de 36 kW ne sont publiées qu'additionnées par IRIS ; une énergie masquée est "
    "« secrète »."
)
_NAMES = {
    "solar": "solaire", "wind": "éolienne", "hydro": "hydraulique", "bio": "des bioénergies",
    "other": "des autres filières", "storage": "de stockage",
}  # fmt: skip
_WORDS = {
    "other": "Autres filières : géothermie, énergies marines, nucléaire, thermique non renouvelable et non précisées. ",
    "storage": "Stockage par batteries ou autre, sans les stations de pompage, qui sont dans l'hydraulique. ",
    "hydro": "Les stations de pompage y sont. ",
}
_declare_table = bind(
    indicator,
    theme="energy",
    levels=LEVELS,
    sources=(_SOURCE,),
    direction="neutral",
    secrecy=_SECRECY,
    period="vintage",
    reference=_REFERENCE,
)
# A level is made of its communes, and of the lines that it is the first to hold.
_LINES = (
    "energy_installations", "energy_unplaced_departement", "energy_unplaced_region", "energy_unplaced_france",
)  # fmt: skip


def _declare(*, lines: tuple[str, ...] = _LINES, **attributes: object) -> Callable[[Compute], Compute]:
    """Declare an indicator of the register: its function takes ``rows``, the sums of ``lines``, then other tables."""

    def register(function: Compute) -> Compute:
        @wraps(function)
        def compute(**tables: pl.LazyFrame) -> pl.LazyFrame:
            rows = pl.concat([tables.pop(name).select("code", "sector", *SUMS) for name in lines])
            return function(rows, **tables)

        # The registry reads the names of the tables in the signature.
        read = [*lines, *list(signature(function).parameters)[1:]]
        compute.__signature__ = Signature([Parameter(name, Parameter.KEYWORD_ONLY) for name in read])  # type: ignore[attr-defined]
        return _declare_table(**attributes)(compute)

    return register


def _sums(rows: pl.LazyFrame, coverage: pl.LazyFrame, sectors: tuple[str, ...]) -> pl.LazyFrame:
    """Return ``code`` and the sums of some sectors: zero where the register covers the unit and has no line."""
    chosen = rows.filter(pl.col("sector").is_in(sectors)).group_by("code").agg(pl.col(name).sum() for name in SUMS)
    here = covered(coverage, INSTALLED).select("code")
    return here.join(chosen, on="code", how="left").with_columns(pl.col(name).fill_null(0) for name in SUMS)


def _known_power(value: pl.Expr) -> list[pl.Expr]:
    return partial(value, pl.col("n") - pl.col("unpowered"), pl.col("unpowered"))


def _known_energy(value: pl.Expr) -> list[pl.Expr]:
    return partial(value, pl.col("power_kw") - pl.col("unknown_kw"), pl.col("unknown_kw"), pl.col("secret_kw"))


def _stated(rows: pl.LazyFrame, known: list[pl.Expr], divided: list[pl.Expr]) -> pl.LazyFrame:
    """Return a quotient of sums: a sum that is not known has no quotient, an estimate gives an estimate.

    Parameters
    ----------
    rows
        ``code, n`` and the sums.
    known
        ``value, status`` of the sum that may be partial.
    divided
        ``value, status`` of the quotient.
    """
    reason, why = known[1].alias("reason"), pl.col("reason")
    lost = why.is_in(["missing", "secret"]).fill_null(value=False)
    return rows.with_columns(reason, *divided).select(
        "code",
        "n",
        value=pl.when(~lost).then("value"),
        status=pl.when(lost).then(why).otherwise(pl.coalesce("status", why)),
    )


def _declare_power(group: str, sectors: tuple[str, ...], name: str) -> None:
    @_declare(
        id=f"energy.power_{group}",
        label=f"Puissance installée {name}",
        unit="kW",
        kind="amount",
        decimals=0,
        formula=f"Somme des puissances installées ({name}) en service, petites installations comprises.",
        limits=_WORDS.get(group, "") + _POWER,
    )
    def installed(
        rows: pl.LazyFrame,
        coverage: pl.LazyFrame,
    ) -> pl.LazyFrame:
        """Power of the sector, kW; ``n`` is the number of installations."""
        return _sums(rows, coverage, sectors).select("code", "n", *_known_power(pl.col("power_kw")))


def _declare_energy(group: str, sectors: tuple[str, ...], name: str) -> None:
    @_declare(
        id=f"energy.injected_{group}",
        label=f"Production {name} injectée sur le réseau",
        unit="MWh par an",
        kind="amount",
        decimals=0,
        formula=f"Somme des énergies injectées en douze mois ({name}) ÷ 1 000.",
        limits=_WORDS.get(group, "") + _ENERGY,
    )
    def injected(
        rows: pl.LazyFrame,
        coverage: pl.LazyFrame,
    ) -> pl.LazyFrame:
        """Energy put on the grid over twelve months, MWh."""
        return _sums(rows, coverage, sectors).select("code", "n", *_known_energy(pl.col("kwh") / 1000))


for _group, _sectors in GROUPS.items():
    _declare_power(_group, _sectors, _NAMES[_group])
    if _group != "storage":
        _declare_energy(_group, _sectors, _NAMES[_group])
_declare_power("total", PRODUCTION, "de toutes les filières")
_declare_power("renewable", RENEWABLE, "renouvelable")
_declare_energy("total", PRODUCTION, "de toutes les filières")
_declare_energy("renewable", RENEWABLE, "renouvelable")


@_declare(
    id="energy.installations",
    label="Nombre d'installations de production d'électricité",
    unit="installations",
    kind="amount",
    decimals=0,
    formula="Somme des nombres d'installations en service, stockage non compris.",
    limits=_PLACE + "Un toit compte autant qu'un parc éolien.",
)
def installations(
    rows: pl.LazyFrame,
    coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Installations in service, without storage."""
    return _sums(rows, coverage, PRODUCTION).select("code", "n", value="n")


@_declare(
    id="energy.renewable_power_per_inhabitant",
    label="Puissance renouvelable installée par habitant",
    unit="kW par habitant",
    kind="ratio",
    decimals=2,
    sources=(_SOURCE, "populations"),
    formula="Puissance renouvelable en service (kW) ÷ population municipale.",
    limits="La population est celle de la dernière année connue. " + _POWER,
)
def renewable_power_per_inhabitant(
    rows: pl.LazyFrame,
    population: pl.LazyFrame,
    coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Renewable power in service over the latest municipal population."""
    people = latest_population(population).select("code", "pmun")
    sums = _sums(rows, coverage, RENEWABLE).join(people, on="code", how="left")
    return _stated(sums, _known_power(pl.col("power_kw")), ratio(pl.col("power_kw"), pl.col("pmun")))


@_declare(
    id="energy.renewable_share",
    label="Part des énergies renouvelables dans la puissance installée",
    unit="%",
    kind="share",
    decimals=1,
    formula="Puissance solaire, éolienne, hydraulique, des bioénergies, géothermique et marine ÷ puissance de "
    "production, stockage non compris.",
    limits="Part de la puissance, pas de l'électricité produite ni consommée. Sans installation : sans objet. "
    + _POWER,
)
def renewable_share(
    rows: pl.LazyFrame,
    coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Renewable power in percent of the power of production."""
    part = _sums(rows, coverage, RENEWABLE).select("code", part="power_kw")
    sums = _sums(rows, coverage, PRODUCTION).join(part, on="code")
    return _stated(sums, _known_power(pl.col("power_kw")), ratio(pl.col("part"), pl.col("power_kw"), 100))


@_declare(
    id="energy.small_solar_share",
    label="Part des petites installations dans la puissance solaire",
    unit="%",
    kind="share",
    decimals=1,
    formula="Puissance solaire des installations de moins de 36 kW ÷ puissance solaire.",
    limits="Moins de 36 kW est la taille d'un toit de maison ou d'un petit commerce ; le registre ne dit pas "
    "lesquelles autoconsomment. Sans solaire : sans objet. " + _POWER,
)
def small_solar_share(
    rows: pl.LazyFrame,
    coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Power of the solar installations under 36 kW in percent of the solar power."""
    sums = _sums(rows, coverage, ("solar",))
    return _stated(sums, _known_power(pl.col("power_kw")), ratio(pl.col("small_kw"), pl.col("power_kw"), 100))


@_declare(
    id="energy.recent_power_share",
    label="Part de la puissance mise en service depuis cinq ans",
    unit="%",
    kind="share",
    decimals=1,
    formula="Puissance des installations mises en service dans les cinq dernières années du registre ÷ puissance des "
    "installations dont la date est publiée, stockage non compris.",
    limits="Les petites installations additionnées n'ont pas de date et n'y sont pas. Une installation démontée depuis "
    "n'est plus au registre. " + _POWER,
)
def recent_power_share(
    rows: pl.LazyFrame,
    coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Power put in service in the last years in percent of the dated power."""
    sums = _sums(rows, coverage, PRODUCTION)
    return _stated(sums, _known_power(pl.col("power_kw")), ratio(pl.col("recent_kw"), pl.col("dated_kw"), 100))


@_declare(
    id="energy.coverage_rate",
    label="Taux de couverture de la consommation d'électricité par la production renouvelable",
    unit="%",
    kind="ratio",
    decimals=1,
    sources=(_SOURCE, "consommation_energie"),
    formula="Énergie renouvelable injectée en douze mois (MWh) ÷ électricité livrée à tous les secteurs, dernière "
    "année connue (MWh) × 100.",
    limits="Bilan d'une année, pas d'une heure : au-dessus de 100 % le territoire produit plus qu'il ne consomme sans "
    "être autonome. Les deux périodes peuvent différer d'une année. " + _ENERGY,
)
def coverage_of_use(
    rows: pl.LazyFrame,
    energy_use: pl.LazyFrame,
    coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Renewable energy put on the grid in percent of the electricity delivered."""
    used = latest(energy_use, "ELEC").select("code", used="value", used_status="status")
    sums = _sums(rows, coverage, RENEWABLE).join(used, on="code", how="inner")
    stated = _stated(sums, _known_energy(pl.col("kwh")), coverage_rate(pl.col("kwh"), pl.col("used")))
    hidden = used.filter(pl.col("used_status") == "secret").select("code", hidden=pl.lit(value=True))
    return stated.join(hidden, on="code", how="left").select(
        "code", "n", "value", status=pl.when("hidden").then(pl.lit("secret")).otherwise("status")
    )


def _declare_quotient(group: str, name: str, where: str) -> None:
    @_declare(
        id=f"energy.quotient_{group}",
        label=f"Spécialisation dans {where} par rapport à la région",
        unit="",
        kind="index",
        levels=("commune", "departement"),
        lines=_LINES[:2],
        decimals=2,
        formula="Quotient ((n × part locale + 30 × part régionale) ÷ (n + 30)) ÷ part régionale ; les parts sont "
        f"celles de la puissance {name} dans la puissance de production et n le nombre d'installations du territoire.",
        limits="Au-dessus de 1, la filière pèse plus ici que dans la région ; cela ne dit pas qu'elle y est grande. "
        "Sous 30 installations : sans objet. La part régionale est celle des installations rattachées au même niveau. "
        + _PLACE.rstrip(),
        reference="ANCHORS D14 ; " + _REFERENCE,
    )
    def quotient(
        rows: pl.LazyFrame,
        units: pl.LazyFrame,
        coverage: pl.LazyFrame,
    ) -> pl.LazyFrame:
        """Location quotient against the region; ``n`` is the number of installations."""
        part = _sums(rows, coverage, (group,)).select("code", part="power_kw")
        sums = _sums(rows, coverage, PRODUCTION).join(part, on="code")
        code = pl.col("code")
        departement = pl.when(code.str.len_chars() == 5).then(departement_expr(code)).otherwise(code)
        region = departement.replace_strict(REGION_OF, default=None, return_dtype=pl.String)
        wanted = units.with_columns(region=region).group_by("region").len("n_units")
        whole = (
            sums.with_columns(region=region)
            .group_by("region")
            .agg(pl.len().alias("n_covered"), pl.col("part").sum(), pl.col("power_kw").sum(), pl.col("unpowered").sum())
            .join(wanted, on="region")
            # The region is compared with itself whole, or not at all.
            .filter(pl.col("n_covered") == pl.col("n_units"))
            .select("region", reference=pl.col("part") / pl.col("power_kw"))
        )
        placed = sums.with_columns(region=region).join(whole, on="region", how="inner")
        value = shrunk_quotient(pl.col("part"), pl.col("power_kw"), pl.col("reference"), pl.col("n"))
        return _stated(placed, _known_power(pl.col("power_kw")), value)


for _group, _where in (
    ("solar", "le solaire"),
    ("wind", "l'éolien"),
    ("hydro", "l'hydraulique"),
    ("bio", "les bioénergies"),
):
    _declare_quotient(_group, _NAMES[_group], _where)
