"""The project's checks, under a minute: layers, style rules, self-contained headers, generated pages without drift.

Run as `./dev check`; `--write-docs` writes the generated pages instead of comparing them. Each finding is one line,
`file:line: what is wrong`; the exit status is the number of kinds of check that found something.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LINES_MAX = 600
COLUMNS_MAX = 120
# Headers that one module adapts: (pattern of the include, modules that may have it).
ADAPTED = [
    (re.compile(r"<boost/(asio|beast)"), {"net"}),
    (re.compile(r"<(arrow|parquet)/"), {"columns", "stream"}),
    (re.compile(r"<librdkafka/"), {"bus_kafka"}),
    (re.compile(r"<rocksdb/"), {"stream"}),
    (re.compile(r"<pg_query"), {"sql"}),
    (re.compile(r"<(yaml-cpp|CLI)/"), {"app"}),
    (re.compile(r"<re2/"), {"broker"}),
    (re.compile(r"<isa-l"), {"codec"}),
    (re.compile(r"<spdlog/"), {"base"}),
]
# Adapted headers that may not be in any header but an internal one.
HEAVY = re.compile(r"<(boost/|arrow/|librdkafka/|rocksdb/|simdjson|yaml-cpp/|pg_query|curl/)")
WORDS = re.compile(r"\b(TODO|FIXME|XXX)\b")


def read_layers(text):
    """The modules of a LAYERS file as {module: line number}; a comment line starts with #."""
    order = {}
    rank = 0
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        rank += 1
        for module in line.split():
            order[module] = rank
    return order


def module_of(path, order):
    """The module of a path below src/ (the longest one that matches), or None."""
    parts = Path(path).parts
    for depth in (2, 1):
        name = "/".join(parts[:depth])
        if len(parts) > depth and name in order:
            return name
    return None


def check_layers(path, text, order):
    """Findings for includes that go up, sideways or into another module's internal/ folder."""
    own = module_of(path, order)
    if own is None:
        return [(1, "is in no module of src/LAYERS")]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match:
            continue
        other = module_of(match[1], order)
        if other is None or other == own:
            continue
        if order[other] >= order[own]:
            found.append((number, f"module {own} may not include {other}, which LAYERS puts beside or above it"))
        elif "/internal/" in match[1]:
            found.append((number, f"{match[1]} is internal to module {other}"))
    return found


def check_style(path, text, order):
    """Findings of the rules that a program can judge."""
    found = []
    lines = text.splitlines()
    own = module_of(path, order)
    if len(lines) > LINES_MAX:
        found.append((LINES_MAX, f"has {len(lines)} lines; split it by concept ({LINES_MAX} at most)"))
    if path.endswith(".h") and "#pragma once" not in text:
        found.append((1, "a header starts with #pragma once"))
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            found.append((number, f"has {len(line)} columns ({COLUMNS_MAX} at most)"))
        if "\t" in line or line != line.rstrip():
            found.append((number, "has a tab or a space at its end"))
        if WORDS.search(line):
            found.append((number, "promises work; do it or delete the line"))
        if re.search(r"\busing namespace std;", line):
            found.append((number, "using namespace std"))
        if path.endswith("_test.cc") and re.search(r"\bsleep_for\b|\busleep\b", line):
            found.append((number, "a test does not sleep to synchronise"))
        if "#include" in line:
            for pattern, modules in ADAPTED:
                if pattern.search(line) and own not in modules:
                    found.append((number, f"only {', '.join(sorted(modules))} may include this"))
            if path.endswith(".h") and "/internal/" not in path and HEAVY.search(line):
                found.append((number, "a heavy header stays in .cc files or internal/ headers"))
    return found


def sources():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "src"], cwd=ROOT, text=True,
                         capture_output=True, check=True)
    for name in sorted(out.stdout.split()):
        if name.endswith((".h", ".cc")) and (ROOT / name).exists():
            yield name


def report(kind, found):
    for name, number, what in found:
        print(f"{name}:{number}: {what}")
    print(f"check: {kind}: {len(found) or 'no'} finding{'s' if len(found) != 1 else ''}")
    return bool(found)


def run_text_checks():
    order = read_layers((ROOT / "src/LAYERS").read_text())
    layers, style = [], []
    for name in sources():
        path, text = name.removeprefix("src/"), (ROOT / name).read_text()
        layers += [(name, *f) for f in check_layers(path, text, order)]
        style += [(name, *f) for f in check_style(path, text, order)]
    return report("layers", layers) + report("style", style)


def check_format():
    """What `./dev format` would change."""
    done = subprocess.run(["clang-format-14", "--dry-run", *sources()], cwd=ROOT, text=True, capture_output=True)
    found = re.findall(r"^(\S+?):(\d+):\d+: warning:", done.stderr, re.MULTILINE)
    return report("format", [(name, int(line), "is not as ./dev format leaves it") for name, line in found])


def compiles(header):
    """None when the header compiles alone, else the finding."""
    command = ["g++", "-std=c++20", "-fsyntax-only", "-msse4.2", "-I", str(ROOT / "src"), "-x", "c++", "-"]
    done = subprocess.run(command, input=f'#include "{header}"\n', text=True, capture_output=True)
    return (f"src/{header}", 1, "does not compile alone: " + done.stderr.split("\n")[0]) if done.returncode else None


def included_first():
    """Headers that the build compiles before anything else, at the head of a source file. Tests have others in front
    of theirs (precompiled ones), and fuzz targets are not always built."""
    for name in sources():
        if name.endswith(".cc") and not name.endswith(("_test.cc", "_fuzz.cc")):
            first = re.search(r'^#include\s+["<](.*?)[">]', (ROOT / name).read_text(), re.MULTILINE)
            if first:
                yield first[1]


def check_headers():
    """Every public header brings what it uses."""
    proven = set(included_first())
    headers = [n.removeprefix("src/") for n in sources() if n.endswith(".h") and "/internal/" not in n
               and not re.search(r"_test\.h$|testing", n)]
    headers = [h for h in headers if h not in proven]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return report("self-contained headers", [f for f in pool.map(compiles, headers) if f])


def check_docs(write):
    """The reference pages are what the program prints."""
    program = os.environ.get("HEADRACE_BIN", str(ROOT / "build/release/headrace"))
    if not Path(program).exists():
        print(f"check: reference pages: no {program}; build it first (./dev build)")
        return True
    pages = subprocess.run([program, "reference", "--list"], text=True, capture_output=True, check=True).stdout.split()
    found = []
    for page in pages:
        text = subprocess.run([program, "reference", page], text=True, capture_output=True, check=True).stdout
        path = ROOT / "docs/reference" / page
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            found.append((f"docs/reference/{page}", 1, "differs from what the program prints; run ./dev docs"))
    return report("reference pages", found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--fast", action="store_true", help="leave out the compiler and the program")
    arguments = parser.parse_args()
    if arguments.write_docs:
        return check_docs(write=True)
    failed = run_text_checks()
    if not arguments.fast:
        failed += check_format() + check_headers() + check_docs(write=False)
    return failed


if __name__ == "__main__":
    sys.exit(main())
