# SPDX-License-Identifier: BSD-3-Clause
"""The daemon's commands in DPDK's telemetry, with the script that hosts have for it."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guestlab.guest import MiB, wait_until
from lab import Lab
from telemetry import Client, production, script

_OF_STATS = ("counters", "stats", "stats_waiting_ms", "stats_stalled")
_ROWS = ("queues", "nodes")


@pytest.fixture(scope="module")
def waiting(folder):
    """A daemon of three VMs that wait for their VMMs."""
    with production(folder, ("vm1", "vm-2", "vm.3")) as daemon:
        yield daemon
        daemon.stop()


@pytest.fixture
def own_folder():
    path = Path(tempfile.mkdtemp(prefix="vbt-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _form(value):
    """What `show` says, as telemetry has to say it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict):
        items = {key: _columns(item) if key in _ROWS else _form(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, {})}
    return value


def _columns(rows):
    return {key: [_form(row[key]) for row in rows] for key in rows[0]}


def _without_age(shown):
    return {**shown, "stats": {**shown["stats"], "age_ms": 0}}


def _told_while_still(daemon):
    """What `show`, /balloon/info and /balloon/stats tell of one moment: a guest reports pages at any."""
    for _ in range(20):
        shown = _without_age(daemon.show("vm1"))
        info, stats = script(daemon, "/balloon/info,vm1", "/balloon/stats,vm1")
        if _without_age(daemon.show("vm1")) == shown:
            return shown, info["/balloon/info"], stats["/balloon/stats"]
    raise AssertionError("the guest's figures never stand still")


def test_a_guests_figures_are_those_of_show(own_folder):
    with production(own_folder) as daemon, Lab("uml", daemon) as lab:
        lab.resize(32 * MiB)
        lab.stats()
        shown, info, stats = _told_while_still(daemon)
        assert 0 < stats["stats"]["age_ms"] < 60_000
        assert info == _form({key: shown[key] for key in shown if key not in _OF_STATS})
        assert _without_age(stats) == _form({key: shown[key] for key in ("name", *_OF_STATS)})
        assert info["state"] == "running" and info["actual_bytes"] == 32 * MiB
        assert stats["counters"]["inflate_pages"] >= 8192 and stats["stats"]["total_bytes"] > 0
        daemon.stop()


def test_the_script_finds_the_commands_and_their_help(waiting):
    (commands, told) = script(waiting, "/", "/help,/balloon/info")
    ours = [name for name in commands["/"] if name.startswith("/balloon")]
    assert ours == ["/balloon/info", "/balloon/lcores", "/balloon/list", "/balloon/stats"]
    assert "Parameters: string name" in told["/help"]["/balloon/info"]


def test_lcores_are_those_of_vballoonctl(waiting):
    (told,) = script(waiting, "/balloon/lcores")
    columns, rows = told["/balloon/lcores"], waiting.lcores()
    for key in ("lcore", "cpus", "node", "role", "devices"):
        assert columns[key] == [row[key] for row in rows], key
    poll = columns["role"].index("poll")
    assert 0 < columns["passes"][poll] <= rows[poll]["passes"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/balloon/info", "the name of a VM is missing"),
        ("/balloon/info,", "the name of a VM is missing"),
        ("/balloon/stats", "the name of a VM is missing"),
        ("/balloon/info,vm9", "no device is named 'vm9'"),
        ("/balloon/info,vm1,", "'vm1,' is no device name"),
        ("/balloon/info,../vm1", "'../vm1' is no device name"),
        ("/balloon/stats," + 900 * "x", "'xxxx"),
        ("/balloon/stats," + 5000 * "x", "'xxxx"),  # DPDK takes its first 1,023 bytes
        ("/balloon/list,%s%n", "'%s%n' is no device name"),
        (b"/balloon/info,\x1b[2J\xff\x00vm1", "is no device name"),
        ("/balloon/info,vm\"1\\", "is no device name"),
        ("/balloon/lcores,1", "it takes no parameter"),
    ],
)
def test_a_bad_parameter_is_answered(waiting, command, said):
    with Client(waiting) as client:
        answer = client.ask(command)
        assert set(answer) == {"error"} and said in answer["error"]
        assert answer["error"].isascii() and answer["error"].isprintable()
        assert client.ask("/balloon/list")["names"] == ["vm-2", "vm.3", "vm1"]


def test_an_unknown_command_is_answered_by_dpdk(waiting):
    with Client(waiting) as client:
        assert client.ask("/balloon/nothing") is None
        assert client.ask("/balloon") is None


