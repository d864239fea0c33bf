"""The merge rules of every theme, gathered for the tables of a build."""

from __future__ import annotations

from bourg.build.merging_commerce import SHOP_TABLES
from bourg.build.merging_measures import COUNT_TABLES, MEASURE_TABLES, combine_measures
from bourg.build.merging_services import COMBINE, COMMUNE_CODES, COMPLETED
from bourg.store.tables import MergeRules

RULES = MergeRules(
    commune_codes=MEASURE_TABLES | COUNT_TABLES | COMMUNE_CODES | SHOP_TABLES,
    several=MEASURE_TABLES | COMPLETED,
    combine={**dict.fromkeys(MEASURE_TABLES, combine_measures), **COMBINE},
)
