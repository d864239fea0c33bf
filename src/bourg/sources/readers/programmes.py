"""National programmes by commune: the ANCT cross table, the list of one programme, the follow-up of ORT."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.jsonrecords import is_json, read_records
from bourg.sources.layouts import Table, column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_frame, open_table

_CODE = column("insee_com", "Code commune", "code_insee", "codgeo")
# Column of the cross table -> programme. France services are places, and calls for projects (habitat inclusif, sites
# clés en main) or second rounds (id_acv2) are no programme of their own.
CROSSED = {
    "id_pvd": "PVD",
    "id_acv": "ACV",
    "id_va": "VA",
    "id_ti": "TI",
    "id_crte": "CRTE",
    "id_ami": "AMI",
    "id_amm": "AMM",
    "id_fabp": "FABP",
    "id_cite": "CITE",
    "id_cde": "CDE",
}
_SIGNATURE = optional("date_signature", "date de signature", "Si signée, date de signature")
LAYOUTS = {
    "ort": {
        "code": _CODE,
        "signed": column("Signée ?", "signee"),
        "signature_date": _SIGNATURE,
        "end_date": optional("Date de fin estimée"),
    },
    # One row per commune of France; the names of the programmes are those of the columns.
    "croisement": {"code": _CODE, "pvd": column("id_pvd"), "crte": column("id_crte")},
    "acv": {"code": _CODE, "id": column("id_acv"), "signature_date": _SIGNATURE},
    "villages": {"code": _CODE, "id": column("id_va"), "signature_date": _SIGNATURE},
}
_LISTS = {"acv": "ACV", "villages": "VA"}
_ORT_STATUS = {"signee": "signed", "non signee": "planned", "en cours": "planned"}
SCHEMA = ("code", "programme", "programme_id", "status", "signature_date", "end_date")
_NO_TEXT = pl.lit(None, dtype=pl.String)
_NO_DATE = pl.lit(None, dtype=pl.Date)


def _crossed(table: Table, context: ReadContext) -> pl.DataFrame:
    names = {name: CROSSED[name.strip().lower()] for name in table.header if name.strip().lower() in CROSSED}
    frame = cells.mend_codes(table.read(*names), context.report)
    ids = frame.unpivot(index="code", on=list(names), variable_name="programme", value_name="programme_id")
    several = pl.col("programme_id").str.contains(";", literal=True)
    context.report.note(
        f"{ids.select(several.sum()).item()} communes et programmes ont plusieurs identifiants, gardés ensemble"
    )
    return ids.filter(pl.col("programme_id").is_not_null()).with_columns(
        pl.col("programme").replace_strict(names),
        pl.col("programme_id").str.replace_all(r"\s*;\s*", " ; "),
        status=pl.lit("signed"),
        signature_date=_NO_DATE,
        end_date=_NO_DATE,
    )


def _listed(frame: pl.DataFrame, programme: str, context: ReadContext) -> pl.DataFrame:
    frame = cells.mend_codes(frame, context.report).with_columns(parsed=cells.date(pl.col("signature_date")))
    unreadable = frame.filter(pl.col("parsed").is_null() & pl.col("signature_date").is_not_null())
    context.report.mend("date de signature illisible, vidée", unreadable.height)
    return frame.with_columns(
        programme=pl.lit(programme),
        programme_id="id",
        status=pl.lit("signed"),
        signature_date="parsed",
        end_date=_NO_DATE,
    )


def _ort(frame: pl.DataFrame, context: ReadContext) -> pl.DataFrame:
    """Read the follow-up of ORT: names of communes and remarks (they quote people) are left out."""
    report = context.report
    frame = cells.mend_codes(frame, report)
    folded = pl.col("signed").str.to_lowercase().str.replace_all("é", "e")
    frame = frame.with_columns(
        status=folded.replace_strict(_ORT_STATUS, default=None, return_dtype=pl.String),
        start=cells.date(pl.col("signature_date")),
        end=cells.date(pl.col("end_date")),
    )
    unclear = frame.filter(pl.col("status").is_null())
    report.reject("état de la convention non renseigné", unclear.height)
    planned = (pl.col("status") == "planned") & pl.col("start").is_not_null()
    report.mend("date de signature d'une convention non signée, vidée", frame.select(planned.sum()).item())
    return frame.filter(pl.col("status").is_not_null()).with_columns(
        programme=pl.lit("ORT"),
        programme_id=_NO_TEXT,
        signature_date=pl.when(pl.col("status") == "signed").then("start"),
        end_date="end",
    )


def _read(table: Table, context: ReadContext) -> pl.DataFrame:
    if table.layout == "croisement":
        return _crossed(table, context)
    frame = table.read()
    if table.layout == "ort":
        return _ort(frame, context)
    return _listed(frame, _LISTS[table.layout], context)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``programmes``: code, programme, programme_id, status, signature_date, end_date, source, vintage.

    ``programme`` is PVD, ACV, ORT, VA (villages d'avenir), TI (territoires d'industrie), CRTE, AMI and AMM (avenir
    montagnes ingénierie, mobilités), FABP (fabriques prospectives), CITE (cités éducatives) or CDE (cités de
    l'emploi); ``status`` is ``signed`` or ``planned``. One row per commune and programme.
    """
    report = context.report
    if is_json(path):
        frame = _read(open_frame(path, read_records(path), LAYOUTS, report), context)
    else:
        with open_table(path, LAYOUTS, report, members=("*ort*.csv", "*ngeo*.csv", "*.csv")) as table:
            frame = _read(table, context)
    rows = frame.select(*SCHEMA, source=pl.lit(context.source.id), vintage=pl.lit(context.resource.vintage))
    unique = rows.unique(["code", "programme"], keep="first", maintain_order=True)
    report.reject("commune déjà présente dans la liste du programme", rows.height - unique.height)
    report.rows_kept += unique.height
    return {"programmes": unique.sort("code", "programme")}