def test_a_clients_thread_is_filtered_and_stays_with_the_control_thread(waiting):
    tasks = Path(f"/proc/{waiting.process.pid}/task")
    with Client(waiting) as client:
        before = set(tasks.iterdir())
        with Client(waiting) as second:
            assert second.ask("/balloon/lcores")["role"][0] == "control"
            (thread,) = set(tasks.iterdir()) - before
            status = dict(
                line.split(":\t", 1) for line in (thread / "status").read_text().splitlines()
            )
            assert status["Seccomp"] == "2"
            control = next(row for row in waiting.lcores() if row["role"] == "control")
            assert status["Cpus_allowed_list"] == control["cpus"]
            assert client.ask("/balloon/list")["vms"] == 3
        wait_until(lambda: not thread.exists(), 10, "the end of the client's thread")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_does_not_get_to_the_socket(own_folder):
    own_folder.chmod(0o755)
    with production(own_folder) as daemon:
        socket = own_folder / "dpdk/vballoon/dpdk_telemetry.v2"
        socket.chmod(0o777)  # the folders alone keep others away
        connect = f"import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect({str(socket)!r})"

        def tried_by(user):
            command = ["/usr/bin/python3", "-c", connect]
            return subprocess.run(
                command, user=user, group=user, extra_groups=[], capture_output=True, text=True
            )

        assert tried_by(0).returncode == 0
        assert "PermissionError" in tried_by(65534).stderr
        daemon.stop()


def test_each_client_gets_what_it_asked_for(waiting):
    def ask_for(name):
        with Client(waiting) as client:
            return {client.ask(f"/balloon/info,{name}").get("name") for _ in range(1000)}

    names = waiting.devices * 2
    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(ask_for, names)) == [{name} for name in names]


def test_ten_clients_are_served_and_one_that_goes_makes_room(own_folder):
    with production(own_folder) as daemon:
        clients = [Client(daemon) for _ in range(10)]
        for client in clients:
            assert client.ask("/balloon/list")["vms"] == 1
        with pytest.raises(ValueError):
            Client(daemon)  # it says nothing, and ends the connection
        with clients.pop():
            pass
        wait_until(lambda: _is_served(daemon), 10, "room for another client")
        for client in clients:
            with client:
                pass
        daemon.stop()


def test_a_client_that_does_not_read_holds_up_nobody(own_folder):
    with production(own_folder) as daemon, Client(daemon) as client:
        client.wait_at_most(0.5)
        with pytest.raises(TimeoutError):  # as soon as its thread waits for it, too
            for _ in range(100_000):
                client.send("/balloon/info,vm1")
        with Client(daemon) as other:
            assert other.ask("/balloon/info,vm1")["name"] == "vm1"
        assert daemon.show("vm1")["state"] == "waiting"
        daemon.stop()


def _is_served(daemon) -> bool:
    try:
        with Client(daemon) as client:
            return client.ask("/balloon/list")["vms"] == 1
    except (ValueError, OSError):
        return False


def test_a_thousand_names_come_in_several_answers(own_folder):
    names = sorted(f"{number:04}-{59 * 'n'}" for number in range(1000))
    blocks = "".join(
        f'[[device]]\nname = "{name}"\nsocket = "{own_folder}/{name[:4]}"\n' for name in names
    )
    with production(own_folder, (), blocks) as daemon, Client(daemon) as client:
        answer = client.ask("/balloon/list")
        found = answer["names"]
        while answer["left"]:
            assert (answer["vms"], answer["left"]) == (1000, 1000 - len(found))
            answer = client.ask(f"/balloon/list,{found[-1]}")
            assert answer["names"], answer
            found += answer["names"]
        assert found == names
        (told,) = script(daemon, "/balloon/list")
        assert told["/balloon/list"]["names"] == names[: len(told["/balloon/list"]["names"])]
        assert client.ask(f"/balloon/info,{names[999]}")["name"] == names[999]
        daemon.stop()


@pytest.mark.parametrize("round_", range(5))
def test_clients_that_ask_while_the_daemon_ends_do_not_hold_it_up(own_folder, round_):
    count = 8
    begun = threading.Barrier(count + 1)

    def ask_on(daemon):
        """@return  all answers until the connection ends"""
        with Client(daemon) as client:
            answers = [client.ask("/balloon/info,vm1")]
            begun.wait(20)
            try:
                while True:
                    answers.append(client.ask("/balloon/info,vm1"))
            except (EOFError, ConnectionError):
                return answers

    with production(own_folder) as daemon, ThreadPoolExecutor(count) as pool:
        clients = [pool.submit(ask_on, daemon) for _ in range(count)]
        begun.wait(20)
        daemon.stop()  # with status 0
        answers = [answer for client in clients for answer in client.result()]
    refused = [answer for answer in answers if "error" in answer]
    assert refused and all(answer == {"error": "the daemon ends"} for answer in refused), refused[:3]
    assert all(answer["name"] == "vm1" for answer in answers if answer not in refused)


def test_a_daemon_that_is_busy_for_long_is_not_waited_for(own_folder):
    with production(own_folder) as daemon, Client(daemon) as client:
        config = own_folder / "vballoond.toml"
        text = config.read_text()
        config.unlink()
        os.mkfifo(config)
        daemon.process.send(signal.SIGHUP)  # it reads, and stands still until somebody writes
        wait_until(lambda: "error" in client.ask("/balloon/list"), 20, "an answer that is refused")
        begun = time.monotonic()
        assert "did not answer in time" in client.ask("/balloon/info,vm1")["error"]
        assert 1.5 < time.monotonic() - begun < 10
        assert client.ask("/eal/heap_list") is not None  # DPDK itself goes on
        config.write_text(text)
        assert client.ask("/balloon/info,vm1")["name"] == "vm1"
        daemon.stop()
