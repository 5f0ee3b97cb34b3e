"""Holds the message declarations of src/wire/kafka against the descriptors inside Apache Kafka's kafka-clients jar.

    tools/kafka_descriptors.py DECLARATIONS

DECLARATIONS is what `wire_kafka_test` writes to the file named by HEADRACE_KAFKA_DECLARATIONS: one line of JSON per
message. The jar is taken from ~/.cache/headrace/kafka-clients, else fetched from Maven Central once. Prints one line per
difference; the exit status is 1 when there is one.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

KAFKA_VERSION = "4.3.1"
ARTIFACT = f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}"


def jar():
    """The path of the kafka-clients jar; fetched with Maven when the cache lacks it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "headrace/kafka-clients"
    path = cache / f"kafka-clients-{KAFKA_VERSION}.jar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
        subprocess.run(["mvn", "-B", "-q", f"{plugin}:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={cache}"],
                       check=True, stdout=sys.stderr)
    return path


def parse_descriptor(text):
    """A descriptor is JSON with // comments."""
    out = []
    for line in text.splitlines():
        in_string = False
        for at, char in enumerate(line):
            if char == '"' and line[at - 1 : at] != "\\":
                in_string = not in_string
            elif not in_string and line[at : at + 2] == "//":
                line = line[:at]
                break
        out.append(line)
    return json.loads("\n".join(out))


def descriptors():
    """Every descriptor in the jar: requests, responses, headers."""
    with zipfile.ZipFile(jar()) as files:
        for path in files.namelist():
            if re.fullmatch(r"common/message/\w+\.json", path):
                yield parse_descriptor(files.read(path).decode())


def versions(text):
    """"0-4" as (0, 4); "2+" is open to the right, "none" is an empty range."""
    if text in (None, "none"):
        return (0, -1)
    match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    first = int(match[1])
    return (first, 32767 if match[2] == "+" else int(match[3] or first))


def default_of(field):
    """The default that a descriptor gives a field, as text."""
    value = field.get("default")
    if value is None:
        kind = field["type"]
        nullable_struct = "fields" in field and "nullableVersions" in field and not kind.startswith("[]")
        if nullable_struct:
            return "null"
        return {"bool": "false"}.get(kind, "0" if re.match(r"u?int\d", kind) else "")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return str(int(text, 0)) if re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", text) else text


def compare_fields(where, declared, expected, common):
    if [f["name"] for f in declared] != [f["name"] for f in expected]:
        yield f"{where}: has fields {[f['name'] for f in declared]}, Kafka has {[f['name'] for f in expected]}"
        return
    for ours, theirs in zip(declared, expected):
        name = f"{where}.{ours['name']}"
        base = theirs["type"].removeprefix("[]")
        fields = theirs.get("fields") or common.get(base)
        kind = theirs["type"].replace(base, "struct") if fields else theirs["type"]
        wanted = {
            "type": kind,
            "versions": versions(theirs["versions"]),
            "nullable": versions(theirs.get("nullableVersions")),
            "tagged": versions(theirs.get("taggedVersions")),
            "tag": theirs.get("tag", -1),
            "default": default_of(theirs),
        }
        if kind == "records":
            wanted["default"] = ""
        for key, value in wanted.items():
            mine = versions(ours[key]) if key in ("versions", "nullable", "tagged") else ours[key]
            if mine != value:
                yield f"{name}: {key} is {mine}, Kafka has {value}"
        if fields:
            yield from compare_fields(name, ours.get("fields", []), fields, common)


def compare(declared, expected):
    """The differences of one message from its descriptor."""
    name = declared["name"]
    if declared["apiKey"] != expected.get("apiKey", -1):
        yield f"{name}: key is {declared['apiKey']}, Kafka has {expected.get('apiKey')}"
    mine, valid = versions(declared["versions"]), versions(expected["validVersions"])
    if not valid[0] <= mine[0] <= mine[1] <= valid[1]:
        yield f"{name}: versions {mine} are not within Kafka's {valid}"
    if versions(declared["flexible"]) != versions(expected["flexibleVersions"]):
        yield f"{name}: flexible versions are {declared['flexible']}, Kafka has {expected['flexibleVersions']}"
    common = {struct["name"]: struct["fields"] for struct in expected.get("commonStructs", [])}
    yield from compare_fields(name, declared["fields"], expected["fields"], common)


def check(declarations, archive):
    """All differences of the declarations (lines of JSON) from the descriptors in the jar `archive`."""
    with zipfile.ZipFile(archive) as files:
        for line in declarations.splitlines():
            declared = json.loads(line)
            try:
                text = files.read(f"common/message/{declared['name']}.json").decode()
            except KeyError:
                yield f"{declared['name']}: Kafka {KAFKA_VERSION} has no such message"
                continue
            yield from compare(declared, parse_descriptor(text))


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    declarations = Path(sys.argv[1]).read_text()
    found = list(check(declarations, jar()))
    for line in found:
        print(line)
    print(f"kafka descriptors: {len(declarations.splitlines())} messages, {len(found) or 'no'} differences")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
