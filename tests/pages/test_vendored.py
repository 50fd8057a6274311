"""Files of others are those that their packages hold."""

import shutil
import subprocess
import tarfile
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "dixa_state" / "web" / "pages" / "static"
VENDORED = tomllib.loads((STATIC / "VENDORED.toml").read_text(encoding="utf-8"))


def test_each_minified_file_is_named_with_its_origin_and_digest() -> None:
    assert {path.name for path in STATIC.glob("*.min.*")} == VENDORED.keys()
    for name, origin in VENDORED.items():
        assert sha256((STATIC / name).read_bytes()).hexdigest() == origin["sha256"]
        assert origin.keys() == {"package", "version", "path", "sha256", "license"}


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm, which has the packages, is not here")
def test_each_is_what_its_package_holds(tmp_path: Path) -> None:
    for package in {f"{one['package']}@{one['version']}" for one in VENDORED.values()}:
        words = ["npm", "pack", "--silent", "--pack-destination", str(tmp_path), package]
        subprocess.run(words, check=True, timeout=60, capture_output=True)
    [archive] = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as files:
        for name, origin in VENDORED.items():
            held = files.extractfile(f"package/{origin['path']}")
            assert held is not None
            assert held.read() == (STATIC / name).read_bytes()
