"""What is published as open data: the package explains all it holds, the catalogue says what DCAT-AP asks."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import geopandas
import polars as pl
import pytest
from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF

from bourg.cli import main
from bourg.errors import DeclarationError, ParameterError
from bourg.opendata import reuse
from bourg.opendata.dcat import Publisher, catalogue
from bourg.opendata.package import NotAPackageError, write_package
from bourg.opendata.resources import column_text, kept_back, published, schema_type
from bourg.opendata.reuse import ReuseCard, SendingError, dataset_of, linked_datasets
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.store.geoparquet import geoparquet_bytes

WHO = Publisher("Ville de Trifouilly", "https://donnees.exemple.fr/bourg", "opendata@exemple.fr")
CARD = ReuseCard(
    title="Bourg", description="Un observatoire.", kind="application", topic="society_and_demography",
    url="https://bourg.exemple.fr/", datasets=("programme-petites-villes-de-demain",),
)  # fmt: skip


@pytest.fixture(scope="module")
def package(small_observatory: Observatory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paquet") / "bourg"
    write_package(small_observatory, folder)
    return folder


def described(package: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((package / "datapackage.json").read_text(encoding="utf-8"))
    return found


def test_every_file_is_the_one_described(package: Path) -> None:
    resources = described(package)["resources"]
    assert {Path(item["path"]).name for item in resources} == {path.name for path in (package / "data").iterdir()}
    for item in resources:
        content = (package / item["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (item["size"], item["sha256"])
        names = [field["name"] for field in item["schema"]["fields"]]
        if item["format"] == "csv":
            rows = list(csv.reader(content.decode().splitlines(keepends=True)))
            assert rows[0] == names, item["name"]
            assert len(rows) - 1 == item["rows"]
        else:
            frame = pl.read_parquet(content)
            assert (frame.columns, frame.height) == (names, item["rows"])
        assert all(len(field["description"]) > 2 for field in item["schema"]["fields"])


def test_keys_tell_rows_apart(package: Path) -> None:
    for item in described(package)["resources"]:
        key = item["schema"].get("primaryKey")
        path = package / item["path"]
        frame = pl.read_csv(path, infer_schema=False) if item["format"] == "csv" else pl.read_parquet(path)
        if key:
            assert not frame.select(key).is_duplicated().any(), item["name"]


def test_every_table_is_published_or_kept_back_with_a_reason(small_observatory: Observatory) -> None:
    shown = {item.table for item in published() if item.table} | {"communes"}
    held = kept_back()
    assert not shown & set(held)
    assert set(small_observatory.snapshot.manifest["tables"]) <= shown | set(held)
    # People who run a shop, and the number of a town hall, are not ours to spread.
    assert {"shops", "shop_periods", "town_halls"} <= set(held)


def test_layer_of_communes(package: Path, small_observatory: Observatory) -> None:
    layer = geopandas.read_parquet(package / "data" / "communes.parquet")
    assert layer.crs.to_epsg() == 4326 or "CRS84" in layer.crs.name
    millau = layer.set_index("code").loc["12145"]
    assert millau.geometry.contains(geopandas.points_from_xy([3.078], [44.098])[0])
    values = small_observatory.values([("commune", "12145")])
    population = values.filter(indicator="population.total").sort("period")["value"].to_list()
    assert millau["population.total"] in population
    assert "(2" in column_of(package, "communes", "population.total")
    near = geopandas.read_parquet(package / "data" / "communes.parquet", bbox=(3.0, 44.0, 3.1, 44.2))
    assert 0 < len(near) < 100
    assert "12145" in set(near["code"])


def column_of(package: Path, resource: str, name: str) -> str:
    fields = next(item for item in described(package)["resources"] if item["name"] == resource)["schema"]["fields"]
    return str(next(field for field in fields if field["name"] == name)["description"])


def test_secret_values_stay_secret(package: Path) -> None:
    values = pl.read_parquet(package / "data" / "values.parquet")
    hidden = values.filter(pl.col("status").is_in(["secret", "missing", "not_applicable", "unreachable"]))
    assert hidden.height > 0
    assert hidden["value"].null_count() == hidden.height


def test_same_snapshot_same_bytes(package: Path, small_observatory: Observatory, tmp_path: Path) -> None:
    again = tmp_path / "encore"
    write_package(small_observatory, again)
    # A second time in the same folder: it is replaced.
    write_package(small_observatory, again)
    names = sorted(path.relative_to(package) for path in package.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((package / name).read_bytes() == (again / name).read_bytes() for name in names)
    assert [path.name for path in tmp_path.iterdir()] == ["encore"]


def test_another_folder_is_left_alone(small_observatory: Observatory, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("à garder", encoding="utf-8")
    for refused in (tmp_path, tmp_path / "note.txt"):
        with pytest.raises(NotAPackageError, match="rien n'a été effacé"):
            write_package(small_observatory, refused)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_undescribed_column_is_refused() -> None:
    with pytest.raises(DeclarationError, match="n'est pas décrite"):
        column_text("values", "colonne_inconnue")
    with pytest.raises(DeclarationError, match="type inconnu"):
        schema_type(pl.Duration())


def test_formulas_do_not_run(small_observatory: Observatory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hostile = small_observatory.snapshot.table("epci").collect().with_columns(name=pl.lit('=cmd|"/c calc"!A1'))
    path = tmp_path / "epci.parquet"
    hostile.write_parquet(path)
    real = type(small_observatory.snapshot).path
    monkeypatch.setattr(
        type(small_observatory.snapshot), "path",
        lambda self, name: path if name == "tables/epci.parquet" else real(self, name),
    )  # fmt: skip
    write_package(small_observatory, tmp_path / "paquet")
    rows = list(csv.DictReader((tmp_path / "paquet" / "data" / "epci.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["name"] for row in rows} == {'\'=cmd|"/c calc"!A1'}


def test_geoparquet_without_any_geometry() -> None:
    frame = pl.DataFrame({"code": ["a"], "geometry": pl.Series([None], dtype=pl.Binary)})
    content = geoparquet_bytes(frame)
    assert json.loads(pl.read_parquet_metadata(content)["geo"])["columns"]["geometry"]["geometry_types"] == []
    assert pl.read_parquet(content)["bbox"].struct.field("xmin").to_list() == [None]


# rdflib reads JSON-LD through a class of its own that it has deprecated.
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
@pytest.mark.parametrize("syntax", ["turtle", "json-ld"])
def test_catalogue_says_what_dcat_ap_asks(small_observatory: Observatory, syntax: Any) -> None:
    graph = Graph().parse(data=catalogue(small_observatory, WHO, syntax), format=syntax)
    (root,) = graph.subjects(RDF.type, DCAT.Catalog)
    for mandatory in (DCTERMS.title, DCTERMS.description, DCTERMS.publisher, DCAT.dataset):
        assert (root, mandatory, None) in graph
    datasets = set(graph.objects(root, DCAT.dataset))
    assert len(datasets) > 10
    for dataset in datasets:
        for wanted in (DCTERMS.title, DCTERMS.description, DCAT.theme, DCAT.contactPoint, DCAT.distribution):
            assert (dataset, wanted, None) in graph, (dataset, wanted)
        for distribution in graph.objects(dataset, DCAT.distribution):
            for wanted in (DCAT.accessURL, DCTERMS.license, DCAT.mediaType):
                assert (distribution, wanted, None) in graph
    assert (URIRef(f"{WHO.address}/#editeur"), FOAF.name, None) in graph
    # Distributions are where the package puts them.
    addresses = {str(address) for address in graph.objects(None, DCAT.downloadURL)}
    assert f"{WHO.address}/donnees/data/values.parquet" in addresses
    assert f"{WHO.address}/donnees/data/epci.csv" in addresses


def test_catalogue_is_the_same_in_another_process(small_settings: Settings, tmp_path: Path) -> None:
    made = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.jsonld"
        command = [
            sys.executable, "-c", "from bourg.cli import main; main()", "opendata", "catalogue", "--adresse",
            WHO.address, "--editeur", WHO.name, "--format", "json-ld", "-o", str(path),
        ]  # fmt: skip
        environment = {**os.environ, "BOURG_HOME": str(small_settings.home), "PYTHONHASHSEED": seed}
        subprocess.run(command, check=True, env=environment, capture_output=True)
        made.append(path.read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (Publisher("", WHO.address), "nom de l'éditeur est vide"),
        (Publisher("Ville", "ftp://exemple.fr"), "pas une adresse publique"),
        (Publisher("Ville", 'https://exemple.fr/"><script>'), "pas une adresse publique"),
        (Publisher("Ville", WHO.address, "personne"), "pas une adresse électronique"),
    ],
)
def test_catalogue_refuses(small_observatory: Observatory, who: Publisher, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        catalogue(small_observatory, who)


def test_card_without_dataset_is_refused() -> None:
    with pytest.raises(ParameterError, match="aucun jeu de données n'est lié"):
        ReuseCard(**{**CARD.__dict__, "datasets": ()}).checked()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": " "}, "titre"),
        ({"kind": "jeu"}, "type « jeu »"),
        ({"topic": "tout"}, "thème « tout »"),
        ({"url": "http://localhost:8501/"}, "n'est pas publique"),
        ({"url": "https://10.0.0.1/"}, "n'est pas publique"),
        ({"image": "https://exemple.fr/page.html"}, "image"),
        ({"datasets": ("pas un jeu",)}, "jeu de données"),
    ],
)
def test_card_problems(change: dict[str, Any], said: str) -> None:
    card = ReuseCard(**{**CARD.__dict__, **change})
    assert len(card.problems()) == 1
    assert said in card.problems()[0]


def test_datasets_are_those_really_read(small_observatory: Observatory) -> None:
    assert dataset_of("https://www.data.gouv.fr/fr/datasets/programme-petites-villes-de-demain/") == CARD.datasets[0]
    assert dataset_of(CARD.datasets[0]) == CARD.datasets[0]
    # The small snapshot is generated but for the registries, which are not datasets of data.gouv.fr.
    assert linked_datasets(small_observatory) == ()


class Answer:
    def __init__(self, content: dict[str, Any], status: int = 200) -> None:
        self.content, self.status = content, status

    def raise_for_status(self) -> None:
        if self.status >= 400:
            raise OSError(f"{self.status} pour la clé CLE-SECRETE")

    def json(self) -> dict[str, Any]:
        return self.content


class FakeClient:
    """Stands for the official client: one dataset, one key."""

    posted: list[tuple[str, Any]]

    def __init__(self, environment: str, api_key: str, *, verbose: bool) -> None:
        assert not verbose
        self.base_url = f"https://{environment}.data.gouv.fr"
        self.session = self
        self.key = api_key

    def get(self, url: str) -> Answer:
        known = url == f"{self.base_url}/api/1/datasets/programme-petites-villes-de-demain/"
        return Answer({"id": "0123456789abcdef01234567"}, 200 if known else 404)

    def post(self, url: str, *, json: Any) -> Answer:
        FakeClient.posted.append((url, json))
        return Answer({"page": f"{self.base_url}/reuses/bourg/"}, 201 if self.key == "CLE-SECRETE" else 401)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    FakeClient.posted = []
    module = types.ModuleType("datagouv")
    module.Client = FakeClient  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datagouv", module)
    return FakeClient


def test_card_is_sent_with_identifiers(client: type[FakeClient]) -> None:
    assert reuse.send(CARD, "CLE-SECRETE") == "https://demo.data.gouv.fr/reuses/bourg/"
    ((url, body),) = client.posted
    assert url == "https://demo.data.gouv.fr/api/1/reuses/"
    assert body["datasets"] == [{"class": "Dataset", "id": "0123456789abcdef01234567"}]
    assert (body["type"], body["topic"]) == ("application", "society_and_demography")


def test_nothing_is_sent_when_a_dataset_does_not_exist(client: type[FakeClient]) -> None:
    card = ReuseCard(**{**CARD.__dict__, "datasets": (*CARD.datasets, "jeu-inconnu")})
    with pytest.raises(SendingError, match="rien n'a été changé") as raised:
        reuse.send(card, "CLE-SECRETE")
    assert client.posted == []
    assert "CLE-SECRETE" not in str(raised.value)


def test_sending_needs_a_key_and_the_client(client: type[FakeClient], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="BOURG_DATAGOUV_KEY"):
        reuse.send(CARD, " ")
    with pytest.raises(ParameterError, match="choisissez"):
        reuse.send(CARD, "clé", "prod")
    monkeypatch.setitem(sys.modules, "datagouv", None)
    with pytest.raises(SendingError, match="pip install datagouv-client"):
        reuse.send(CARD, "clé")
    assert client.posted == []


def test_commands(
    small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOURG_HOME", str(small_settings.home))
    with pytest.raises(SystemExit) as ended:
        main(["opendata", "package", str(tmp_path / "paquet"), "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["rows"] > 1000
    with pytest.raises(SystemExit) as ended:
        main(["opendata", "reuse", "--adresse", "https://bourg.exemple.fr/"])
    assert ended.value.code == 2
    assert "aucun jeu de données" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["opendata", "reuse", "--adresse", "https://bourg.exemple.fr/", "--jeu", CARD.datasets[0]])
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["datasets"] == [{"class": "Dataset", "id": CARD.datasets[0]}]
    assert "non envoyée" in shown.err
