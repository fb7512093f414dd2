#!/usr/bin/env python3
"""Lints of the source tree that need nothing but its text: lint.py CHECK [--root DIR].

Each check is a function from the root of a tree to a list of complaints; no complaint, exit code 0. selftest.py shows that each of them
finds what it is for.
"""
import argparse
import pathlib
import re
import sys

# Which rooms a room's files may include, by the longest matching prefix of their path. "dcps" is include/dcps.
ROOMS = {
    "include/dcps": {"dcps"},
    "base": {"dcps", "base"},
    "proto": {"dcps", "base", "proto"},
    "compensate": {"dcps", "base", "compensate"},
    "tensor": {"dcps", "base", "tensor"},
    "cuda": {"dcps", "base", "compensate", "tensor", "cuda"},
    "server/engine": {"dcps", "base", "proto", "compensate", "server/engine"},
    "server/trace": {"dcps", "base", "proto", "compensate", "server/engine", "server/trace"},
    "server": {"dcps", "base", "proto", "compensate", "tensor", "cuda", "server", "server/engine", "server/trace"},
    "worker": {"dcps", "base", "proto", "compensate", "tensor", "cuda", "worker"},
    "sim": {"dcps", "base", "proto", "compensate", "tensor", "cuda", "server", "server/engine", "server/trace", "worker", "sim"},
    "cli/common": {"dcps", "base", "proto", "cli/common"},
    "cli/settings": {"dcps", "base", "proto", "server", "server/engine", "server/trace", "worker", "cli/common", "cli/settings"},
    "cli/results": {"dcps", "base", "proto", "worker", "cli/common", "cli/settings", "cli/results"},
    "cli/run": {"dcps", "base", "proto", "server", "server/engine", "server/trace", "worker", "sim", "cli/common", "cli/settings", "cli/results", "cli/run"},
    "cli/compare": {"dcps", "base", "worker", "cli/common", "cli/settings", "cli/results", "cli/run", "cli/compare"},
    "cli/bench": {"dcps", "base", "proto", "tensor", "server/engine", "worker", "cli/common", "cli/bench"},
    "cli/commands": {"dcps", "base", "cuda", "server/engine", "worker", "cli/common", "cli/settings", "cli/results", "cli/run", "cli/compare", "cli/commands"},
    "cli": {"dcps", "base", "cli/bench", "cli/commands"},
}

# Outside headers that only some places may know: pattern, places, and places within them that may not.
OUTSIDE = [
    (r"zmq.*\.h", ("proto",), ()),
    (r"protobuf-c/.*|.*\.pb-c\.h", ("proto", "tests"), ()),
    (r"uv(/.*)?\.h", ("server", "worker"), ("server/engine", "server/trace")),
    (r"(oneapi/dnnl/)?dnnl.*\.h|omp\.h", ("tensor/cpu", "tests"), ()),
    (r"cuda[^/]*\.h|cublas[^/]*\.h|cudnn[^/]*\.h|nvml\.h|nvToolsExt\.h", ("cuda", "tests"), ()),
    (r"zlib\.h", ("server", "worker/data", "tests"), ("server/engine",)),
    (r"lzma\.h", ("worker/data", "tests"), ()),
    (r"jansson\.h", ("server", "worker", "cli", "tests"), ("server/engine",)),
]

# Cores take bytes and a time, and give bytes.
CORES = re.compile(r"(server/engine|compensate)/.*|worker/client_(core|blocks|links|state)\.[ch]|proto/(wire.*|partition)\.[ch]")
NOT_IN_CORES = re.compile(r"base/queue\.h|pthread\.h|threads\.h|unistd\.h|fcntl\.h|poll\.h|time\.h|netdb\.h|dirent\.h|signal\.h"
                          r"|sys/(socket|stat|mman|time|types|random|eventfd|epoll|un|wait)\.h|(net|netinet|arpa)/.*")

# Calls nobody makes, and calls with one home: what to use instead, and where they are at home.
BANNED = {
    "strcpy": "dcps_format", "strcat": "dcps_format", "sprintf": "dcps_format", "vsprintf": "dcps_format", "gets": "fgets",
    "stpcpy": "dcps_format", "atoi": "dcps_parse_integer", "atol": "dcps_parse_integer", "atoll": "dcps_parse_integer",
    "atof": "dcps_parse_real", "system": "posix_spawn", "popen": "posix_spawn", "alloca": "an arena", "rand": "dcps_rng_next",
    "srand": "dcps_rng_seed", "tmpnam": "mkstemp", "mktemp": "mkstemp",
}
ALLOCATION = ("malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "posix_memalign", "strdup", "strndup", "asprintf",
              "vasprintf")
CLOCKS = ("dcps_clock_ns", "dcps_random_token", "clock_gettime", "gettimeofday")
ENDING = ("exit", "quick_exit", "abort")

WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b(?i:placeholder|for now|not implemented|not yet implemented|simplified version)\b"
                   r"|(?<![\w.])/(home|root|work)/\w")  # a folder that others do not have

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70

CODE = (".c", ".h", ".cu", ".cuh", ".cpp")
TEXT = CODE + (".py", ".sh", ".cmake", ".md", ".txt", ".json", ".proto", ".in")
SKIPPED_FOLDERS = {".git", "build", "runs", ".cache", "__pycache__"}


