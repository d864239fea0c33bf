"""The structure of every commune: transformed, cut and robustly standardised features (ANCHORS D13)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bourg.compare.families import family_of
from bourg.compare.matrix import CommuneMatrix, Floats
from bourg.compare.settings import setting
from bourg.errors import DeclarationError, SnapshotError

MAD_SCALE = 1.4826  # of a normal law: standard deviation ÷ median absolute deviation
IQR_SCALE = 1.349  # of a normal law: interquartile range ÷ standard deviation


class Feature(BaseModel):
    """A declared feature; ``winsorise`` gives the two quantiles where the transformed values are cut."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    indicator: str
    transform: Literal["log", "sqrt", "none"]
    weight: float = Field(gt=0)
    winsorise: tuple[float, float]

    @property
    def family(self) -> str:
        """Family of its indicator."""
        return family_of(self.indicator)


def declared_features() -> tuple[Feature, ...]:
    """Return the features in force.

    Raises
    ------
    DeclarationError
        When one is badly declared.
    """
    try:
        return tuple(Feature.model_validate(item) for item in setting("similar_features"))
    except ValidationError as error:
        raise DeclarationError("Une caractéristique de structure est mal déclarée.", why=str(error)) from error


def robust_scale(values: Floats) -> tuple[float, float]:
    """Return the median and the robust spread of the known values.

    The spread is 1.4826 × MAD; when more than half of the values are equal, the interquartile range ÷ 1.349, then
    the standard deviation; 0 when all values are equal, NaN when there is none.
    """
    known = values[~np.isnan(values)]
    if known.size == 0:
        return float("nan"), float("nan")
    median = float(np.median(known))
    spread = MAD_SCALE * float(np.median(np.abs(known - median)))
    if spread == 0:
        low, high = np.quantile(known, [0.25, 0.75])
        spread = float(high - low) / IQR_SCALE or float(known.std())
    return median, spread


def standardise(values: Floats, feature: Feature) -> Floats:
    """Return the robust z-scores of one feature, NaN where it is unknown or where the transform has no meaning."""
    if feature.transform == "log":
        moved = np.log(np.where(values > 0, values, np.nan))
    elif feature.transform == "sqrt":
        moved = np.sqrt(np.where(values >= 0, values, np.nan))
    else:
        moved = values.astype(np.float64)
    known = moved[~np.isnan(moved)]
    if known.size == 0:
        return moved
    low, high = np.quantile(known, list(feature.winsorise))
    cut = np.clip(moved, low, high)
    median, spread = robust_scale(cut)
    return (cut - median) / spread if spread > 0 else np.where(np.isnan(cut), np.nan, 0.0)


@dataclass(frozen=True)
class Structure:
    """Communes placed in the space of the features.

    Attributes
    ----------
    codes
        Commune codes, sorted; ties of distance follow this order.
    features
        Features that have at least one value.
    raw
        Values of the features, shape ``(communes, features)``, NaN where unknown.
    z
        Robust z-scores, same shape, NaN where unknown.
    left_out
        Declared features without any value in this snapshot.
    demo
        Shape ``(communes, features)``: whether the value is generated.
    """

    codes: tuple[str, ...]
    features: tuple[Feature, ...]
    raw: Floats
    z: Floats
    left_out: tuple[str, ...] = ()
    demo: NDArray[np.bool_] | None = None

    @cached_property
    def weights(self) -> Floats:
        """Weights, adding up to 1."""
        weights = np.array([feature.weight for feature in self.features])
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Row of each code."""
        return {code: index for index, code in enumerate(self.codes)}

    @cached_property
    def columns(self) -> Floats:
        """The z-scores feature by feature, shape ``(features, communes)``: one town against all reads it in order."""
        return np.ascontiguousarray(self.z.T)

    @cached_property
    def filled(self) -> tuple[Floats, Floats]:
        """The z-scores as :attr:`columns` with 0 where unknown, and the weights of what is known; of one shape."""
        unknown = np.isnan(self.columns)
        weights = np.where(unknown, 0.0, self.weights[:, None])
        return np.where(unknown, 0.0, self.columns), weights

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Where the features are known."""
        return ~np.isnan(self.z)

    def kept(self, without: Iterable[str] = ()) -> list[int]:
        """Return the positions of the features whose family is not in ``without``."""
        families = set(without)
        return [index for index, feature in enumerate(self.features) if feature.family not in families]

    @property
    def families(self) -> frozenset[str]:
        """Families that hold a feature."""
        return frozenset(feature.family for feature in self.features)


def structure_of(matrix: CommuneMatrix, features: Sequence[Feature] | None = None) -> Structure:
    """Return the communes of a matrix in the space of the features.

    Raises
    ------
    SnapshotError
        When no feature has a value.
    """
    chosen = tuple(features) if features is not None else declared_features()
    present = [item for item in chosen if item.indicator in matrix.rows and not _empty(matrix, item)]
    if not present:
        raise SnapshotError(
            "Aucune caractéristique de structure n'a de valeur : les villes semblables ne se calculent pas.",
            where=", ".join(item.indicator for item in chosen),
            next_step="construisez un instantané avec les populations et les logements : bourg build.",
        )
    rows = [matrix.rows[item.indicator] for item in present]
    raw = np.ascontiguousarray(matrix.values[rows].T)
    z = np.column_stack([standardise(raw[:, index], item) for index, item in enumerate(present)])
    demo_of: list[Any] = [
        np.isin(matrix.lots[row], [lot for lot, key in enumerate(matrix.lot_keys[row]) if key[1]]) for row in rows
    ]
    left_out = tuple(item.indicator for item in chosen if item not in present)
    return Structure(matrix.codes, tuple(present), raw, z, left_out, np.column_stack(demo_of))


def _empty(matrix: CommuneMatrix, feature: Feature) -> bool:
    return bool(np.isnan(matrix.values[matrix.rows[feature.indicator]]).all())
