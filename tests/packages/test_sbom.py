# SPDX-License-Identifier: BSD-3-Clause
"""What tools/package says the packages are made of, against the packages themselves."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

# Libraries that are headers only, and one program or another uses each.
HEADERS_ONLY = {"libasio-dev", "libcli11-dev", "libexpected-dev", "nlohmann-json3-dev"}


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def told(packages):
    (path,) = packages["vballoon"].parent.glob("*.spdx.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def needed(packages, tmp_path_factory):
    """The libraries that the programs ask the loader for."""
    folder = tmp_path_factory.mktemp("programs")
    output("dpkg-deb", "--extract", packages["vballoon"], folder)
    programs = [path for path in folder.glob("usr/*bin/*") if path.is_file()]
    assert len(programs) == 5, programs
    return set(re.findall(r"NEEDED +(\S+)", output("objdump", "-p", *programs)))


def related(told, kind):
    ids = {one["SPDXID"]: one["name"] for one in told["packages"]}
    return {(ids[one["spdxElementId"]], ids[one["relatedSpdxElement"]])
            for one in told["relationships"] if one["relationshipType"] == kind}


def test_the_packages_are_these(told, packages):
    of_names = {one["name"]: one for one in told["packages"]}
    for name in ("vballoon", "vballoon-guest-dkms"):
        digest = hashlib.sha256(packages[name].read_bytes()).hexdigest()
        assert of_names[name]["checksums"] == [{"algorithm": "SHA256", "checksumValue": digest}]


def test_each_library_that_is_linked_is_there(told, needed):
    linked = {name for _, name in related(told, "DYNAMIC_LINK")}
    files = [f"*/x86_64-linux-gnu/{library}" for library in needed]
    owners = {line.split(":")[0] for line in output("dpkg-query", "--search", *files).splitlines()}
    assert linked == owners


def test_headers_that_are_compiled_in_are_there(told):
    compiled_in = {name for name, _ in related(told, "BUILD_DEPENDENCY_OF")}
    assert HEADERS_ONLY | {"libdpdk-dev"} <= compiled_in
    assert "libgtest-dev" not in compiled_in


def test_versions_and_licenses_are_those_of_this_machine(told):
    others = [one for one in told["packages"] if "externalRefs" in one]
    assert len(others) > len(HEADERS_ONLY)
    for one in others:
        said = output("dpkg-query", "-W", "-f", "${Version}\n", one["name"]).splitlines()
        assert one["versionInfo"] in said
        assert Path(one["licenseComments"]).stat().st_size > 0
