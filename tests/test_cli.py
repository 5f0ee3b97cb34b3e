"""What a new user meets first: commands, mistakes in files, ports and folders that are taken."""

import json
import os
import re
import signal
import subprocess

from harness import ROOT, Headrace, run, wait_until

BROKEN = """\
bus: embeded
listen: {htpp: 127.0.0.1:1}
topics:
  t: {partitions: none, retention.ms: 7 parsecs}
streams:
  cabs: {columns: {cab: text, speed: duble}, event_time: ts}
pipelines:
  p:
    sql: |
      SELECT cab, sped
      FROM cabs
    to: out
sinks:
  s: {type: opensearhc, topics: [out]}
"""


def test_help_teaches():
    text = run("--help").stdout
    for command in ("run", "check", "sim", "feed", "topic", "tail", "produce", "version"):
        assert re.search(rf"^\s+{command}\s+\w", text, re.M), command
        assert "headrace" in run(command, "--help").stdout
    assert run("sim", "cabs", "--help").stdout.count("--") > 5


def test_a_command_that_is_not_there_is_named():
    for arguments in (("foo",), ("topic", "foo")):
        answer = run(*arguments, check=False)
        assert answer.returncode == 2 and "no command 'foo'" in answer.stderr, answer


def test_version():
    assert re.fullmatch(r"headrace \d+\.\d+\.\d+\n", run("version").stdout)


def test_every_mistake_is_told_with_its_place(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text(BROKEN)
    done = run("check", file, check=False)
    assert done.returncode == 2
    places = {tuple(map(int, m)) for m in re.findall(r"broken\.yaml:(\d+):(\d+): ", done.stderr)}
    assert {(1, 6), (2, 10), (4, 19), (4, 39), (6, 38), (10, 19), (14, 13)} <= places, done.stderr
    assert "did you mean 'http'" in done.stderr and "did you mean 'opensearch'" in done.stderr
    assert run("run", file, check=False).returncode == 2


def test_sql_mistakes_point_at_the_character(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("streams:\n  cabs: {columns: {cab: text, speed: double}}\npipelines:\n  p:\n    sql: |\n"
                    "      SELECT cab, sped\n      FROM cabs\n    to: out\n")
    done = run("check", file, check=False)
    assert "f.yaml:6:19: " in done.stderr and "speed" in done.stderr, done.stderr


def test_the_example_is_right_and_the_schema_takes_it():
    assert "ok:" in run("check", ROOT / "examples/cabs/cabs.yaml").stdout
    schema = json.loads(run("check", "--schema").stdout)
    assert set(schema["properties"]) >= {"bus", "data", "listen", "topics", "ingest", "streams", "pipelines", "sinks"}


def test_settings_change_the_file(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("topics: {a: {partitions: 1}}\n")
    run("check", file, "--set", "topics.a.retention.ms=7d", "--set", "bus.kafka.bootstrap.servers=127.0.0.1:1")
    assert "parsecs" in run("check", file, "--set", "topics.a.retention.ms=parsecs", check=False).stderr
    run("check", file, "--set", "listen.advertised.kafka=broker.example:9092")
    assert "advertised.kafka: 'nowhere'" in run("check", file, "--set", "listen.advertised.kafka=nowhere", check=False).stderr


def test_starts_ready_and_stops_clean(headrace):
    server = headrace("topics: {t: {}}\n")
    assert set(server.ready) == {"kafka", "http"}
    assert all(not address.endswith(":0") for address in server.ready.values())
    assert server.stop() == 0


def test_a_signal_ends_a_start_that_waits(tmp_path):
    config = "bus: {kafka: {bootstrap.servers: '127.0.0.1:1'}}\ntopics: {t: {partitions: 1}}\n"
    starting = Headrace(tmp_path, config)
    with starting.launch() as process:
        try:
            wait_until(lambda: "127.0.0.1:1" in starting.errors(), what="the first attempt to reach the cluster")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 128 + signal.SIGTERM
        finally:
            process.kill()
    assert "ended by SIGTERM before it was ready" in starting.errors()


def test_a_taken_port_is_told(headrace, tmp_path):
    first = headrace("")
    second = Headrace(tmp_path / "second", f"listen: {{kafka: '{first.kafka}', http: '127.0.0.1:0'}}\n", free_ports=False)
    done = subprocess.run(second.command(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert first.kafka in done.stderr and "in use" in done.stderr.lower(), done.stderr


def test_a_data_folder_has_one_owner(headrace, tmp_path):
    first = headrace("")
    second = Headrace(tmp_path / "second", "")
    command = second.command()
    command[command.index("--data") + 1] = str(first.folder / "data")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert str(first.folder / "data") in done.stderr and "another" in done.stderr, done.stderr


def test_an_unreadable_data_folder_is_told(tmp_path):
    server = Headrace(tmp_path / "h", "")
    data = tmp_path / "h" / "data"
    data.mkdir()
    data.chmod(0)
    command = server.command()
    if os.geteuid() == 0:  # Root without its leave to pass over the modes of files.
        privileges = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={privileges}", f"--inh-caps={privileges}", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd="/")
    data.chmod(0o700)
    assert done.returncode == 1
    assert str(data) in done.stderr and "ermission" in done.stderr, done.stderr


def test_topics_and_records_by_command(headrace):
    server = headrace("")
    at = ("-b", server.kafka)
    run("topic", "create", "events", "-p", "3", "-c", "retention.ms=7d", *at)
    assert "events" in run("topic", "list", *at).stdout
    lines = "".join(f"k{i}:value {i}\n" for i in range(1000))
    assert "1000 records" in run("produce", "events", "-K", ":", *at, input=lines).stderr
    out = run("tail", "events", "--from-beginning", "--exit", "-k", *at).stdout.splitlines()
    assert sorted(out) == sorted(f"k{i}\tvalue {i}" for i in range(1000))
    described = run("topic", "describe", "events", *at).stdout
    assert "retention.ms = 604800000" in described and "3 partitions" in described
    run("topic", "delete", "events", *at)
    assert "events" not in run("topic", "list", *at).stdout
    failed = run("tail", "events", *at, check=False)
    assert failed.returncode == 1 and "events" in failed.stderr


