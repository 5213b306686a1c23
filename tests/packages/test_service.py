# SPDX-License-Identifier: BSD-3-Clause
"""vballoon in a Debian without a running systemd: what is installed, that it works, and that
nothing is left of it. The tests go on from each other, in this order."""

import os
import re
import signal
import stat
import time

import pytest
from unit import Unit
from vm import COMMAND, SOCKET, TURN, expect_unharmed

UNIT = "/lib/systemd/system/vballoond.service"
CONFIG = "/etc/vballoon/vballoond.toml"
# Not every machine that runs the tests has huge pages, or cpus to give away: so none of the first,
# and lcores that sleep while they are idle. With a reclaim lcore the daemon needs a driver of
# DPDK's that it is not linked to.
WORKS_ANYWHERE = """# mine
[eal]
no_huge = true
[poll]
lcores = {poll}
idle = "backoff"
[reclaim]
lcores = {reclaim}
[[device]]
name = "vm1"
socket = "%s"
""" % SOCKET
MODES = {
    "/usr/sbin/vballoond": 0o755,
    "/usr/sbin/vballoon-keeper": 0o755,
    "/usr/sbin/vballoon-exporter": 0o755,
    "/usr/bin/vballoonctl": 0o755,
    "/usr/bin/vballoon-driver": 0o755,
    "/etc/vballoon": 0o755,
    CONFIG: 0o644,
    UNIT: 0o644,
    UNIT.replace("vballoond", "vballoon-exporter"): 0o644,
    "/usr/lib/sysusers.d/vballoon.conf": 0o644,
    "/usr/share/bash-completion/completions/vballoonctl": 0o644,
    "/usr/share/zsh/vendor-completions/_vballoonctl": 0o644,
    "/usr/share/vballoon/grafana/vballoon.json": 0o644,
    "/usr/share/vballoon/prometheus/vballoon.rules.yml": 0o644,
    "/usr/share/man/man1/vballoonctl.1.gz": 0o644,
    "/usr/share/man/man1/vballoon-driver.1.gz": 0o644,
    "/usr/share/man/man5/vballoond.toml.5.gz": 0o644,
    "/usr/share/man/man8/vballoond.8.gz": 0o644,
    "/usr/share/man/man8/vballoon-keeper.8.gz": 0o644,
    "/usr/share/man/man8/vballoon-exporter.8.gz": 0o644,
    "/usr/share/doc/vballoon/copyright": 0o644,
    "/usr/share/doc/vballoon/changelog.gz": 0o644,
    "/usr/share/doc/vballoon/README.md": 0o644,
    "/usr/share/doc/vballoon/examples/sysctl/vballoon.conf": 0o644,
    "/usr/share/doc/vballoon/examples/tuned/vballoon/tuned.conf": 0o644,
}


@pytest.fixture(scope="module")
def before(debian):
    return debian.files()


@pytest.fixture(scope="module", autouse=True)
def installed(debian, packages, before):
    return debian.install(packages["vballoon"])


@pytest.fixture(scope="module")
def unit(debian):
    return Unit(debian.path(UNIT).read_text())


@pytest.fixture(scope="module")
def config():
    cpus = sorted(os.sched_getaffinity(0))
    assert len(cpus) > 1, "a poll and a reclaim lcore need a cpu each"
    return WORKS_ANYWHERE.format(poll=cpus[-1:], reclaim=cpus[-2:-1])


def test_files_have_their_modes_and_are_roots(debian):
    found = {}
    for path in MODES:
        status = debian.path(path).stat()
        assert (status.st_uid, status.st_gid) == (0, 0), path
        found[path] = stat.S_IMODE(status.st_mode)
    assert found == MODES


def test_files_are_those_of_the_package(debian):
    assert debian.check("dpkg", "--verify", "vballoon") == ""
    assert debian.check("dpkg-query", "-W", "-f", "${Conffiles}", "vballoon").split()[0] == CONFIG


def test_nothing_is_enabled(debian):
    assert not list(debian.path("/etc/systemd/system").rglob("vballoon*"))


def test_the_user_can_log_in_nowhere(debian, unit):
    entry = debian.check("getent", "passwd", unit["User"]).strip().split(":")
    assert entry[6] == "/usr/sbin/nologin"
    assert 0 < int(entry[2]) < 1000
    assert debian.check("getent", "shadow", unit["User"]).split(":")[1].startswith("!")
    debian.check("getent", "group", unit["Group"])


def test_the_daemon_of_the_unit_serves(debian, unit, config):
    debian.path(CONFIG).write_text(config)
    for command in unit.folders():
        debian.check(*command)
    daemon = debian.start(*unit.command())
    try:
        wait_for(daemon, "vballoond: ready")
        expect_unharmed(debian.check(*COMMAND, *TURN))
        shown = debian.check("vballoonctl", "list")
        assert re.search(r"^vm1 +waiting ", shown, re.MULTILINE), shown
        lcores = debian.check("vballoonctl", "lcores")
        assert " reclaim " in lcores, lcores
        assert debian.path("/run/vballoon/state").is_dir()
    finally:
        end(daemon)
    assert daemon.returncode == 0
    assert not debian.path(SOCKET).exists()


def test_without_the_driver_of_dpdks_it_says_so(debian, unit):
    (driver,) = re.findall(r"librte-mempool-ring\d+",
                           debian.check("dpkg-query", "-W", "-f", "${Depends}", "vballoon"))
    debian.check("dpkg", "--force-depends", "--purge", driver)
    done = debian.run(*unit.command())
    assert done.returncode == 1
    assert f"install librte_mempool_ring (in Debian 12: {driver})" in done.stdout
    debian.check("apt-get", "-q", "-y", "--fix-broken", "install")


def test_an_upgrade_keeps_what_was_edited(debian, newer, config):
    debian.install(newer)
    assert debian.path(CONFIG).read_text() == config
    assert debian.path(CONFIG + ".dpkg-dist").read_text().endswith("# the next version's\n")


def test_a_removal_keeps_what_was_edited(debian, config):
    debian.check("apt-get", "-q", "-y", "remove", "vballoon")
    assert not debian.path("/usr/sbin/vballoond").exists()
    assert debian.path(CONFIG).read_text() == config


def test_a_purge_leaves_the_user_and_nothing_else(debian, before):
    debian.path("/etc/vballoon/notes").write_text("the operator's\n")
    assert debian.path("/run/vballoon/state").is_dir()
    debian.check("apt-get", "-q", "-y", "purge", "vballoon")
    debian.check("apt-get", "-q", "-y", "--purge", "autoremove")
    of_users = {f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow")}
    assert debian.files() - before - of_users == set()
    debian.check("getent", "passwd", "vballoon")


def test_a_configuration_from_before_the_package_stays(debian, packages):
    debian.path("/etc/vballoon").mkdir()
    debian.path(CONFIG).write_text("# from before\n")
    debian.install(packages["vballoon"])
    assert debian.path(CONFIG).read_text() == "# from before\n"


def wait_for(process, line):
    """Until it prints the line."""
    said = ""
    for one in process.stdout:
        said += one
        if one.strip() == line:
            return
    raise AssertionError(f"ended before '{line}':\n{said}")


def end(process):
    """As systemd does: SIGTERM to the first process in there."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(children) as file:
        for pid in file.read().split():
            os.kill(int(pid), signal.SIGTERM)
    for _ in range(300):
        if process.poll() is not None:
            return
        time.sleep(0.05)
    process.kill()
    raise AssertionError("the daemon does not end by SIGTERM")
