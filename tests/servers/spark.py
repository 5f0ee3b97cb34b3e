"""Apache Spark with its Kafka connector, in one process on this machine: PySpark from PyPI, the connector from Maven.

    spark.run(script, argument, ..., folder=tmp_path)        # spark-submit; returns the finished process (text)

The connector's module for delegation tokens is in no registry: the Java files beside its pom.xml stand in for the three
classes of it that the connector calls. Every other way to authenticate works.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from servers import maven

SOURCE = Path(__file__).parent / "spark_connector"
VERSION = "4.2.0"


def install():
    """Fetches PySpark (450 MB) into an environment of its own, and the connector; returns the cache."""

    def prepare(cache):
        python = cache / "venv" / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", cache / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-cache-dir", f"pyspark=={VERSION}"],
                       check=True)
        jars = next((cache / "venv").glob("lib/python*/site-packages/pyspark/jars"))
        classes = cache / "classes"
        subprocess.run([maven.java("javac"), "-cp", f"{jars}/*", "-d", classes, *SOURCE.glob("*.java")], check=True)
        with zipfile.ZipFile(cache / "lib" / "no-tokens.jar", "w") as jar:
            for file in classes.rglob("*.class"):
                jar.write(file, file.relative_to(classes))

    return maven.install("spark", SOURCE, prepare)


def command(script, *arguments):
    cache = install()
    connector = ",".join(str(jar) for jar in sorted((cache / "lib").glob("*.jar")))
    return [cache / "venv" / "bin" / "spark-submit", "--master", "local[2]", "--driver-memory", "1g", "--jars", connector,
            "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=2", script, *map(str, arguments)]


def run(script, *arguments, folder, seconds=400):
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(install() / "venv" / "bin" / "python")}
    done = subprocess.run(command(script, *arguments), text=True, capture_output=True, timeout=seconds, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done
