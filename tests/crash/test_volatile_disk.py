"""The disk that the power loss test trusts: what it forgets, and that it sees what the program does."""

import os
import random
import subprocess
import sys

import pytest
import volatile_disk
from harness import BIN
from volatile_disk import Loss, Reordered, Torn, VolatileDisk, survivors

# What changes files, or makes them durable, by a descriptor or a name; the disk has to know those that the program imports.
CHANGES = {"creat", "open", "openat", "close", "write", "pwrite", "pwritev", "pwritev2", "writev", "truncate", "ftruncate",
           "fallocate", "posix_fallocate", "copy_file_range", "splice", "rename", "renameat", "renameat2", "unlink", "unlinkat",
           "remove", "rmdir", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat", "fsync", "fdatasync", "sync", "syncfs",
           "sync_file_range", "msync", "dup", "dup2", "dup3", "fdopen", "freopen", "mkstemp", "mkostemp", "mkdtemp", "tmpfile"}


@pytest.fixture
def disk(tmp_path, volatile_library):
    return VolatileDisk(tmp_path / "disk", volatile_library)


def run(disk, script, **environment):
    """Runs Python's file calls on the disk, and ends as kill -9 ends it."""
    script = f"import os, signal\nos.chdir({str(disk.root)!r})\n" + HELPERS + script + "\nos.kill(os.getpid(), signal.SIGKILL)\n"
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, **disk.environment(**environment)},
                          capture_output=True, text=True)
    assert done.returncode == -9, done.stderr


HELPERS = """
def make(name, content):
    fd = os.open(name, os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, content, 0)
    return fd

def sync(name):
    fd = os.open(name, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
"""


def content(disk):
    return {str(path.relative_to(disk.root)): path.read_text() if path.is_file() else None for path in disk.root.rglob("*")}


def left(disk):
    disk.lose_power(random.Random(), [Loss])
    return content(disk)


def test_what_was_synced_stays(disk):
    run(disk, "os.fdatasync(make('data', b'whole')); os.fsync(make('all', b'too')); sync('.')")
    assert left(disk) == {"data": "whole", "all": "too"}


def test_names_need_a_sync_of_their_directory(disk):
    run(disk, "os.fdatasync(make('a', b'whole'))")
    assert left(disk) == {}


def test_data_needs_a_sync_of_its_file(disk):
    run(disk, "make('a', b'lost'); sync('.')")
    assert left(disk) == {"a": ""}


def test_changes_after_the_sync_go(disk):
    run(disk, """
fd = make('a', b'0123456789')
os.fdatasync(fd)
sync('.')
os.pwrite(fd, b'xxx', 2)
os.ftruncate(fd, 4)
os.lseek(fd, 0, os.SEEK_END)
os.write(fd, b'yy' * 10)
""")
    assert left(disk) == {"a": "0123456789"}


def test_emptied_files_come_back(disk):
    run(disk, "fd = make('a', b'whole'); os.fdatasync(fd); sync('.'); os.open('a', os.O_RDWR | os.O_TRUNC)")
    assert left(disk) == {"a": "whole"}


def test_renamed_and_removed_files_come_back(disk):
    run(disk, """
for name in 'abc':
    os.fdatasync(make(name, name.encode()))
sync('.')
os.rename('a', 'b')
os.remove('c')
""")
    assert left(disk) == {"a": "a", "b": "b", "c": "c"}


def test_removed_directories_come_back_with_their_files(disk):
    run(disk, """
os.mkdir('d')
os.fdatasync(make('d/a', b'a'))
sync('d')
sync('.')
os.rename('d', 'gone')
os.remove('gone/a')
os.rmdir('gone')
os.mkdir('d')
make('d/b', b'b')
""")
    assert left(disk) == {"d": None, "d/a": "a"}


def test_directories_that_were_not_synced_go_with_all_that_is_in_them(disk):
    run(disk, "os.mkdir('d'); os.fdatasync(make('d/a', b'a')); sync('d')")
    assert left(disk) == {}


def test_the_next_process_makes_durable_what_the_killed_one_wrote(disk):
    run(disk, "make('a', b'a'); make('b', b'b'); sync('.')")
    run(disk, "os.fdatasync(os.open('a', os.O_RDWR))")
    assert left(disk) == {"a": "a", "b": ""}


def test_a_second_loss_keeps_what_the_first_left(disk):
    run(disk, "os.fdatasync(make('a', b'a')); sync('.')")
    assert left(disk) == {"a": "a"}
    run(disk, "make('a', b'b')")
    assert left(disk) == {"a": "a"}


def test_a_disk_that_lies_keeps_nothing(disk):
    run(disk, "os.fdatasync(make('a', b'whole')); sync('.')", lies=True)
    assert left(disk) == {"a": ""}


def test_syncs_fail_where_they_are_to_and_make_nothing_durable(disk):
    fails = """
def fails(fd, sync):
    try:
        sync(fd)
    except OSError as error:
        return error.errno == 5
    return False

assert fails(make('a.log', b'a'), os.fdatasync) and fails(make('b.log', b'b'), os.fsync)
assert not fails(make('c', b'c'), os.fdatasync) and not fails(os.open('.', os.O_RDONLY), os.fsync)
"""
    disk.fail_syncs("*.log")
    run(disk, fails)
    assert left(disk) == {"a.log": "", "b.log": "", "c": "c"}
    run(disk, "os.fdatasync(make('a.log', b'a'))")
    disk.fail_syncs("d")
    disk.repair()
    run(disk, "os.fdatasync(make('d', b'd')); sync('.')")
    assert left(disk) == {"a.log": "a", "b.log": "", "c": "c", "d": "d"}


def test_a_part_of_a_file_may_stay():
    page = volatile_disk.PAGE_BYTES
    changes = [(0, b"", 0), (page, b"", page), (0, b"a" * 2 * page, 2 * page)]  # a, a after it, both become b.
    written = b"b" * 2 * page
    assert survivors(written, changes, Loss(None)) == b""
    seen = {how: {pages(survivors(written, changes, how(random.Random(seed)))) for seed in range(200)} for how in (Torn, Reordered)}
    assert seen[Torn] == {"", "a", "0", "aa", "a0", "ab", "ba", "bb"}
    assert seen[Reordered] >= seen[Torn] | {"0b", "b0"}


def pages(content):
    """Each page's first letter, 0 for zeros."""
    return content[::volatile_disk.PAGE_BYTES].replace(b"\0", b"0").decode()


def symbols(binary, *which):
    out = subprocess.run(["nm", "-D", *which, str(binary)], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0].removesuffix("64") for line in out.splitlines()}


def test_the_disk_knows_each_call_of_the_program(volatile_library):
    imported = symbols(BIN, "--undefined-only") & CHANGES
    assert imported - symbols(volatile_library, "--defined-only") == set()
    assert {"open", "pwritev", "fdatasync", "fsync", "rename"} <= imported
