"""What the page of shops computes, kept between runs: the portrait and the document of a town."""

from __future__ import annotations

from dataclasses import astuple

import streamlit as st

from bourg.commerce.centre import CentreRule, Perimeter
from bourg.dashboard.views.commerce_state import CommerceState
from bourg.portrait.document import Portrait, make_portrait
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.commerce import CommercePage, make_commerce_page

_Key = tuple[object, ...]


# By reference, not pickled at each run: neither is ever changed.
@st.cache_resource(max_entries=16, show_spinner=False)
def _portrait(snapshot_id: str, code: str, _observatory: Observatory) -> Portrait:
    del snapshot_id  # part of the cache key
    return make_portrait(_observatory, code)


@st.cache_resource(max_entries=32, show_spinner=False)
def _page(key: _Key, _observatory: Observatory, _code: str, _state: CommerceState) -> CommercePage:
    del key  # everything that the document depends on
    return make_commerce_page(
        _observatory,
        _code,
        comparator=_state.comparator,
        centre_rule=_state.rule,
        declared=_state.declared,
        register=_state.register,
        since=_state.since,
        portrait=_portrait(_observatory.snapshot.id, _code, _observatory),
    )


def page_of(observatory: Observatory, code: str, state: CommerceState) -> CommercePage:
    """Return the document of a town for the choices of the page."""
    key = (
        observatory.snapshot.id, code, state.comparator, state.register, state.since, _rule_key(state.rule),
        _perimeter_key(state.declared),
    )  # fmt: skip
    return _page(key, observatory, code, state)


def _rule_key(rule: CentreRule | None) -> _Key | None:
    return None if rule is None else astuple(rule)


def _perimeter_key(declared: Perimeter | None) -> _Key | None:
    return None if declared is None else (declared.polygon.wkb, declared.name, declared.notes)
