"""Footfall: reading of counter files, clock changes, gaps, profile, comparison, and what is kept on disk."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from bourg.commerce.footfall import (
    Footfall,
    FootfallError,
    compare,
    daily,
    easter,
    hourly,
    profile,
    public_holidays,
    summaries,
    total,
)  # fmt: skip
from bourg.commerce.footfall_store import FootfallStore
from bourg.errors import ParameterError, SourceFormatError, StorageError
from bourg.sources.readers.footfall import read_footfall, timezone_of

HEADER = "compteur;lieu;debut;duree_min;passages;sens"


def _file(folder: Path, *lines: str, header: str = HEADER, name: str = "comptages.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def _reasons(footfall: Footfall) -> dict[str, int]:
    return {item.reason.split(",")[0].split(" :")[0]: item.count for item in footfall.answer.refused}


def _hours(day: str, counts: range | list[int], counter: str = "A") -> list[str]:
    return [f"{counter};Place;{day} {hour:02}:00;60;{count};" for hour, count in enumerate(counts)]


def test_the_repeated_hour_of_october_is_two_hours(tmp_path: Path) -> None:
    lines = [f"A;Place;2024-10-27 {clock};60;{count};" for clock, count in
             (("00:00", 1), ("01:00", 2), ("02:00", 3), ("02:00", 4), ("03:00", 5))]  # fmt: skip
    found = read_footfall(_file(tmp_path, *lines))
    starts = [start.strftime("%d %H:%M") for start in found.series["start"]]
    assert starts == ["26 22:00", "26 23:00", "27 00:00", "27 01:00", "27 02:00"]
    assert found.series["count"].to_list() == [1, 2, 3, 4, 5]
    assert any("heure répétée" in what and count == 2 for what, count in found.answer.mended.items())
    # The same file from the last row to the first.
    upside = read_footfall(_file(tmp_path, *reversed(lines), name="envers.csv"))
    assert upside.series.equals(found.series)


def test_an_hour_of_october_written_once_is_refused(tmp_path: Path) -> None:
    found = read_footfall(_file(tmp_path, "A;;2024-10-27 01:00;60;2;", "A;;2024-10-27 02:00;60;9;"))
    assert _reasons(found) == {"heure répétée du passage à l'heure d'hiver": 1}
    assert found.series["count"].to_list() == [2]
    assert "ligne 3" in found.answer.refused[0].examples[0]


def test_offsets_need_no_guess(tmp_path: Path) -> None:
    lines = ("A;;2024-10-27T02:00:00+02:00;60;3;", "A;;2024-10-27T02:00+0100;60;4;", "A;;2024-10-27T02:00:00Z;60;5;")
    found = read_footfall(_file(tmp_path, *lines))
    assert [start.hour for start in found.series["start"]] == [0, 1, 2]
    assert found.answer.refused == ()


def test_the_hour_missing_in_march_is_refused(tmp_path: Path) -> None:
    found = read_footfall(_file(tmp_path, *_hours("31/03/2024", range(24))))
    assert _reasons(found) == {"heure qui n'existe pas": 1}
    # The day has 23 hours and is whole without it.
    assert daily(found)["count"].to_list() == [sum(range(24)) - 2]


def test_a_local_day_has_its_true_length(tmp_path: Path) -> None:
    lines = [f"A;;{day};1440;100;" for day in ("30/03/2024", "31/03/2024", "26/10/2024", "27/10/2024")]
    found = read_footfall(_file(tmp_path, *lines))
    assert found.series["minutes"].to_list() == [1440, 1380, 1440, 1500]
    assert daily(found).filter(pl.col("count").is_not_null()).height == 4
    with pytest.raises(FootfallError, match="Aucune heure"):
        profile(found)


def test_rows_that_cannot_count_are_refused_with_their_reason(tmp_path: Path) -> None:
    lines = [
        *_hours("2024-05-14", range(24)),
        "A;;2024-05-15 00:00;60;-4;", "A;;2024-05-15 01:00;60;2,5;", "A;;hier;60;2;", ";;2024-05-15 02:00;60;2;",
        "A;;2024-05-15 03:00;60;7;", "A;;2024-05-15 03:00;60;7;", "A;;2024-05-15 04:00;60;7;",
        "A;;2024-05-15 04:00;60;8;", "A;;2024-05-14 00:00;1440;276;", "A;;2024-05-15 06:00;0;7;",
        "A;;2024-05-15 07:00;60;;",
    ]  # fmt: skip
    found = read_footfall(_file(tmp_path, *lines))
    assert _reasons(found) == {
        "nombre de passages négatif": 1, "nombre de passages illisible ou décimal": 1, "date ou heure illisible": 1,
        "compteur absent": 1, "relevé répété à l'identique": 1, "deux nombres différents pour la même période": 2,
        "période qui en recouvre une autre": 1, "durée de la période absente": 1,
    }  # fmt: skip
    assert found.answer.rows_read == len(lines)
    assert found.answer.rows_kept == found.series.height == len(lines) - 9
    # An empty cell is a missing hour, not a zero.
    assert found.series["count"].null_count() == 1
    assert found.answer.sentences()[0].startswith("26")


def test_gaps_are_missing_and_never_zero(tmp_path: Path) -> None:
    lines = [*_hours("2024-05-14", [1] * 24), *_hours("2024-05-16", [1] * 12)]
    found = read_footfall(_file(tmp_path, *lines))
    assert daily(found)["count"].to_list() == [24, None, None]
    whole = total(found, dt.date(2024, 5, 14), dt.date(2024, 5, 16))
    assert (whole.total, whole.coverage) == (36, 50.0)
    assert "50,0" in whole.sentence
    nothing = total(found, dt.date(2023, 1, 1), dt.date(2023, 1, 2))
    assert nothing.total is None
    summary = summaries(found)[0]
    assert (summary.gaps, summary.measured_hours, summary.expected_hours) == (1, 36.0, 60.0)
    assert summary.last == dt.date(2024, 5, 16)


def test_the_hours_of_two_counters_are_added_only_when_both_measured(tmp_path: Path) -> None:
    lines = [*_hours("2024-05-14", [1] * 24), *_hours("2024-05-14", [10] * 12, "B")]
    found = read_footfall(_file(tmp_path, *lines))
    assert hourly(found)["count"].to_list() == [11] * 12 + [None] * 12
    assert hourly(found, counters=["A"])["count"].sum() == 24
    with pytest.raises(ParameterError, match="« C »"):
        hourly(found, counters=["C"])


def test_quarters_and_ways_make_an_hour_and_totals_do_not_count_twice(tmp_path: Path) -> None:
    quarters = [(f"2024-05-14 09:{minute:02}", way, 2) for minute in (0, 15, 30, 45) for way in ("entrée", "sortie")]
    lines = [f"A;;{start};15;{count};{way}" for start, way, count in quarters]
    found = read_footfall(_file(tmp_path, *lines, "A;;2024-05-14 09:00;60;16;Total"))
    assert hourly(found)["count"].to_list() == [16]
    assert _reasons(found) == {"total des deux sens": 1}
    assert summaries(found)[0].directions == ("entrée", "sortie")


def test_the_profile_is_the_mean_of_whole_hours(tmp_path: Path) -> None:
    lines = [*_hours("2024-05-14", range(24)), *_hours("2024-05-21", [hour + 2 for hour in range(24)])]
    lines += ["A;Place;2024-05-28 10:00;30;500;"]
    found = read_footfall(_file(tmp_path, *lines))
    week = profile(found)
    assert week.table.height == 168
    tuesday = week.table.filter(pl.col("weekday") == 2)
    assert tuesday["mean"].to_list() == [hour + 1.0 for hour in range(24)]
    assert week.table.filter(pl.col("weekday") != 2)["mean"].null_count() == 144
    assert (week.hours_used, week.hours_incomplete) == (48, 1)
    assert "mardi de 23" in week.sentence
    assert profile(found, without=[dt.date(2024, 5, 21)]).hours_used == 24
    assert profile(found, first=dt.date(2024, 5, 20)).hours_used == 24


def test_periods_are_compared_on_the_same_weekdays(tmp_path: Path) -> None:
    # Monday to Sunday, then Monday and Tuesday of another week, one of them a holiday.
    lines = [line for day in range(13, 20) for line in _hours(f"2024-05-{day}", [day] * 24)]
    lines += [*_hours("2024-05-20", [1] * 24), *_hours("2024-05-21", [21] * 24), *_hours("2024-05-22", [9] * 5)]
    found = read_footfall(_file(tmp_path, *lines))
    one, two = (dt.date(2024, 5, 13), dt.date(2024, 5, 19)), (dt.date(2024, 5, 20), dt.date(2024, 5, 22))
    result = compare(found, one, two, without=public_holidays([2024]))
    # 20 May 2024 is Whit Monday, the 22nd is not whole.
    assert result.weekdays == (2,)
    assert (result.first_mean, result.second_mean) == (14 * 24, 21 * 24)
    assert result.change == pytest.approx(50)
    assert (result.holidays, result.incomplete) == ((0, 1), (0, 1))
    assert "+50,0" in result.sentence
    morning = compare(found, one, two, hours=(0, 5))
    assert morning.weekdays == (1, 2, 3)
    nothing = compare(found, one, (dt.date(2025, 1, 1), dt.date(2025, 1, 7)))
    assert nothing.change is None
    assert "ne se comparent pas" in nothing.sentence
    with pytest.raises(ParameterError, match="précède"):
        compare(found, (one[1], one[0]), two)


@pytest.mark.parametrize(
    ("year", "day"), [(2000, (4, 23)), (2019, (4, 21)), (2024, (3, 31)), (2025, (4, 20)), (2038, (4, 25))]
)
def test_easter(year: int, day: tuple[int, int]) -> None:
    assert easter(year) == dt.date(year, *day)
    assert len(public_holidays([year])) == 11


def test_wrong_files_are_typed(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="décalées"):
        read_footfall(_file(tmp_path, *[f"Place;A;60;2024-05-14 {hour:02}:00;4;" for hour in range(24)]))
    with pytest.raises(SourceFormatError, match="compteur") as caught:
        read_footfall(_file(tmp_path, "a:b", header="quoi:rien", name="autre.csv"))
    assert "docs/commerce.md" in caught.value.next_step
    with pytest.raises(SourceFormatError, match="durée"):
        read_footfall(_file(tmp_path, "A;2024-05-14;4", header="compteur;debut;passages", name="court.csv"))
    with pytest.raises(ParameterError, match="fuseau"):
        read_footfall(_file(tmp_path, *_hours("2024-05-14", [1])), timezone="Europe/Nulle_Part")


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_every_separator_and_the_usual_step(tmp_path: Path, separator: str) -> None:
    lines = [separator.join(["A", f"2024-05-14 {hour:02}:00", str(hour)]) for hour in range(24)]
    found = read_footfall(_file(tmp_path, *lines, header=separator.join(["Compteur", "Début", "Passages"])))
    assert daily(found)["count"].to_list() == [sum(range(24))]
    assert any("60 minutes" in note for note in found.answer.notes)


def test_ends_give_the_lengths_over_a_clock_change(tmp_path: Path) -> None:
    header = "compteur;debut;fin;passages"
    lines = [f"A;2024-03-31 {a};2024-03-31 {b};1" for a, b in (("00:00", "01:00"), ("01:00", "03:00"))]
    lines += [f"B;2024-10-27 {a};2024-10-27 {b};1" for a, b in (("02:00", "03:00"), ("02:00", "03:00"))]
    found = read_footfall(_file(tmp_path, *lines, header=header))
    assert found.series["minutes"].to_list() == [60, 60, 60, 60]


def test_overseas_towns_keep_their_own_time(tmp_path: Path) -> None:
    assert timezone_of("97411") == "Indian/Reunion"
    assert timezone_of("12145") == "Europe/Paris"
    found = read_footfall(_file(tmp_path, *_hours("2024-10-27", [1] * 24)), timezone=timezone_of("97411"))
    assert daily(found)["count"].to_list() == [24]


def test_series_are_kept_listed_and_removed(tmp_path: Path) -> None:
    found = read_footfall(_file(tmp_path, *_hours("2024-05-14", range(24))))
    store = FootfallStore(tmp_path / "home")
    assert store.listing("12145") == ()
    kept = store.add("12145", found)
    assert store.add("12145", found) == kept
    assert [item.id for item in store.listing("12145")] == [kept.id]
    assert store.listing("12145")[0].answer == found.answer
    again = store.load("12145", kept.id)
    assert again.series.equals(found.series)
    assert again.series.schema == found.series.schema
    assert sorted(path.name for path in (tmp_path / "home/footfall/12145").iterdir()) == [kept.id]
    store.remove("12145", kept.id)
    assert list((tmp_path / "home/footfall/12145").iterdir()) == []
    with pytest.raises(ParameterError, match="n'existe pas"):
        store.load("12145", kept.id)


@pytest.mark.parametrize("code", ["../../etc", "12145/..", "", "1214", "ABCDE"])
def test_only_a_code_names_a_folder(tmp_path: Path, code: str) -> None:
    with pytest.raises(ParameterError):
        FootfallStore(tmp_path).listing(code)
    with pytest.raises(ParameterError):
        FootfallStore(tmp_path).load("12145", f"../{code}")


def test_damaged_and_unwritable_series_are_told(tmp_path: Path) -> None:
    found = read_footfall(_file(tmp_path, *_hours("2024-05-14", [1])))
    store = FootfallStore(tmp_path / "home")
    kept = store.add("12145", found)
    (tmp_path / "home/footfall/12145" / kept.id / "series.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match="abîmée"):
        store.load("12145", kept.id)
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="enregistrée"):
        FootfallStore(tmp_path / "taken").add("12145", found)
