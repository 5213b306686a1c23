# SPDX-License-Identifier: BSD-3-Clause
"""vballoon-exporter: what the real Prometheus scrapes of a guest, and those that mean no good."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from guestlab import Daemon
from guestlab.daemon import built
from guestlab.guest import MiB, wait_until

_SCRAPED_EVERY = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: vballoon
    static_configs: [{{targets: ["{target}"]}}]
"""


@contextmanager
def _exporter(rpc, *arguments, log=None):
    """@yield  HOST:PORT"""
    command = [built("vballoon-exporter"), "--listen", "127.0.0.1:0", "--rpc", rpc, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            said = process.stdout.readline()
            yield re.fullmatch(r"vballoon-exporter: http://(\S+)/metrics\n", said)[1]
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def _get(address, path="/metrics", **options) -> tuple[int, str]:
    request = urllib.request.Request(f"http://{address}{path}", **options)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _connect(address) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


@contextmanager
def _prometheus(folder, target, promtool):
    """@yield  a function that asks it a question in its own language."""
    (folder / "prometheus.yml").write_text(_SCRAPED_EVERY.format(target=target))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    command = [promtool.with_name("prometheus"), f"--config.file={folder}/prometheus.yml",
               f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={address}"]
    log = folder / "prometheus.log"

    def ask(question: str) -> list[dict]:
        path = "/api/v1/query?query=" + urllib.request.quote(question)
        return json.loads(_get(address, path)[1])["data"]["result"]

    def ready() -> bool:
        try:
            return _get(address, "/-/ready")[0] == 200
        except urllib.error.URLError:
            return False

    with open(log, "w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            wait_until(ready, 30, "Prometheus", found=log.read_text)
            yield ask
        finally:
            process.kill()


def _value(answer: list[dict]) -> float | None:
    return float(answer[0]["value"][1]) if answer else None


def test_prometheus_sees_a_guest_and_a_daemon_that_is_gone(uml_lab, promtool, folder):
    lab = uml_lab
    lab.resize(32 * MiB)
    series = 'vballoon_vm_actual_bytes{vm="vm1"}'
    with _exporter(lab.daemon.rpc_socket) as address, _prometheus(folder, address, promtool) as ask:
        wait_until(lambda: _value(ask(series)) == 32 * MiB, 30, series, found=lambda: ask(series))
        labels = ask(series)[0]["metric"]
        assert (labels["vm"], labels["job"], labels["instance"]) == ("vm1", "vballoon", address)
        assert _value(ask("vballoon_up")) == 1
        lab.resize(16 * MiB)
        wait_until(lambda: _value(ask(series)) == 16 * MiB, 30, series, found=lambda: ask(series))
        lab.daemon.kill()
        wait_until(lambda: _value(ask("vballoon_up")) == 0, 30, "vballoon_up 0")
        # It is Prometheus that says whether the exporter is there.
        assert _value(ask("up")) == 1 and ask(series) == []


_DASHBOARD = Path(__file__).resolve().parents[2] / "config/grafana/vballoon.json"
_VARIABLES = {"$instance": ".*", "$vm": ".*", "$__rate_interval": "30s"}


def _questions() -> list[str]:
    panels = json.loads(_DASHBOARD.read_text())["panels"]
    questions = [target["expr"] for panel in panels for target in panel["targets"]]
    for variable, value in _VARIABLES.items():
        questions = [question.replace(variable, value) for question in questions]
    return questions


def test_every_question_of_the_dashboard_has_an_answer(uml_lab, promtool, folder):
    lab = uml_lab
    lab.resize(32 * MiB)
    lab.daemon.rpc("policy.auto", name="vm1", on=True)
    with _exporter(lab.daemon.rpc_socket) as address, _prometheus(folder, address, promtool) as ask:
        for question in _questions():
            if question.endswith("> 0"):  # of what should not be
                ask(question)
            else:
                wait_until(lambda: ask(question), 30, question)


@pytest.fixture
def exported(folder):
    """@yield  the address of an exporter whose daemon has one VM without a VMM."""
    with Daemon(folder) as daemon, _exporter(daemon.rpc_socket) as address:
        yield address
        assert "vballoon_up 1\n" in _get(address)[1]  # whatever the test did
        daemon.stop()


def test_answer_is_what_the_daemon_says_and_that_it_is_up(folder, promtool):
    with Daemon(folder) as daemon, _exporter(daemon.rpc_socket) as address:
        status, text = _get(address)
        own, up = text.rsplit("# HELP vballoon_up", 1)
        assert status == 200 and up.endswith("\nvballoon_up 1\n")
        # Counters of lcores run on between the two.
        names = re.compile(r"^# (?:HELP|TYPE) .*$", re.MULTILINE)
        assert names.findall(own) == names.findall(daemon.ctl("metrics").stdout)
        done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True)
        assert (done.returncode, done.stderr) == (0, ""), text
        daemon.stop()


def _requests(text: str) -> int:
    return int(re.search(r"^vballoon_rpc_requests_total (\d+)$", text, re.MULTILINE)[1])


def test_daemon_is_asked_once_a_second(folder):
    with Daemon(folder) as daemon, _exporter(daemon.rpc_socket) as address:
        first, began = _requests(_get(address)[1]), time.monotonic()
        asked = 0
        while time.monotonic() < began + 3:
            last = _requests(_get(address)[1])
            asked += 1
        assert last - first <= time.monotonic() - began + 1 < asked
        assert last > first, "the figures are new ones"
        daemon.stop()


def test_daemon_that_hangs_is_waited_for_once(folder):
    path = folder / "hangs.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        with _exporter(path) as address:
            began = time.monotonic()
            answers = []
            askers = [threading.Thread(target=lambda: answers.append(_get(address))) for _ in range(5)]
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join()
            assert [text.endswith("vballoon_up 0\n") for _, text in answers] == [True] * 5
            assert time.monotonic() - began < 9
            # Its queue fills up; asking ends nevertheless.
            for _ in range(3):
                time.sleep(1.1)
                assert _get(address)[1].endswith("vballoon_up 0\n")
    path.unlink()


def test_daemon_that_is_not_there_is_told_once(folder):
    log = folder / "exporter.log"
    with open(log, "w") as out, _exporter(folder / "nobody.sock", log=out) as address:
        for _ in range(2):
            assert _get(address) == (200, "# HELP vballoon_up Whether the daemon answers.\n"
                                          "# TYPE vballoon_up gauge\nvballoon_up 0\n")
            time.sleep(1.1)
        lines = log.read_text().splitlines()
        assert len(lines) == 1 and "no vballoond answers at" in lines[0], lines


@pytest.mark.parametrize("listen, said, status", [
    ("127.0.0.1", "that is no address with a port", 2),
    ("127.0.0.1:http", "that is no address with a port", 2),
    ("::1:80", "that is no address with a port", 2),
    ("127.0.0.1:99999", "that is no address with a port", 2),
    ("no such host:80", "--listen no such host:80: ", 2),
])
def test_address_that_cannot_be_is_named(listen, said, status):
    done = subprocess.run([built("vballoon-exporter"), "--listen", listen], text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == status and said in done.stderr and "127.0.0.1:10787" in done.stderr


def test_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = "127.0.0.1:%d" % taken.getsockname()[1]
        done = subprocess.run([built("vballoon-exporter"), "--listen", listen], text=True,
                              capture_output=True, timeout=10)
    assert done.returncode == 1 and f"--listen {listen}: Address already in use" in done.stderr


def test_other_paths_and_methods_are_refused(exported):
    assert _get(exported, "/") == (404, "The figures are at /metrics\n")
    assert _get(exported, "/metrics/..")[0] == 404
    for method in ("POST", "PUT", "DELETE"):
        assert _get(exported, method=method, data=b"x")[0] == 405
    assert _get(exported, method="HEAD") == (200, "")


def test_one_byte_a_second_is_ended_after_ten(exported):
    began = time.monotonic()
    with _connect(exported) as slow:
        with pytest.raises(OSError):
            while True:
                slow.sendall(b"G")
                time.sleep(0.2)
        assert 9 < time.monotonic() - began < 25


def test_many_connections_leave_room_for_one_more(exported):
    held = [_connect(exported) for _ in range(600)]
    assert "vballoon_up 1\n" in _get(exported)[1]
    for connection in held:
        connection.close()


@pytest.mark.parametrize("head", [b"GET /", b"GET /metrics HTTP/1.1\r\nX: "])
def test_request_of_100_mb_is_refused_before_it_has_come(exported, head):
    with _connect(exported) as large:
        sent = 0
        try:
            large.sendall(head)
            while sent < 100_000_000:
                sent += large.send(b"x" * 65536)
        except OSError:
            pass
        # What fills the kernel's buffers on the way was sent, too.
        assert sent < 50_000_000


class _WordyDaemon(threading.Thread):
    """In the daemon's place: figures of 16 MB, more than the kernel keeps for who does not read."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.start()

    def run(self):
        while True:
            peer, _ = self._listener.accept()
            with peer, peer.makefile("rw") as lines:
                request = json.loads(lines.readline())
                text = "# " + "x" * 16_000_000 + "\n"
                lines.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {"text": text}}))
                lines.write("\n")


def test_reader_that_does_not_read_is_ended(folder):
    path = folder / "wordy.sock"
    _WordyDaemon(path)
    with _exporter(path) as address, _connect(address) as idle:
        idle.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)
        assert _get(address)[1].endswith("vballoon_up 1\n")
        time.sleep(11)
        got = 0
        try:
            while data := idle.recv(1 << 20):
                got += len(data)
        except ConnectionError:
            pass
        assert 0 < got < 16_000_000
    path.unlink()
