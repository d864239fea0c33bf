"""The API keeps its OpenAPI contract: schemathesis asks every route, with right and with wrong parameters."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import BaseSchema, GenerationMode
from schemathesis.config import ChecksConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig

from api_tools import api_app
from bourg.settings import Settings
from bourg.web.api.operations import OPERATIONS

PATHS = {operation.id: f"/api/v1{operation.path}" for operation in OPERATIONS}
# A route may know nothing of a well-formed code (404), or find the answer too large (413).
_ANSWERED = ["2xx", "404", "413"]
_REFUSED = ["404", "406", "413", "414", "422"]
# Rules between parameters, and French names of facilities: OpenAPI cannot say them (422).
_BOUND = ("places", "geo", "values", "compare", "access")


@pytest.fixture(scope="module")
def api_schema(small_settings: Settings) -> BaseSchema:
    return _loaded(small_settings, _ANSWERED)


@pytest.fixture(scope="module")
def bound_schema(small_settings: Settings) -> BaseSchema:
    return _loaded(small_settings, [*_ANSWERED, "422"])


def _loaded(installation: Settings, answered: list[str]) -> BaseSchema:
    statuses = {
        "positive_data_acceptance": {"expected-statuses": answered},
        "negative_data_rejection": {"expected-statuses": _REFUSED},
    }
    checks = ChecksConfig.from_dict(statuses)
    config = SchemathesisConfig(seed=1, projects=ProjectsConfig(default=ProjectConfig(checks=checks)))
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", api_app(installation), config=config)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", PATHS)
def test_every_route_keeps_its_contract(
    api_schema: BaseSchema, bound_schema: BaseSchema, name: str, mode: GenerationMode
) -> None:
    operation = (bound_schema if name in _BOUND else api_schema)[PATHS[name]]["GET"]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=12, derandomize=True, deadline=None, database=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(timeout=600)

    ask()
