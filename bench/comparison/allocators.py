"""Which allocators there are, and whether a program really uses the one it was given."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

# Debian's package, its library, the name in the table.
PEERS = (
    ("jemalloc", "libjemalloc.so.2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4"),
    ("mimalloc", "libmimalloc.so.2.0"),
    ("tbbmalloc", "libtbbmalloc_proxy.so.2"),
)


@dataclasses.dataclass(frozen=True)
class Allocator:
    name: str
    preload: str  # path of the library

    def environment(self):
        return {"LD_PRELOAD": self.preload}


def libc_path():
    """The C library that this very process uses."""
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        path = line.split()[-1]
        if re.fullmatch(r".*/libc(\.so\.6|-2\.\d+\.so)", path):
            return path
    raise RuntimeError("this process has no libc.so.6: the glibc rows need one")


def _library_directories():
    own = os.path.dirname(libc_path())
    multiarch = os.path.basename(own)
    return [own, f"/usr/lib/{multiarch}", "/usr/local/lib", "/usr/lib64", "/usr/lib"]


def find_library(name):
    for directory in _library_directories():
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return path
    return None


def find_all(subject_path, extra):
    """cma, glibc, the peers of this machine, then `extra` ("name=path"); None: no cma built."""
    # Programs may be linked to an allocator of their own, as Debian's redis-server is to jemalloc.
    # A preloaded libc comes first in the search and wins; in other programs it changes nothing.
    found = [Allocator("glibc", libc_path())]
    if subject_path and os.path.exists(subject_path):
        found.insert(0, Allocator("cma", os.path.abspath(subject_path)))
    for name, library in PEERS:
        path = find_library(library)
        if path:
            found.append(Allocator(name, path))
    for text in extra:
        name, separator, path = text.partition("=")
        if not separator or not os.path.exists(path):
            raise ValueError(f"--allocator {text}: expected name=/path/to/library.so")
        found = [a for a in found if a.name != name]
        found.append(Allocator(name, os.path.abspath(path)))
    return found


def why_not_in_use(allocator, command, environment):
    """None if `command` binds malloc and free to the allocator, else what it binds them to.

    The dynamic loader itself is asked, with every symbol bound at the start: a library may be
    mapped and yet come second in the search order.
    """
    with tempfile.TemporaryDirectory() as scratch:
        env = dict(os.environ, **environment, **allocator.environment())
        env.update(LD_BIND_NOW="1", LD_DEBUG="bindings", LD_DEBUG_OUTPUT=f"{scratch}/bindings")
        try:
            subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        wanted = os.path.realpath(allocator.preload)
        bindings = set()
        for log in pathlib.Path(scratch).iterdir():
            bindings |= _malloc_bindings(log)
    program = os.path.realpath(shutil.which(command[0]) or command[0])
    targets = {target for source, target in bindings if source != wanted}
    others = targets - {wanted}
    if (program, wanted) in bindings:
        # Libraries that take the address of free() get the program's jump to it.
        others.discard(program)
    if not targets:
        return "the loader reports no binding of malloc"
    if others:
        return "malloc or free bound to " + ", ".join(sorted(others))
    return None


_BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: normal symbol [`'](\w+)'")


def _malloc_bindings(log):
    """The pairs (who asks for malloc or free, whose it gets); the loader has its own and is left out.

    An allocator may itself ask for the next malloc.
    """
    bindings = set()
    with open(log, errors="replace") as lines:
        for line in lines:
            match = _BINDING.search(line)
            if match and match[3] in ("malloc", "free") and "/ld-linux" not in match[1]:
                bindings.add((os.path.realpath(match[1]), os.path.realpath(match[2])))
    return bindings
