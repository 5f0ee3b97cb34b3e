"""Power losses for the real program, where what volatile_disk.cc wrote down below it is taken back, and disks that fail.

A loss keeps, of what was changed and not synced since, nothing; or of each file and directory what came before a moment of
its own, the change at that moment torn between pages; or each page of a file as it was at a moment of its own.
"""

import os
import shutil
import struct
import subprocess
from collections import defaultdict
from pathlib import Path

PAGE_BYTES = 4096
SOURCE = Path(__file__).with_suffix(".cc")
RECORD = struct.Struct("=6Q")
DATA, NAMES, SYNC = 1, 2, 3


def build(folder):
    """The library, made by the system's compiler."""
    library = Path(folder) / "volatile_disk.so"
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-fvisibility=hidden", "-o", str(library), str(SOURCE)], check=True)
    return library


class VolatileDisk:
    """A folder whose files lose in a power loss what no fsync covers. The programs that write there run with environment();
    none may run while the power is lost."""

    def __init__(self, root, library):
        self.root = Path(root)
        self.store = self.root.with_name(self.root.name + ".volatile")
        self.library = library
        self.root.mkdir(parents=True, exist_ok=True)
        self.forget()

    def environment(self, lies=False):
        """With `lies`, an fdatasync makes nothing durable."""
        out = {"LD_PRELOAD": str(self.library), "VOLATILE_DISK_ROOT": str(self.root), "VOLATILE_DISK_STORE": str(self.store)}
        return {**out, "VOLATILE_DISK_LIES": "1"} if lies else out

    def lose_power(self, chance, kinds=None):
        """Takes back what was not synced, by a kind of loss out of `kinds`. What is left is durable."""
        how = chance.choice(kinds or [Loss, Loss, Torn, Reordered])(chance)
        unsynced = self.unsynced()
        tree = Tree(self.root, self.store / "removed")
        for object, changes in unsynced.items():
            if object in tree.names:
                for change in reversed(changes[how.kept(changes):]):
                    tree.names[object].update(change)
        for object in tree.files():
            if object in unsynced:
                path = tree.paths[object]
                path.write_bytes(survivors(path.read_bytes(), unsynced[object], how))
        tree.build()
        self.forget()

    def unsynced(self):
        """{inode: its changes since it was synced, the oldest first}. A change is {name: old inode}, or for a file (offset,
        the bytes there before, the size before)."""
        changes, before = defaultdict(list), 0
        for number in range(1, len(list(self.store.glob("journal.*"))) + 1):
            records = list(read_journal(self.store / f"journal.{number}"))
            for index, (kind, object, value) in enumerate(records, before):
                if kind == SYNC:
                    changes[object] = [(i, change) for i, change in changes[object] if i >= before + value]
                else:
                    changes[object].append((index, value))
            before += len(records)
        return {object: [change for _, change in list] for object, list in changes.items() if list}

    def fail_syncs(self, pattern):
        """From now on fsync and fdatasync of files fail whose path below the folder matches; the programs run on."""
        control = self.store / "fails"
        control.with_name("fails.new").write_text(pattern)
        control.with_name("fails.new").rename(control)

    def repair(self):
        (self.store / "fails").unlink()

    def forget(self):
        shutil.rmtree(self.store, ignore_errors=True)
        (self.store / "removed").mkdir(parents=True)


def read_journal(path):
    """(kind, object, value) of each record; the last may be cut."""
    content, at = path.read_bytes(), 0
    while at + RECORD.size <= len(content):
        kind, object, a, b, c, size = RECORD.unpack_from(content, at)
        at += RECORD.size + size
        if at > len(content):
            return
        payload = content[at - size:at]
        if kind == DATA:
            yield kind, object, (a, payload or bytes(b), c)
        elif kind == NAMES:
            yield kind, object, old_names(payload)
        else:
            yield kind, object, a


def old_names(payload):
    names, at = {}, 0
    while at < len(payload):
        end = payload.index(b"\0", at + 8)
        names[os.fsdecode(payload[at + 8:end])] = struct.unpack_from("=Q", payload, at)[0]
        at = end + 1
    return names


class Loss:
    """Everything goes."""

    def __init__(self, chance):
        self.chance = chance

    def kept(self, changes):
        """How many of a directory's changes stay."""
        return 0

    def version(self, changes):
        """A function that says with how many of the file's changes its next page, or its size, is left."""
        return lambda: 0


class Torn(Loss):
    """Each keeps what came before a moment of its own; at that moment a file's pages differ."""

    def kept(self, changes):
        return self.chance.randint(0, len(changes))

    def version(self, changes):
        last = self.kept(changes)
        return lambda: self.chance.randint(max(last - 1, 0), last)


class Reordered(Torn):
    """Each page of a file keeps what came before a moment of its own."""

    def version(self, changes):
        return lambda: self.chance.randint(0, len(changes))


def survivors(content, changes, how):
    """What is left of a file."""
    versions = how.version(changes)
    size_max = max([len(content), *(size for _, _, size in changes)])
    pages, size_version = defaultdict(list), versions()
    for page in range(0, size_max, PAGE_BYTES):
        pages[versions()].append(page)
    image, out = bytearray(content), bytearray(size_max)
    for version in range(len(changes), -1, -1):
        for page in pages[version]:
            kept = image[page:page + PAGE_BYTES]
            out[page:page + len(kept)] = kept
        if version == size_version:
            size = len(image)
        if version > 0:
            undo(image, *changes[version - 1])
    return bytes(out[:size])


def undo(image, offset, before, size):
    del image[size:]
    image.extend(bytes(size - len(image)))
    image[offset:offset + len(before)] = before


class Tree:
    """A folder's files and directories by their inodes, and those that were removed from it."""

    def __init__(self, root, removed):
        self.root = root
        self.top = root.stat().st_ino
        self.names = {}  # A directory's entries, {name: inode}.
        self.paths = {}
        self.scan(root)
        self.scan(removed)

    def scan(self, path):
        self.paths[path.stat().st_ino] = path
        if path.is_dir():
            self.names[path.stat().st_ino] = {child.name: child.stat().st_ino for child in path.iterdir()}
            for child in path.iterdir():
                self.scan(child)

    def directories(self):
        """(path below the root, inode) of each directory that is there, parents first."""
        found = [(Path(), self.top)]
        for path, object in found:
            found += [(path / name, inode) for name, inode in self.names[object].items() if inode in self.names]
        return found

    def files(self):
        return {inode for _, object in self.directories() for inode in self.names[object].values()
                if inode and inode not in self.names}

    def build(self):
        """Puts the folder as it is here in the place of the folder; the files stay the same."""
        made = self.root.with_name(self.root.name + ".rebuilt")
        for path, object in self.directories():
            (made / path).mkdir()
            for name, inode in self.names[object].items():
                if inode and inode not in self.names:
                    os.link(self.paths[inode], made / path / name)
        shutil.rmtree(self.root)
        made.rename(self.root)
