"""Culture: places in two named typologies, and diversity of types."""

from __future__ import annotations

import polars as pl

from bourg.indicators.basilic import BASILIC, place_count, place_rate, place_share, type_index
from bourg.indicators.helpers import count_by, covered, per_population, share_of
from bourg.indicators.typologies import UNCLASSIFIED, categorise, load_typology

_PLACES = (
    "Basilic recense des lieux, pas leur activité, leur taille ni leur ouverture ; un monument est compté comme une "
    "bibliothèque. Les festivals sont comptés à part."
)
_COUNT_FALLBACK = {"culture_places": "culture_counts"}
_COUNTS_NOTE = (
    " Là où le détail des lieux n'est pas disponible, le nombre vient des comptes communaux de la même base : les deux "
    "peuvent différer de quelques unités."
)


@place_count(
    id="culture.places_count",
    label="Lieux culturels",
    formula="Nombre de lieux de Basilic situés dans le territoire, tous types.",
    limits=_PLACES + _COUNTS_NOTE,
    reference=BASILIC,
    fallback=_COUNT_FALLBACK,
)
def places_count(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Cultural places of every type."""
    return count_by(coverage, "culture_places", culture_places)


@place_rate(
    id="culture.places_per_1000",
    label="Lieux culturels pour 1 000 habitants",
    unit="lieux pour 1 000 hab.",
    formula="1 000 × lieux de Basilic ÷ population municipale.",
    limits=_PLACES + " Un petit nombre d'habitants donne vite un taux élevé." + _COUNTS_NOTE,
    reference=BASILIC,
    fallback=_COUNT_FALLBACK,
)
def places_per_1000(culture_places: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Cultural places per 1,000 inhabitants."""
    return per_population(count_by(coverage, "culture_places", culture_places), population)


def _in_category(places: pl.LazyFrame, typology: str, category: str) -> pl.LazyFrame:
    return places.filter(categorise(pl.col("type"), typology) == category)


def _declare_count(typology: str, category: str, name: str, label: str) -> None:
    @place_count(
        id=f"culture.{name}_count",
        label=label,
        formula=f"Nombre de lieux de la catégorie « {load_typology(typology).label_of(category)} » "
        f"(typologie « {typology} »).",
        limits=_PLACES,
        reference=load_typology(typology).reference,
    )
    def category_count(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Places of one category."""
        return count_by(coverage, "culture_places", _in_category(culture_places, typology, category))


def _declare_share(typology: str, category: str, name: str, label: str) -> None:
    family = load_typology(typology).label_of(category)

    @place_share(
        id=f"culture.{name}_share",
        label=label,
        formula=f"100 × lieux « {family} » ÷ tous les lieux, non classés compris (typologie « {typology} »).",
        limits=_PLACES + " Sans aucun lieu, la part n'existe pas.",
        reference=load_typology(typology).reference,
    )
    def category_share(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Share of one category among all places (percent)."""
        chosen = count_by(coverage, "culture_places", _in_category(culture_places, typology, category))
        return share_of(chosen, count_by(coverage, "culture_places", culture_places))


def _declare_rate(typology: str, category: str, name: str, label: str) -> None:
    family = load_typology(typology).label_of(category)

    @place_rate(
        id=f"culture.{name}_per_1000",
        label=label,
        unit="lieux pour 1 000 hab.",
        formula=f"1 000 × lieux « {family} » ÷ population municipale (typologie « {typology} »).",
        limits=_PLACES,
        reference=load_typology(typology).reference,
    )
    def category_rate(culture_places: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Places of one category per 1,000 inhabitants."""
        counts = count_by(coverage, "culture_places", _in_category(culture_places, typology, category))
        return per_population(counts, population)


# Two typologies have a heritage and an unclassified category: every label says which one is meant.
for _category, _name, _label, _share in (
    (
        "vivant",
        "living",
        "Lieux culturels vivants",
        "Part des lieux vivants (bibliothèques, cinémas, musées, théâtres…)",
    ),
    ("patrimoine", "heritage", "Lieux de patrimoine", "Part du patrimoine (monuments, archives, parcs…)"),
    (
        UNCLASSIFIED,
        "unclassified",
        "Lieux culturels ni vivants ni patrimoine",
        "Part des lieux ni vivants ni patrimoine",
    ),
):
    _declare_count("brief", _category, _name, _label)
    _declare_share("brief", _category, _name, f"{_share} parmi les lieux culturels")
_declare_rate("brief", "vivant", "living", "Lieux culturels vivants pour 1 000 habitants")
_declare_rate("brief", "patrimoine", "heritage", "Lieux de patrimoine pour 1 000 habitants")

# English names of the families of the ministry; « ministry_ » tells them from the brief's.
MINISTRY_NAMES = {
    "patrimoine": "ministry_heritage",
    "musees": "ministry_museums",
    "lecture": "ministry_reading",
    "cinema": "ministry_cinema",
    "spectacle_vivant": "ministry_performing",
    "arts_visuels": "ministry_visual_arts",
    "enseignement": "ministry_training",
    "pluridisciplinaire": "ministry_multidisciplinary",
    UNCLASSIFIED: "ministry_unclassified",
}
for _category, _name in MINISTRY_NAMES.items():
    _family = load_typology("ministere").label_of(_category)
    _declare_share(
        "ministere",
        _category,
        _name,
        "Part des lieux culturels hors des domaines du ministère"
        if _category == UNCLASSIFIED
        else f"Part des lieux culturels du domaine « {_family} » du ministère",
    )
    if _category in {"lecture", "spectacle_vivant", "musees"}:
        _declare_rate(
            "ministere", _category, _name, f"Lieux du domaine « {_family} » du ministère pour 1 000 habitants"
        )


def _typed(culture_places: pl.LazyFrame) -> pl.LazyFrame:
    return culture_places.filter(pl.col("type").is_not_null() & (pl.col("n") > 0))


@type_index(
    id="culture.types_count",
    label="Types de lieux culturels présents",
    unit="types",
    decimals=0,
    formula="Nombre de types d'équipements différents de Basilic présents dans le territoire.",
    limits=_PLACES + " Les grands territoires ont presque tous les types : comparer entre territoires de même taille.",
    reference=BASILIC,
)
def types_count(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Distinct official types present."""
    present = _typed(culture_places).group_by("code").agg(pl.col("type").n_unique().alias("n"))
    places = count_by(coverage, "culture_places", culture_places).select("code", n="value")
    return count_by(coverage, "culture_places", present).select("code", "value").join(places, on="code")


def _entropy(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``code, entropy, n``: Shannon's H' in nats, null where no place has a type."""
    share = pl.col("n") / pl.col("n").sum().over("code")
    terms = (
        _typed(culture_places)
        .group_by("code", "type")
        .agg(pl.col("n").sum())
        .with_columns(p=share)
        .group_by("code")
        .agg(entropy=-(pl.col("p") * pl.col("p").log()).sum(), n=pl.col("n").sum())
    )
    return covered(coverage, "culture_places").select("code").join(terms, on="code", how="left")


_NO_TYPE = pl.when(pl.col("entropy").is_null()).then(pl.lit("not_applicable")).alias("status")
_DIVERSITY_LIMITS = (
    _PLACES + " La diversité dépend du nombre de lieux : lire avec lui, et ne pas comparer un bourg à une métropole."
)


@type_index(
    id="culture.shannon",
    label="Diversité des types de lieux culturels (indice de Shannon)",
    unit="",
    decimals=2,
    formula="H' = −Σ pₖ ln pₖ, où pₖ est la part du type k parmi les lieux ; 0 quand tous sont du même type.",
    limits=_DIVERSITY_LIMITS,
    reference="C. E. Shannon, « A Mathematical Theory of Communication », 1948",
)
def shannon(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Shannon entropy of the types (nats)."""
    return _entropy(culture_places, coverage).select("code", _NO_TYPE, value="entropy", n="n")


@type_index(
    id="culture.effective_types",
    label="Nombre équivalent de types de lieux culturels",
    unit="types",
    decimals=1,
    formula="Exponentielle de l'indice de Shannon : types qui, à parts égales, donneraient la même diversité.",
    limits=_DIVERSITY_LIMITS,
    reference="M. O. Hill, « Diversity and Evenness », Ecology, 1973",
)
def effective_types(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Exponential of the entropy: effective number of types."""
    return _entropy(culture_places, coverage).select("code", _NO_TYPE, value=pl.col("entropy").exp(), n="n")
