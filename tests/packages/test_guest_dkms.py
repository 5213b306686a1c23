# SPDX-License-Identifier: BSD-3-Clause
"""vballoon-guest-dkms: DKMS builds the module, and removes it with the package."""

import re

import pytest

MODULE = "virtio-large-balloon"


@pytest.fixture(scope="module")
def installed(debian, packages):
    """@return  the kernel whose headers are there, and what the installation printed."""
    said = debian.install(packages["vballoon-guest-dkms"], "linux-headers-cloud-amd64")
    kernels = [path.name for path in debian.path("/lib/modules").iterdir()]
    assert len(kernels) == 1, kernels
    return kernels[0], said


def modules(debian, kernel):
    folder = debian.path(f"/lib/modules/{kernel}")
    return [path.name for path in folder.rglob("virtio_large_balloon*")]


def test_the_module_is_built(debian, packages, installed):
    kernel, said = installed
    version = debian.check("dpkg-query", "-W", "-f", "${Version}", "vballoon-guest-dkms")
    assert debian.check("dkms", "status", MODULE).strip() == \
        f"{MODULE}/{version}, {kernel}, x86_64: installed", said
    assert modules(debian, kernel), said
    told = debian.check("modinfo", "-k", kernel, "virtio_large_balloon")
    assert re.search(rf"^vermagic: +{re.escape(kernel)} ", told, re.MULTILINE), told
    assert "alias:          virtio:d0000000Dv*" in told, told


def test_a_removal_removes_it(debian, installed):
    kernel, _ = installed
    debian.check("apt-get", "-q", "-y", "purge", "vballoon-guest-dkms")
    assert debian.check("dkms", "status", MODULE) == ""
    assert modules(debian, kernel) == []
    assert not list(debian.path("/usr/src").glob(f"{MODULE}*"))
    assert not debian.path(f"/var/lib/dkms/{MODULE}").exists()
