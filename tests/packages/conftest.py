# SPDX-License-Identifier: BSD-3-Clause
"""What tools/package has built, and a Debian to install it in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for folder in (".", "../systemd"):
    sys.path.insert(0, str(Path(__file__).parent / folder))

from debian import CACHE, Debian  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("tests/packages: only root can make the Debian that they install in", 1)
    if not (CACHE / "debian-12/root.tar").is_file():
        pytest.exit(f"tests/packages: no Debian in {CACHE}: run tools/prepare-root", 1)


@pytest.fixture(scope="session")
def packages() -> dict[str, Path]:
    """By name."""
    folder = Path(os.environ.get("VBALLOON_PACKAGES") or PROJECT / "build/packages")
    found = {path.name.split("_")[0]: path for path in folder.glob("*.deb")}
    assert {"vballoon", "vballoon-guest-dkms"} <= set(found), f"{folder}: run tools/package"
    return found


@pytest.fixture(scope="module")
def debian():
    with Debian() as made:
        yield made


@pytest.fixture(scope="session")
def newer(packages, tmp_path_factory):
    """The package as the next version would be. Its configuration differs, by a comment."""
    tree = tmp_path_factory.mktemp("newer") / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", packages["vballoon"], tree], check=True)
    control = tree / "DEBIAN/control"
    text = control.read_text()
    version = next(line for line in text.splitlines() if line.startswith("Version: "))
    control.write_text(text.replace(version, version + "+next"))
    with open(tree / "etc/vballoon/vballoond.toml", "a") as config:
        config.write("# the next version's\n")
    made = tree.parent / "vballoon-next.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return made
