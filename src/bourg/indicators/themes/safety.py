"""Recorded crime by commune (SSMSI): rates as the producer defines them, secret where it does not publish."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import ratio
from bourg.indicators.registry import indicator

_SECRECY = (
    "Le SSMSI ne diffuse pas (« ndiff ») les communes qui ont trop peu de faits : la valeur est « secrète », jamais "
    "zéro, et la moyenne départementale qui l'accompagne n'est jamais reprise. Un territoire qui contient une commune "
    "secrète est secret : son total ne doit pas la révéler."
)
_LIMITS = (
    "Compte des faits enregistrés par la police et la gendarmerie, à la commune où ils ont eu lieu : ni les faits que "
    "personne n'a déclarés, ni le domicile des auteurs. Une commune touristique ou commerçante accueille bien plus de "
    "monde que ses habitants. Sur une petite commune, quelques faits changent beaucoup le taux. "
)


def _declare(name: str, label: str, unit: str, *, per: str = "population", more: str = "") -> None:
    base = (
        "habitants (population retenue par le SSMSI)" if per == "population" else "logements (Insee, repris du SSMSI)"
    )
    short = "hab." if per == "population" else "logements"

    @indicator(
        id=f"safety.{name}_per_1000",
        label=f"{label} pour 1 000 {'habitants' if per == 'population' else 'logements'}",
        unit=f"{unit} pour 1 000 {short}",
        theme="safety",
        kind="ratio",
        levels=LEVELS,
        sources=("delinquance",),
        direction="lower_is_better",
        secrecy=_SECRECY,
        decimals=1,
        period="year",
        formula=f"Taux publié par le SSMSI pour la commune, dernière année du fichier : 1 000 × {unit} ÷ {base}. Pour "
        "un territoire plus grand, le même rapport des sommes des communes.",
        limits=(_LIMITS + more).strip(),
        reference="SSMSI, base statistique communale de la délinquance enregistrée",
        series_break="Le SSMSI révise ses catégories et ses seuils de diffusion d'une édition à l'autre.",
    )
    def recorded(crime: pl.LazyFrame) -> pl.LazyFrame:
        """Give the recorded facts of one category per 1,000 inhabitants or dwellings."""
        rows = crime.filter(pl.col("category") == name)
        secret = (pl.col("status") == "secret").fill_null(value=False)
        value, reason = ratio(pl.col("n"), pl.col(per), 1000)
        # Only communes have a published rate; that of a larger territory is made of its sums.
        published = [pl.col("rate")] if "rate" in rows.collect_schema() else []
        return rows.with_columns(value, why=reason).select(
            "code",
            value=pl.when(~secret).then(pl.coalesce(*published, "value")),
            n=pl.when(~secret).then("n"),
            status=pl.when(secret).then(pl.lit("secret")).otherwise("why"),
            period=pl.col("year").cast(pl.String),
        )


_declare("burglaries", "Cambriolages de logement", "cambriolages", per="dwellings")
_declare("assaults", "Coups et blessures volontaires", "victimes")
_declare("sexual_violence", "Violences sexuelles", "victimes", more="La part des victimes qui portent plainte varie.")
_declare("robberies", "Vols violents sans arme", "infractions")
_declare("thefts", "Vols sans violence contre des personnes", "victimes")
_declare("vehicle_thefts", "Vols de véhicules", "véhicules")
_declare("thefts_from_vehicles", "Vols dans les véhicules", "véhicules")
_declare("vandalism", "Destructions et dégradations volontaires", "infractions")
_declare("drug_use", "Usage de stupéfiants", "mis en cause", more="Mesure surtout l'activité des services.")
_declare("frauds", "Escroqueries", "victimes", more="Une escroquerie en ligne est comptée là où elle est déclarée.")
