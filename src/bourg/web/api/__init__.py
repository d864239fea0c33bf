"""The open API: ``/api/v1``, read only, answered from the snapshot in service.

Each operation is declared once (:mod:`bourg.web.api.operations`); the declaration checks the request, chooses the
format, sets the caps and makes the OpenAPI document.
"""

from bourg.web.api.app import api_routes, warm_api

__all__ = ["api_routes", "warm_api"]
