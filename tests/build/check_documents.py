"""Runs and compiles what README.md and docs/ show: every fenced block, by its language, and the
example of cma(3).

    c, cpp     compiled; linked and run if it has a main()
    cmake      configured, after a line that makes the target `server`; built if find_package is in it
    sh         each command is run, in a folder with the files of the repository and of a build
    make       run, beside server.c
    text       not checked: output, drawings

A block without a language is a fault. Environment: CMA_SOURCE_DIR, CMA_BUILD_DIR.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["CMA_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["CMA_BUILD_DIR"])

# What stands in the documents for the reader's own.
STAND_INS = {"PROGRAM ARGS...": "ls README.md", "PROGRAM": "ls"}

# Commands that are not run here, and why.
EXCEPTIONS = [
    (r"^bash bench/demo\.sh", "measures for minutes"),
    (r"^bash tests/run\.sh", "runs this test"),
    (r"^(build/release/)?cma bench\b", "measures for minutes; programs/cma_bench runs it, shortened"),
    (r"^cmake --preset \w+ && cmake --build", "the build that is tested; build/presets_test and "
                                              "build/packages_test have the rest"),
    (r"^sudo ", "changes the machine; consumers/ and build/packages_test install elsewhere"),
]

SERVER_C = "#include <stdlib.h>\nint main(void) { free(malloc(1)); return 0; }\n"


def blocks(document):
    """Yields (line number, language, text) of each fenced block."""
    start, language, lines = None, "", []
    for number, line in enumerate(document.read_text().splitlines(), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if fence and start is None:
            start, language, lines = number, fence.group(1).strip(), []
        elif fence:
            yield start, language, "\n".join(lines) + "\n"
            start = None
        else:
            lines.append(line)
    if start is not None:
        yield start, "never closed", ""


class Checker:
    def __init__(self, scratch):
        self.scratch = scratch
        self.prefix = scratch / "prefix"
        self.faults = []
        self.counts = {}
        self._install()
        self._make_folder()

    def _install(self):
        subprocess.run(["cmake", "--install", BUILD, "--prefix", self.prefix], check=True,
                       stdout=subprocess.DEVNULL)
        libraries = next(self.prefix.rglob("libcma.a")).parent
        self.environment = dict(
            os.environ, PATH=f"{self.prefix}/bin:{os.environ['PATH']}",
            PKG_CONFIG_PATH=f"{libraries}/pkgconfig", LD_LIBRARY_PATH=str(libraries),
            CMAKE_PREFIX_PATH=str(self.prefix))
        self.libraries = libraries

    def _make_folder(self):
        """The repository as its reader sees it, built, in a folder that commands may fill."""
        self.folder = self.scratch / "repository"
        (self.folder / "build").mkdir(parents=True)
        (self.folder / "third_party").mkdir()
        (self.folder / "build" / "release").symlink_to(BUILD)
        (self.folder / "third_party" / "cma").symlink_to(SOURCE)
        (self.folder / "server.c").write_text(SERVER_C)
        for entry in SOURCE.iterdir():
            if entry.name not in ("build", ".git"):
                (self.folder / entry.name).symlink_to(entry)

    def run(self, where, command, **more):
        """True if the command succeeds; else a fault."""
        result = subprocess.run(command, env=self.environment, cwd=self.folder, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=100, **more)
        if result.returncode == 0:
            return True
        shown = command if isinstance(command, str) else " ".join(map(str, command))
        self.faults.append(f"{where}: {shown}\n{result.stdout}")
        return False

    def check(self, document):
        for line, language, text in blocks(document):
            where = f"{document.relative_to(SOURCE)}:{line}"
            check = getattr(self, f"check_{language}", None)
            if check is None:
                self.faults.append(f"{where}: a block in the language '{language}'")
                continue
            self.counts[language] = self.counts.get(language, 0) + 1
            check(where, text)

    def check_man_page(self, page):
        """Its first literal display is a program in C."""
        display = re.search(r"^\.Bd -literal.*?\n(.*?)^\.Ed", page.read_text(), re.M | re.S)
        self.check_c(str(page.relative_to(SOURCE)), display.group(1).replace("\\e", "\\"))

    def check_text(self, where, text):
        pass

    def check_c(self, where, text, compiler=("cc", "-std=c11"), suffix=".c"):
        file = self.folder / f"snippet{suffix}"
        file.write_text(text)
        command = [*compiler, "-Wall", "-Wextra", "-Werror", f"-I{self.prefix}/include", file]
        if not re.search(r"^int main\(", text, re.M):
            self.run(where, [*command, "-fsyntax-only"])
        elif self.run(where, [*command, "-o", "snippet", f"-L{self.libraries}", "-lcma"]):
            self.run(where, ["./snippet"])

    def check_cpp(self, where, text):
        self.check_c(where, text, ("c++", "-std=c++20"), ".cc")

    def check_cmake(self, where, text):
        project = self.folder / "project"
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir()
        (project / "third_party").symlink_to(self.folder / "third_party")
        (project / "server.c").write_text(SERVER_C)
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(server LANGUAGES C CXX)\n"
            "add_executable(server server.c)\n" + text)
        if self.run(where, ["cmake", "-S", project, "-B", project / "build",
                            "-DCMA_BUILD_TOOL=OFF"]):
            # As a subdirectory all of cma would be built once more.
            if "find_package" in text:
                self.run(where, ["cmake", "--build", project / "build"])

    def check_make(self, where, text):
        (self.folder / "Makefile").write_text(text)
        self.run(where, ["make", "-B"])

    def check_sh(self, where, text):
        text = text.replace("\\\n", " ")
        for command in filter(None, (line.split(" #")[0].strip() for line in text.splitlines())):
            if any(re.search(pattern, command) for pattern, _ in EXCEPTIONS):
                continue
            for name, stand_in in STAND_INS.items():
                command = command.replace(name, stand_in)
            if "4711" in command:
                self._run_with_process(where, command)
            else:
                self.run(where, ["bash", "-c", command])

    def _run_with_process(self, where, command):
        """4711 is the process of a program that has cma."""
        process = subprocess.Popen(["cma", "run", "--", "bash", "-c", "echo ready; read"],
                                   env=self.environment, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        self.run(where, ["bash", "-c", command.replace("4711", str(process.pid))])
        process.communicate()


def main():
    with tempfile.TemporaryDirectory() as scratch:
        checker = Checker(pathlib.Path(scratch))
        for document in [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]:
            checker.check(document)
        checker.check_man_page(SOURCE / "docs" / "man" / "cma.3")
    for fault in checker.faults:
        print(f"documents_test: {fault}")
    print("documents_test:", ", ".join(f"{n} {kind}" for kind, n in sorted(checker.counts.items())))
    return 1 if checker.faults else 0


sys.exit(main())
