# SPDX-License-Identifier: BSD-3-Clause
"""vballoonctl as a person types it, against a daemon without guests."""

import pytest

from guestlab import Daemon


@pytest.fixture(scope="module")
def daemon(folder):
    with Daemon(folder, devices=()) as daemon:
        yield daemon
        daemon.stop()


def test_add_takes_the_keys_of_a_devices_block(daemon):
    keys = ("-k", "automatic=true", "-k", "floor_mib=64", "--key", "reporting=false")
    done = daemon.ctl("add", "vm7", str(daemon.socket("vm7")), *keys)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"vm7 waits for its VMM on {daemon.socket('vm7')}\n"
    shown = daemon.show("vm7")
    assert shown["automatic"] is True and shown["reporting"] is False
    assert daemon.ctl("remove", "vm7").returncode == 0


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("automatic", "'automatic' is not KEY=VALUE, as in automatic=true"),
        ("mode=client", "'mode' is no -k: NAME, SOCKET and --client say it"),
        ("automatic=yes", "'automatic' must be true or false"),
        ("wieght=3", "unknown parameter 'wieght'; did you mean 'weight'?"),
        ("weight=0", "'weight' must be 1 or more"),
        ("floor_mib=-1", "'floor_mib' must be a whole number from 0 to"),
    ],
)
def test_add_says_what_is_wrong_with_a_key(daemon, key, said):
    done = daemon.ctl("add", "vm8", str(daemon.socket("vm8")), "-k", key)
    assert done.returncode != 0
    assert said in done.stderr
    assert daemon.rpc("device.list")["devices"] == []