def files(root, endings):
    """Paths below root, relative to it, in order."""
    found = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and path.suffix in endings and not SKIPPED_FOLDERS.intersection(relative.parts):
            found.append(relative)
    return found


def read(root, path):
    return (root / path).read_text(encoding="utf-8", errors="surrogateescape")


def is_in(path, places):
    """Whether a path lies in one of the folders."""
    return any(path.as_posix().startswith(place + "/") for place in places)


def is_core(path):
    return CORES.fullmatch(path.as_posix()) is not None


def room_of(path, rooms):
    """The longest of `rooms` that the path lies in, or None."""
    text = path.as_posix() if isinstance(path, pathlib.PurePath) else path
    matching = [room for room in rooms if text.startswith(room + "/")]
    return max(matching, key=len, default=None)


def without_comments_and_texts(code):
    """The code with comments and the contents of literals blanked out; lines keep their numbers."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)


def includes_of(code):
    """(line number, "quoted" or "system", name) of each include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]*)"|<([^>\n]*)>)', code, re.MULTILINE):
        line = code.count("\n", 0, match.start()) + 1
        yield (line, "quoted", match.group(1)) if match.group(1) is not None else (line, "system", match.group(2))


def complain_of_include(path, kind, name):
    """What is wrong with this include in this file, or None."""
    if ".." in name.split("/"):
        return f'"{name}": includes begin with the name of a room, not with ..'
    for pattern, places, except_places in OUTSIDE:
        if re.fullmatch(pattern, name) and (not is_in(path, places) or is_in(path, except_places)):
            return f"<{name}> is known only to {', '.join(places)}" + (f" and not to {', '.join(except_places)}" if except_places else "")
    if is_in(path, ("examples",)) and kind == "quoted" and "/" in name:
        return f'"{name}": examples see <dcps/…> and system headers only'
    if is_core(path) and NOT_IN_CORES.fullmatch(name):
        return f"{name}: a core has no clock, thread, file or socket"
    room = room_of(path, ROOMS)
    used = room_of(name, set(ROOMS) - {"include/dcps"} | {"dcps"})
    if used is None and kind == "quoted" and room is not None and "/" not in name and not name.endswith(".pb-c.h"):
        return f'"{name}": includes begin with the name of a room'
    if is_in(path, ("examples",)) and used not in (None, "dcps"):
        return f"{name}: examples see <dcps/…> and system headers only"
    if room is not None and used is not None and used not in ROOMS[room]:
        return f"{name}: {room} must not know {used}"
    return None


def check_includes(root):
    complaints = []
    for path in files(root, CODE):
        for line, kind, name in includes_of(read(root, path)):
            complaint = complain_of_include(path, kind, name)
            if complaint:
                complaints.append(f"{path}:{line}: {complaint}")
    return complaints


def complain_of_call(path, name):
    if name in BANNED:
        return f"{name} is banned: use {BANNED[name]}"
    ours = not is_in(path, ("tests", "examples"))
    if name in ALLOCATION and ours and path.as_posix() != "base/alloc.c":
        return f"{name} outside base/alloc.c: use base/alloc.h, which tests can make fail"
    if name in CLOCKS and is_core(path):
        return f"{name} in a core: the time and random numbers are handed in"
    if name in ENDING and ours and path.name != "main.c":
        return f"{name} outside main.c: return a status"
    return None


def check_banned(root):
    complaints = []
    for path in files(root, CODE):
        code = without_comments_and_texts(read(root, path))
        for match in re.finditer(r"(?<![\w.>])([a-z_]\w*)[ \t]*\(", code):
            complaint = complain_of_call(path, match.group(1))
            if complaint:
                line = code.count("\n", 0, match.start()) + 1
                complaints.append(f"{path}:{line}: {complaint}")
    return complaints


def check_sizes(root):
    complaints = []
    for path in files(root, TEXT):
        lines = read(root, path).split("\n")
        written = path.suffix != ".md" and not is_in(path, ("docs/results",))  # by a person, and read in one go
        if written and len(lines) > MAX_FILE_LINES + 1:
            complaints.append(f"{path}: {len(lines) - 1} lines, more than {MAX_FILE_LINES}: split it by what it does")
        if path.suffix not in CODE:
            continue
        begin = None
        for number, line in enumerate(lines, 1):  # clang-format puts braces of functions, and of nothing else, at the margin
            if line == "{":
                begin = number
            elif line == "}" and begin is not None:
                if number - begin - 1 > MAX_FUNCTION_LINES:
                    complaints.append(f"{path}:{begin}: a function of {number - begin - 1} lines, more than {MAX_FUNCTION_LINES}")
                begin = None
    return complaints


def check_words(root):
    complaints = []
    for path in files(root, TEXT):
        if is_in(path, ("tests/lint",)):
            continue
        for number, line in enumerate(read(root, path).split("\n"), 1):
            match = WORDS.search(line)
            if match:
                complaints.append(f'{path}:{number}: "{match.group()}": say what is, or finish it')
    return complaints


CHECKS = {"includes": check_includes, "banned": check_banned, "sizes": check_sizes, "words": check_words}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    arguments = parser.parse_args()
    complaints = CHECKS[arguments.check](arguments.root)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
