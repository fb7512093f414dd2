#!/usr/bin/env python3
"""Lints that ask other programs: tools.py CHECK [--root DIR] [--build DIR]. A check whose program lacks is skipped (exit code 77)."""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from lint import CODE, ROOMS, files

SKIPPED = 77
WARNINGS = "-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wdouble-promotion -Werror".split()
PRESETS = {"dev", "release", "asan-ubsan", "tsan", "fuzz", "coverage"}


class Missing(Exception):
    """A program that a check needs is not installed."""


def program(*names):
    for name in names:
        if shutil.which(name):
            return name
    raise Missing(names[0])


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)


def check_format(root, _build):
    """Every C file is as clang-format 14 writes it."""
    formatter = program("clang-format-14", "clang-format")
    paths = [str(path) for path in files(root, CODE)]
    result = run([formatter, "--style=file", "--dry-run", "-Werror", *paths], cwd=root)  # one start for all
    places = collections.Counter(re.findall(r"^(\S+?):\d+:\d+: error: .*clang-format-violations", result.stdout, re.MULTILINE))
    complaints = [f"{path}: run clang-format -i ({count} places)" for path, count in sorted(places.items())]
    return complaints if result.returncode == 0 or complaints else [result.stdout]


def compile_header(root, header, standard, flags):
    """Compiles a file that includes the header alone; what the compiler says, or None."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "alone.c"
        source.write_text(f'#include "{header}"\n#include "{header}"\ntypedef int not_empty;\n', encoding="utf-8")
        command = [program("cc", "gcc", "clang"), f"-std={standard}", "-fsyntax-only", *WARNINGS, *flags, str(source)]
        result = run(command, cwd=root)
    return result.stdout if result.returncode != 0 else None


def check_headers(root, build):
    """Every header compiles alone, and twice; public ones in plain C11, without GNU extensions of the library."""
    complaints = []
    for path in files(root, (".h",)):
        if path.is_relative_to("include"):
            said = compile_header(root, path.relative_to("include"), "c11", ["-pedantic", "-Iinclude"])
        elif any(path.is_relative_to(room) for room in ROOMS if room not in ("include/dcps", "cuda")):
            said = compile_header(root, path, "gnu11", ["-D_GNU_SOURCE", "-Iinclude", "-I.", "-isystem", f"{build}/proto/generated"])
        else:
            continue
        if said:
            complaints.append(f"{path}: does not compile alone:\n{said}")
    return complaints


def check_scripts(root, _build):
    """shellcheck finds nothing; scripts are executable."""
    checker = program("shellcheck")
    complaints = []
    scripts = files(root, (".sh",)) + [path for path in (pathlib.Path(".ci/run"),) if (root / path).is_file()]
    for path in scripts:
        result = run([checker, "--external-sources", str(path)], cwd=root)
        if result.returncode != 0:
            complaints.append(f"{path}:\n{result.stdout}")
        if not os.access(root / path, os.X_OK):
            complaints.append(f"{path}: is not executable")
    return complaints


def check_presets(root, _build):
    """CMakePresets.json is one that CMake takes, and has the presets that scripts and documents name."""
    result = run([program("cmake"), "--list-presets=all"], cwd=root)
    if result.returncode != 0:
        return [f"CMakePresets.json: {result.stdout}"]
    presets = json.loads((root / "CMakePresets.json").read_text(encoding="utf-8"))
    shown = {preset["name"] for preset in presets["configurePresets"] if not preset.get("hidden")}
    return [f"CMakePresets.json: no preset {name}" for name in sorted(PRESETS - shown)]


def check_symbols(_root, build):
    """Global symbols of our libraries carry our prefix, so that no program that links them can clash."""
    lister = program("nm")
    complaints = []
    libraries = [path for path in sorted((build / "lib").glob("libdcps*.a")) if not path.name.startswith("libdcps_test")]
    libraries += sorted((build / "lib").glob("libdcps.so"))
    for library in libraries:
        dynamic = ["-D"] if library.suffix == ".so" else []
        result = run([lister, "--defined-only", "--extern-only", *dynamic, str(library)])
        for name in re.findall(r"^[0-9a-f]+ [A-Z] (\S+)$", result.stdout, re.MULTILINE):
            mangled = re.match(r"_Z\w*(_GLOBAL__N_|dcps_)", name)  # nvcc gives anonymous namespaces names of their own
            if not mangled and not re.match(r"_*(dcps|protobuf_c|asan|ubsan|tsan|sanitizer|odr_asan|gcov|llvm)", name) and name not in ("_init", "_fini"):
                complaints.append(f"{library.name}: {name} does not begin with dcps_")
    return complaints if libraries else [f"{build}/lib: no libraries to look at"]


def check_rooms(_root, build):
    """A room cannot even compile an include of a room it does not use."""
    forbidden = [("base", "proto/limits.h"), ("compensate", "proto/limits.h"), ("proto", "compensate/rule.h"),
                 ("tensor", "proto/limits.h"), ("server_engine", "worker/client_core.h")]
    complaints = []
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    for room, header in forbidden:
        folder = room.replace("_", "/")
        command = next((entry["command"] for entry in commands if re.search(rf"/{folder}/[a-z_0-9]+\.c$", entry["file"])), None)
        if command is None:
            complaints.append(f"{room}: no file of it in compile_commands.json")
            continue
        flags = re.findall(r"-I\S+|-isystem \S+", command)
        with tempfile.TemporaryDirectory() as place:
            source = pathlib.Path(place) / "forbidden.c"
            source.write_text(f'#include "{header}"\n', encoding="utf-8")
            result = run([program("cc", "gcc", "clang"), "-fsyntax-only", *" ".join(flags).split(), str(source)])
        if result.returncode == 0:
            complaints.append(f"{room}: an include of {header} compiles")
    return complaints


def tidy_file(tidy, build, path):
    result = run([tidy, "-p", str(build), "--quiet", str(path)])
    said = [line for line in result.stdout.splitlines() if re.search(r": (warning|error): ", line)]
    return said if result.returncode != 0 else []


def fingerprint(root, path, shared):
    """Changes when the file, anything it might include, or the list of checks does."""
    return hashlib.sha256(shared + (root / path).read_bytes()).hexdigest()


def check_tidy(root, build):
    """clang-tidy, with the list in .clang-tidy. Files found good are remembered in the build folder until they or a header change."""
    tidy = program("clang-tidy-14", "clang-tidy")
    headers = b"".join((root / path).read_bytes() for path in files(root, (".h",)))
    shared = (root / ".clang-tidy").read_bytes() + headers
    compiled = {entry["file"] for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))}
    ours = [path for path in files(root, (".c",)) if str(root / path) in compiled and not path.is_relative_to("tests")]
    memory = build / "tidy.json"
    good = set(json.loads(memory.read_text(encoding="utf-8"))) if memory.is_file() else set()
    marks = {path: fingerprint(root, path, shared) for path in ours}
    fresh = [path for path in ours if marks[path] not in good]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        said = dict(zip(fresh, workers.map(lambda path: tidy_file(tidy, build, root / path), fresh)))
    memory.write_text(json.dumps(sorted(marks[path] for path in ours if not said.get(path))), encoding="utf-8")
    return [line for lines in said.values() for line in lines]


CHECKS = {"format": check_format, "headers": check_headers, "scripts": check_scripts, "presets": check_presets,
          "symbols": check_symbols, "rooms": check_rooms, "tidy": check_tidy}


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--root", type=pathlib.Path, default=here)
    parser.add_argument("--build", type=pathlib.Path, default=here / "build" / "dev")
    arguments = parser.parse_args()
    try:
        complaints = CHECKS[arguments.check](arguments.root, arguments.build)
    except Missing as missing:
        print(f"skipped: {missing} is not installed (deploy/install-packages.sh --tests)")
        return SKIPPED
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
