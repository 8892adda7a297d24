"""`run.py view` as a program: what it prints, what a raw request gets, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from drive.cli import main
from drive.pages.server import USUAL_PORT, address_of, open_socket
from tests.pages.view.conftest import Results

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 60


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command on a free port, with the first line that it prints."""
    command = [sys.executable, str(ROOT / "run.py"), "view", str(folder), "--no-browser"]
    with subprocess.Popen(
        [*command, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def raw(address: str, path: str) -> bytes:
    """What a request gets whose path no client has tidied."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_it_serves_until_it_is_interrupted(results: Results, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with running(results.root) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        port = urlsplit(address).port
        assert b"200 OK" in raw(address, "/api/runs")
        for path in ("/files/../secret.txt", "/files/../../../../etc/passwd", "/../secret.txt"):
            answer = raw(address, path)
            assert b"404 Not Found" in answer.splitlines()[0]
            assert b"secret\n" not in answer and b"root:" not in answer
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"GET /files/")  # a connection that never ends must not hold it up
            process.send_signal(signal.SIGINT)
            output, complaint = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert output == ""
    assert "Traceback" not in complaint
    assert complaint.splitlines()[-1].endswith("the server has stopped")
    with pytest.raises(OSError):
        raw(address, "/")


def test_json_names_address_and_folder(results: Results) -> None:
    with running(results.root, "--json", "--quiet") as (_, line):
        said = json.loads(line)
        assert said["folder"] == str(results.root)
        assert b"200 OK" in raw(said["address"], "/")


def test_it_listens_on_this_machine_only() -> None:
    with open_socket(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        assert address_of(listening).startswith("http://127.0.0.1:")


def test_the_usual_port_gives_way_and_a_named_one_does_not(tmp_path: Path) -> None:
    with open_socket(None) as first, open_socket(None) as second:
        ports = {first.getsockname()[1], second.getsockname()[1]}
        assert len(ports) == 2
        assert USUAL_PORT not in ports - {first.getsockname()[1]}
        taken = str(first.getsockname()[1])
        assert main(["view", str(tmp_path), "--no-browser", "--port", taken]) == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["absent"], "absent"),
        (["file.txt"], "is a file"),
        ([".", "--port", "70000"], "65535"),
        ([".", "--port", "-1"], "65535"),
    ],
)
def test_wrong_arguments_end_with_status_2(
    arguments: list[str],
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").touch()
    assert main(["view", *arguments, "--no-browser"]) == 2
    assert word in capsys.readouterr().err
