"""A Java program that a test runs, with its output in a file: started, killed, started again."""

import subprocess
from pathlib import Path

from servers import maven

LOGGING = Path(__file__).parent / "kafka_server" / "log4j2.properties"


class JavaProcess:
    """`main` on `class_path`, in `folder`. `options` are the virtual machine's."""

    def __init__(self, folder, class_path, main, *arguments, options=(), level="INFO"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log"
        self.command = [maven.java(), "-cp", str(class_path), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                        f"-Dkafka.log.level={level}", f"-Dlog4j2.configurationFile={LOGGING}", *options, main,
                        *map(str, arguments)]
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process:
            maven.end(self.process)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
