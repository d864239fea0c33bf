"""The files of ``deploy/``: what they name exists, and they ask for no privilege."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from bourg.cli import app

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "onyxia" / "bourg"
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_image() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    text = "\n".join(lines)
    final = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*$", final, re.MULTILINE), "the server must not be root"
    assert "HEALTHCHECK" in final
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name
                assert any(f"!{part}" in ignored.splitlines() for part in (name, name.split("/")[0])), name


def test_compose() -> None:
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    bourg, proxy = content["services"]["bourg"], content["services"]["proxy"]
    assert (DEPLOY / bourg["build"]["context"] / bourg["build"]["dockerfile"]).is_file()
    assert bourg["read_only"]
    assert bourg["cap_drop"] == ["ALL"]
    assert "ports" not in bourg, "only the proxy is reached from outside"
    assert (DEPLOY / proxy["volumes"][0].split(":")[0]).is_file()
    named = {
        volume.split(":")[0] for item in (bourg, proxy) for volume in item["volumes"] if not volume.startswith(".")
    }
    assert named == set(content["volumes"])


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").iterdir()), ids=lambda path: path.name)
def test_units(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    started = re.findall(r"^ExecStart=/opt/bourg/\.venv/bin/bourg (\w+)", text, re.MULTILINE)
    assert set(started) <= COMMANDS
    if unit.suffix == ".service":
        assert started
        assert "NoNewPrivileges=yes" in text
        assert re.search(r"^User=(?!root)", text, re.MULTILINE)


def test_values_fit_their_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(values, schema)
    for wrong in ({"data": {"origin": "ailleurs"}}, {"service": {"image": "sans-version"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(values | wrong, schema)
    # Onyxia fills what the schema marks: each such value is read by the templates.
    templates = "".join(path.read_text(encoding="utf-8") for path in (CHART / "templates").iterdir())
    for name in marked(schema):
        assert f".Values.{name}" in templates, name


def marked(schema: dict[str, Any], above: str = "") -> list[str]:
    found = []
    for name, entry in schema.get("properties", {}).items():
        if "overwriteDefaultWith" in entry.get("x-onyxia", {}) and "properties" not in entry:
            found.append(above + name)
        found += marked(entry, f"{above}{name}.")
    return found


def test_pods_are_confined() -> None:
    text = (CHART / "templates" / "deployment.yaml").read_text(encoding="utf-8")
    containers = text.count("image: {{")
    assert containers == 3
    assert text.count('include "bourg.confined"') == containers
    assert "runAsNonRoot: true" in text


def test_proxy_lets_the_dashboard_through() -> None:
    nginx = (DEPLOY / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    stream = nginx[nginx.index("location /_stcore/stream") :]
    stream = stream[: stream.index("}")]
    assert "proxy_set_header Upgrade $http_upgrade;" in stream
    assert "$remote_addr [" not in nginx, "whole addresses of readers must not be written"
    caddy = (DEPLOY / "proxy" / "Caddyfile").read_text(encoding="utf-8")
    assert caddy.count("ip_mask") == 2


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx n'est pas installé")
def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    site = (DEPLOY / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    site = site.replace("/var/log/nginx", str(tmp_path)).replace("/var/cache/nginx", str(tmp_path))
    (tmp_path / "site.conf").write_text(site.replace("listen 80", "listen 18080").replace("]:80", "]:18080"))
    main = f"pid {tmp_path}/pid; error_log {tmp_path}/e;\nevents {{}}\nhttp {{ include {tmp_path}/site.conf; }}\n"
    (tmp_path / "nginx.conf").write_text(main)
    done = subprocess.run(["nginx", "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_start_brings_the_libraries_of_the_map(tmp_path: Path) -> None:
    text = (DEPLOY / "start.sh").read_text(encoding="utf-8")
    for folder in ("opt/bourg/assets/x", "app", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "opt/bourg/assets/x/leaflet.js").write_text("L")
    (tmp_path / "bin/python").write_text('#!/bin/sh\necho "$PWD" "$@"\n')
    (tmp_path / "bin/python").chmod(0o755)
    script = text.replace("/opt/bourg", f"{tmp_path}/opt/bourg").replace("cd /app", f"cd {tmp_path}/app")
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "BOURG_HOME": str(tmp_path / "data")}
    for _ in range(2):
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split()[:5] == [str(tmp_path / "app"), "-m", "streamlit", "run", "app.py"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["assets"]
    assert (tmp_path / "data/assets/x/leaflet.js").read_text() == "L"


def test_every_way_has_its_page() -> None:
    folder = ROOT / "docs" / "deploiement"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in folder.glob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\((\w+\.md)\)", index))
    named = "".join((folder / name).read_text(encoding="utf-8") for name in pages)
    for path in ("deploy/Dockerfile", "deploy/compose.yaml", "deploy/systemd", "deploy/proxy/Caddyfile"):
        assert path in named
        assert (ROOT / path).exists()
    for command in re.findall(r"`bourg (\w+)", named):
        assert command in COMMANDS, command
