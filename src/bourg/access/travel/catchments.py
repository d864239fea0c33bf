"""Floating catchments over sparse tables of times: 2SFCA, E2SFCA, 3SFCA, and an estimate of the APL type.

With ``t_ij`` the minutes from the origin ``i`` to the supply ``j``, ``P_i`` the demand, ``S_j`` the supply and ``w`` a
weight that falls with time: ``R_j = S_j / Σ_i P_i w(t_ij)``, then ``A_i = Σ_j R_j w(t_ij)`` (Luo and Wang 2003; steps
of weights: Luo and Qi 2009). The three-step form (Wan, Zou and Sternberg 2012) multiplies ``w`` in both sums by
``G_ij = w_ij / Σ_j w_ij``, the share of each choice of the origin. In all of them ``Σ_i A_i P_i`` is the supply that is
reached.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter

Variant = Literal["2sfca", "e2sfca", "3sfca", "apl"]
Floats = NDArray[np.float64]
Weights = Callable[[Floats], Floats] | Mapping[float, float]
LABELS: dict[str, str] = {
    "2sfca": "bassin flottant à deux étapes (2SFCA)",
    "e2sfca": "bassin flottant à deux étapes, paliers de temps (E2SFCA)",
    "3sfca": "bassin flottant à trois étapes (3SFCA)",
    "apl": "estimation de type APL",
}
# A time that is exactly a bound must stay on its side whatever the rounding of minutes from seconds.
_ROUNDING_MIN = 1e-9


@dataclass(frozen=True)
class Catchment:
    """Scores of a floating catchment.

    Attributes
    ----------
    scores
        ``origin, score, reached, status``: supply per unit of demand, number of supplies reached, and ``ok`` or
        ``none_reached`` (the score is then a true 0: no supply within the catchment).
    supplies
        ``destination, supply, demand, ratio, status``: weighted demand and ``R_j``; ``no_demand`` when nobody is in
        the catchment, and the supply then serves nobody.
    label
        What it is, French. The estimate of the APL type is never the official APL.
    notes
        French remarks on what the estimate does not do.
    """

    scores: pl.DataFrame
    supplies: pl.DataFrame
    label: str
    notes: tuple[str, ...] = ()


def step_weights(steps: Mapping[float, float]) -> Callable[[Floats], Floats]:
    """Return the weight of a time from its steps: upper bound included, in minutes -> weight; 0 beyond the last.

    Raises
    ------
    ParameterError
        Without steps, or with a bound or a weight that is negative or not finite.
    """
    bounds = np.array(sorted(steps), dtype=np.float64)
    values = np.array([steps[bound] for bound in sorted(steps)], dtype=np.float64)
    if not bounds.size or not (np.isfinite(bounds) & np.isfinite(values)).all() or (values < 0).any() or bounds[0] < 0:
        raise ParameterError(
            "Les paliers de temps ne conviennent pas.",
            why=f"reçus : {dict(steps)}",
            next_step="donnez des minutes et des poids positifs, par exemple {10: 1, 20: 0.68, 30: 0.22}.",
        )
    padded = np.append(values, 0.0)
    return lambda minutes: padded[np.searchsorted(bounds, minutes - _ROUNDING_MIN, side="left")]


def reach_of(weights: Weights) -> float | None:
    """Return the longest time that counts, in minutes; ``None`` when the weights are a function."""
    return float(max(weights)) if isinstance(weights, Mapping) and weights else None


def _refuse(what: str, column: str, next_step: str) -> ParameterError:
    return ParameterError(what, where=f"colonne {column}", next_step=next_step)


def _checked(table: pl.DataFrame, key: str, value: str) -> pl.DataFrame:
    """Return the key and the value of a table, whose keys are unique and whose values are known and not negative."""
    rows = table.select(pl.col(key).cast(pl.String), pl.col(value).cast(pl.Float64))
    if rows[key].n_unique() < rows.height:
        raise _refuse("Un identifiant est répété.", key, "gardez une ligne par lieu.")
    sound = rows[value].is_finite().fill_null(value=False) & (rows[value] >= 0).fill_null(value=False)
    if not sound.all():
        raise _refuse(
            "Une valeur est inconnue ou négative.",
            value,
            "écartez les lieux dont la valeur manque : ce n'est pas zéro.",
        )
    return rows


def _pairs(od: pl.DataFrame, demand: pl.DataFrame, supply: pl.DataFrame) -> pl.DataFrame:
    """Return ``i, j, minutes``: the pairs whose two ends are known, by position."""
    rows = od.select(pl.col("origin").cast(pl.String), pl.col("destination").cast(pl.String), "minutes")
    minutes = rows["minutes"].cast(pl.Float64)
    if not (minutes.is_finite() & (minutes >= 0)).fill_null(value=False).all():
        raise _refuse(
            "Un temps de trajet est inconnu ou négatif.",
            "minutes",
            "n'écrivez que les trajets possibles : les autres manquent.",
        )
    if rows.select(pl.struct("origin", "destination").is_duplicated().any()).item():
        raise _refuse("Un trajet est répété.", "origin, destination", "gardez un temps par origine et destination.")
    origins = demand.select("origin").with_row_index("i")
    destinations = supply.select("destination").with_row_index("j")
    return rows.join(origins, on="origin").join(destinations, on="destination")


def floating_catchment(
    od: pl.DataFrame,
    demand: pl.DataFrame,
    supply: pl.DataFrame,
    weights: Weights | None = None,
    *,
    variant: Variant = "e2sfca",
    limit_min: float | None = None,
) -> Catchment:
    """Compute a floating catchment.

    Parameters
    ----------
    od
        ``origin, destination, minutes``: a sparse table, the pairs beyond its limit are simply not there.
    demand
        ``origin, demand``: inhabitants, or inhabitants weighted by their needs. An origin without a pair scores 0.
    supply
        ``destination, supply``.
    weights
        Steps ``{minutes: weight}``, or a function of an array of minutes; those of the parameter ``catchment_steps``
        (``apl_weights`` for ``apl``) by default.
    variant
        ``2sfca``, ``e2sfca``, ``3sfca`` or ``apl``. The first two and the last differ by their weights only.
    limit_min
        Times beyond this do not count. As in PySAL ``access``, a choice beyond it still has its share ``G`` in the
        three-step form.

    Raises
    ------
    ParameterError
        Unknown variant, repeated key or pair, value or time that is missing or negative, weights that are not.
    """
    if variant not in LABELS:
        raise ParameterError(
            f"La méthode « {str(variant)[:40]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(LABELS)}."
        )
    chosen = default_weights(variant) if weights is None else weights
    weigh = step_weights(chosen) if isinstance(chosen, Mapping) else chosen
    people, offers = _checked(demand, "origin", "demand"), _checked(supply, "destination", "supply")
    pairs = _pairs(od, people, offers)
    i, j = pairs["i"].to_numpy(), pairs["j"].to_numpy()
    minutes = pairs["minutes"].cast(pl.Float64).to_numpy()
    w = np.asarray(weigh(minutes), dtype=np.float64)
    if w.shape != minutes.shape or not (np.isfinite(w) & (w >= 0)).all():
        raise ParameterError("Les poids du temps doivent être des nombres positifs, un par trajet.")
    n, m = people.height, offers.height
    if variant == "3sfca":
        total = np.bincount(i, weights=w, minlength=n)
        w *= np.divide(w, total[i], out=np.zeros_like(w), where=total[i] > 0)
    if limit_min is not None:
        w[minutes > limit_min + _ROUNDING_MIN] = 0.0
    p, s = people["demand"].to_numpy(), offers["supply"].to_numpy()
    asked = np.bincount(j, weights=w * p[i], minlength=m)
    ratio = np.divide(s, asked, out=np.zeros(m), where=asked > 0)
    score = np.bincount(i, weights=w * ratio[j], minlength=n)
    reached = np.bincount(i, weights=(w > 0).astype(np.float64), minlength=n).astype(np.int64)
    scores = people.select("origin").with_columns(
        score=pl.Series(score),
        reached=pl.Series(reached),
        status=pl.when(pl.Series(reached) > 0).then(pl.lit("ok")).otherwise(pl.lit("none_reached")),
    )
    served = pl.Series(asked > 0)
    supplies = offers.with_columns(
        demand=pl.Series(asked),
        ratio=pl.when(served).then(pl.Series(ratio)),
        status=pl.when(served).then(pl.lit("ok")).otherwise(pl.lit("no_demand")),
    )
    return Catchment(scores, supplies, LABELS[variant])


def default_weights(variant: Variant, date: dt.date | None = None) -> dict[float, float]:
    """Return the declared steps of a variant, in force on ``date`` (the latest by default)."""
    if variant == "apl":
        return dict(parameter("apl_weights", date, package="bourg.access"))
    return dict(parameter("catchment_steps", date, package="bourg.access")[variant])


def apl_demand(inhabitants: pl.DataFrame, needs: Mapping[str, float] | None = None) -> tuple[pl.DataFrame, str]:
    """Weight inhabitants by the needs of their age.

    Parameters
    ----------
    inhabitants
        ``origin, inhabitants`` and one column per age class (``age_0_19``…).
    needs
        Column -> need relative to the mean; the parameter ``apl_age_needs`` by default. Empty: everybody counts one.

    Returns
    -------
    tuple
        ``origin, demand``, and a French remark that says what was done.

    Raises
    ------
    ParameterError
        When an age class is not in the table.
    """
    coefficients = dict(parameter("apl_age_needs", package="bourg.access") if needs is None else needs)
    if not coefficients:
        plain = inhabitants.select("origin", demand=pl.col("inhabitants").cast(pl.Float64))
        return plain, "La demande n'est pas pondérée par l'âge, à la différence de l'APL de la Drees."
    lacking = [name for name in coefficients if name not in inhabitants.columns]
    if lacking:
        raise ParameterError(
            "Une classe d'âge manque dans la table des habitants.",
            where=", ".join(lacking),
            next_step="donnez une colonne d'effectifs par classe d'âge.",
        )
    weighted = pl.sum_horizontal(
        pl.col(name).cast(pl.Float64) * coefficient for name, coefficient in coefficients.items()
    )
    return inhabitants.select("origin", demand=weighted), "La demande est pondérée par l'âge."


def apl_type(
    od: pl.DataFrame,
    inhabitants: pl.DataFrame,
    supply: pl.DataFrame,
    *,
    date: dt.date | None = None,
    needs: Mapping[str, float] | None = None,
) -> Catchment:
    """Estimate an accessibility of the APL type; it is not the APL of the DREES, and its label says so.

    Parameters
    ----------
    od
        ``origin, destination, minutes`` by car, up to 20 minutes at least.
    inhabitants
        ``origin, inhabitants`` and age classes (:func:`apl_demand`); or ``origin, standardised``: the population that
        the DREES publishes already weighted by age.
    supply
        ``destination, supply``: the unit of the result is this one per inhabitant (consultations a year, full-time
        equivalents, or practitioners).
    date
        Day whose weights are used, the latest by default.
    needs
        Needs by age class.

    Raises
    ------
    ParameterError
        See :func:`floating_catchment` and :func:`apl_demand`.
    """
    if "standardised" in inhabitants.columns:
        demand = inhabitants.select("origin", demand="standardised")
        remark = "La demande est la population standardisée donnée."
    else:
        demand, remark = apl_demand(inhabitants, needs)
    made = floating_catchment(od, demand, supply, default_weights("apl", date), variant="apl")
    notes = (
        "Ce n'est pas l'APL publiée par la Drees, qui compte l'activité réelle des praticiens.",
        remark,
        "L'indicateur ne dit ni le délai d'un rendez-vous ni si un praticien prend de nouveaux patients.",
    )
    return Catchment(made.scores, made.supplies, made.label, notes)


def sensitivity_band(
    od: pl.DataFrame,
    demand: pl.DataFrame,
    supply: pl.DataFrame,
    weights: Weights | None = None,
    *,
    variant: Variant = "e2sfca",
    shift: float = 0.15,
    od_limit_min: float | None = None,
) -> pl.DataFrame:
    """Return the scores with those of times shorter and longer by a share: ``origin, score, low, high``.

    Parameters
    ----------
    od, demand, supply, weights, variant
        See :func:`floating_catchment`.
    shift
        Share by which every time is changed, 0.15 for ± 15 %.
    od_limit_min
        Limit of ``od``: with shorter times, pairs now beyond the last step come into it, so the table must hold them.

    Raises
    ------
    ParameterError
        When the share is not between 0 and 1, or when ``od`` stops too early.
    """
    if not 0 < shift < 1:
        raise ParameterError("La marge sur les temps doit être entre 0 et 1.", where=f"{shift}")
    chosen = default_weights(variant) if weights is None else weights
    needed = reach_of(chosen)
    if od_limit_min is not None and needed is not None and od_limit_min * (1 - shift) < needed - _ROUNDING_MIN:
        raise ParameterError(
            "La table des temps s'arrête trop tôt pour en montrer la marge.",
            where=f"limite de {od_limit_min:g} min",
            next_step=f"calculez les temps jusqu'à {needed / (1 - shift):.1f} min.",
        )
    runs = []
    for factor in (1.0, 1 - shift, 1 + shift):
        times = od.with_columns(minutes=pl.col("minutes").cast(pl.Float64) * factor)
        runs.append(floating_catchment(times, demand, supply, chosen, variant=variant).scores["score"])
    scores = demand.select(pl.col("origin").cast(pl.String), score=runs[0])
    bounds = pl.DataFrame({str(rank): run for rank, run in enumerate(runs)})
    return scores.with_columns(
        low=bounds.select(pl.min_horizontal(pl.all())).to_series(),
        high=bounds.select(pl.max_horizontal(pl.all())).to_series(),
    )
