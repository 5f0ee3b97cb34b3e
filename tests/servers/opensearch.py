"""A real one-node OpenSearch: plain HTTP, no accounts.

    with OpenSearch(tmp_path / "opensearch") as opensearch:
        opensearch.url                                  # "http://127.0.0.1:40001"
        opensearch.get("/cabs/_count")["count"]         # with the index refreshed before
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from servers import maven

SOURCE = Path(__file__).parent / "opensearch_server"
START_SECONDS = 180
MAIN = "RunOpenSearch"


def install():
    """Fetches OpenSearch's jars and compiles the program that runs it; returns the class path."""

    def compile_main(cache):
        subprocess.run([maven.java("javac"), "-cp", str(cache / "lib" / "*"), "-d", str(cache), str(SOURCE / f"{MAIN}.java")],
                       check=True)

    cache = maven.install("opensearch", SOURCE, compile_main)
    return f"{cache}:{cache}/lib/*"


class OpenSearch:
    """One node in `folder`. `settings` are the node's. The port stays the same over stop() and start()."""

    def __init__(self, folder, settings=None, heap="512m"):
        self.folder = Path(folder)
        self.settings = settings or {}
        self.heap = heap
        self.port = maven.free_ports(1)[0]
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [maven.java(), f"-Xms{self.heap}", f"-Xmx{self.heap}", "-XX:TieredStopAtLevel=1", "-cp", install(), MAIN,
                 str(self.folder / "node"), str(self.port), *(f"{k}={v}" for k, v in self.settings.items())],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("OpenSearch did not start: " + (self.folder / "log").read_text()[-3000:])
            time.sleep(0.2)
        return self

    def healthy(self):
        try:
            return self.request("GET", "/_cluster/health?wait_for_status=yellow")["status"] != "red"
        except OSError:
            return False

    def stop(self):
        if self.process:
            maven.end(self.process)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def request(self, method, path, body=None, seconds=60):
        """The parsed JSON of an answer; urllib's HTTPError for a status of 400 and more."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return json.load(answer)

    def get(self, path):
        """A GET after a refresh, so that it sees every document that was answered for."""
        self.request("POST", "/_refresh")
        return self.request("GET", path)

    def count(self, index):
        """How many documents `index` has; 0 where there is no such index."""
        try:
            return self.get(f"/{index}/_count")["count"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return 0
            raise

    def documents(self, index, size=10_000):
        """The documents by their ids."""
        hits = self.get(f"/{index}/_search?size={size}")["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exc):
        self.stop()
