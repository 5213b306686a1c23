# SPDX-License-Identifier: BSD-3-Clause
"""What installation, upgrade and removal do to a service that systemd runs, with a VM connected."""

import time

import pytest
from control_group import why_none
from debian import Systemd
from vm import COMMAND, SOCKET, TURN, expect_unharmed

CONFIG = "/etc/vballoon/vballoond.toml"
WORKS_ANYWHERE = """[eal]
no_huge = true
[poll]
idle = "backoff"
[reclaim]
lcores = "none"
[[device]]
name = "vm1"
socket = "%s"
""" % SOCKET
# There is no journal.
DROP_IN = """[Service]
StandardOutput=append:/var/log/vballoond
StandardError=append:/var/log/vballoond
"""

pytestmark = pytest.mark.skipif(bool(why_none()), reason=f"{why_none()}: no systemd")


@pytest.fixture(scope="module")
def host(debian, packages):
    """With the package installed while systemd runs."""
    # There is no network in there.
    package = debian.bring(packages["vballoon"])
    needed = debian.check("dpkg-deb", "-f", package, "Depends").split(",")
    debian.check("apt-get", "-q", "-y", "--no-install-recommends", "install",
                 *(one.split()[0] for one in needed))
    folder = debian.path("/etc/systemd/system/vballoond.service.d")
    folder.mkdir()
    (folder / "output.conf").write_text(DROP_IN)
    with Systemd(debian) as running:
        running.check("dpkg", "--install", package)
        yield running


@pytest.fixture
def served(debian, host):
    debian.path(CONFIG).write_text(WORKS_ANYWHERE)
    host.check("systemctl", "start", "vballoond")
    yield
    host.run("systemctl", "stop", "vballoond")


def told(host, name):
    return host.check("systemctl", "show", "--property", name, "--value", "vballoond")


def connect(debian, host):
    """A VM that is busy for a while."""
    driver = host.start(*COMMAND, *(TURN * 40))
    deadline = time.monotonic() + 30
    while " running " not in host.run("vballoonctl", "list").stdout:
        assert time.monotonic() < deadline, debian.path("/var/log/vballoond").read_text()
        time.sleep(0.05)
    return driver


def expect_unnoticed(driver):
    """@pre  what it is not to notice is over."""
    assert driver.poll() is None, driver.communicate()[0]
    said = driver.communicate(timeout=120)[0]
    assert driver.returncode == 0, said
    expect_unharmed(said)


def upgrade(debian, host, package):
    return host.run("dpkg", "--force-confold", "--install", debian.bring(package))


def test_an_installation_starts_nothing(host):
    assert told(host, "ActiveState") == "inactive"
    assert told(host, "UnitFileState") == "disabled"


def test_vms_do_not_notice_an_upgrade(debian, host, served, packages, newer):
    driver = connect(debian, host)
    for package in (newer, packages["vballoon"]):
        before = told(host, "MainPID")
        done = upgrade(debian, host, package)
        assert done.returncode == 0, done.stdout
        assert told(host, "ActiveState") == "active"
        assert told(host, "MainPID") != before
    expect_unnoticed(driver)


def test_a_configuration_that_is_refused_leaves_the_old_daemon(debian, host, served, newer):
    driver = connect(debian, host)
    before = told(host, "MainPID")
    debian.path(CONFIG).write_text(WORKS_ANYWHERE + 'no_such_key = "x"\n')
    done = upgrade(debian, host, newer)
    assert done.returncode != 0
    assert "no_such_key" in done.stdout and "dpkg --configure vballoon" in done.stdout
    assert (told(host, "ActiveState"), told(host, "MainPID")) == ("active", before)

    debian.path(CONFIG).write_text(WORKS_ANYWHERE)
    host.check("dpkg", "--configure", "vballoon")
    assert told(host, "MainPID") != before
    expect_unnoticed(driver)


def test_an_upgrade_leaves_a_stopped_service_stopped(debian, host, newer):
    host.check("systemctl", "enable", "vballoond")
    done = upgrade(debian, host, newer)
    assert done.returncode == 0, done.stdout
    assert told(host, "ActiveState") == "inactive"
    assert told(host, "UnitFileState") == "enabled"


def test_a_removal_stops_the_daemon_and_a_purge_forgets_it(debian, host, served):
    host.check("dpkg", "--remove", "vballoon")
    assert told(host, "ActiveState") == "inactive"
    assert not debian.path("/usr/sbin/vballoond").exists()
    host.check("dpkg", "--purge", "vballoon")
    assert not debian.path("/etc/vballoon").exists()
    assert host.run("ls", "/run/vballoon").returncode != 0
    assert not list(debian.path("/var/lib/systemd").rglob("*vballoond*"))
    left = list(debian.path("/etc/systemd/system").rglob("*vballoond.service"))
    assert not left
