#!/usr/bin/env python3
"""Shows that each lint passes a clean tree and finds the one fault planted in it."""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

import lint
import tools

CLEAN = {
    "include/dcps/thing.h": "#ifndef A\n#define A\n#include <stddef.h>\nsize_t dcps_thing(void);\n#endif\n",
    "base/thing.h": '#ifndef B\n#define B\n#include "dcps/thing.h"\n#endif\n',
    "base/thing.c": '#include "base/thing.h"\n\nsize_t dcps_thing(void)\n{\n    return 1; /* not atoi(x) */\n}\n',
    "base/alloc.c": "#include <stdlib.h>\n\nvoid *dcps_alloc(void)\n{\n    return malloc(1);\n}\n",
    "proto/socket.c": '#include <zmq.h>\n\n#include "base/thing.h"\n#include "wire.pb-c.h"\n',
    "server/engine/core.c": '#include "proto/socket.h"\n#include "server/engine/core.h"\n',
    "server/daemon.c": '#include <jansson.h>\n#include <pthread.h>\n#include <uv.h>\n\n#include "server/engine/core.h"\n',
    "worker/client_shell_io.c": "#include <pthread.h>\n",
    "tensor/cpu/matmul.c": "#include <dnnl.h>\n",
    "cli/main.c": "#include <stdlib.h>\n\nint main(void)\n{\n    exit(0);\n}\n",
    "examples/custom/custom.c": "#include <dcps/thing.h>\n#include <stdlib.h>\n\nvoid f(void *p)\n{\n    free(p);\n}\n",
    "tests/unit/test_thing.c": "#include <stdlib.h>\n#include <zlib.h>\n\n#include \"support/x.h\"\n#include \"worker/a.h\"\n",
    "deploy/do.sh": "#!/bin/sh\nset -eu\necho good\n",
}

# check, file planted or replaced, its text, what the complaint must say.
FAULTS = [
    ("includes", "base/bad.c", '#include "proto/limits.h"\n', "base must not know proto"),
    ("includes", "include/dcps/bad.h", '#include "base/alloc.h"\n', "include/dcps must not know base"),
    ("includes", "proto/bad.c", '#include "compensate/rule.h"\n', "proto must not know compensate"),
    ("includes", "compensate/bad.c", '#include "tensor/tape.h"\n', "compensate must not know tensor"),
    ("includes", "tensor/bad.c", '#include <proto/limits.h>\n', "tensor must not know proto"),
    ("includes", "server/bad.c", '#include "worker/client_core.h"\n', "server must not know worker"),
    ("includes", "server/engine/bad.c", '#include "server/daemon.h"\n', "server/engine must not know server"),
    ("includes", "worker/bad.c", '#include "server/engine/shard.h"\n', "worker must not know server/engine"),
    ("includes", "server/engine/bad.c", '  #  include "../daemon.h"\n', "not with .."),
    ("includes", "cli/bad.c", '#include "cli/../base/alloc.h"\n', "not with .."),
    ("includes", "cli/bad.c", '#include "table.h"\n', "begin with the name of a room"),
    ("includes", "server/bad.c", "#include <zmq.h>\n", "known only to proto"),
    ("includes", "worker/bad.c", "#include <protobuf-c/protobuf-c.h>\n", "known only to proto"),
    ("includes", "cli/bad.c", "#include <uv.h>\n", "known only to server, worker"),
    ("includes", "server/engine/bad.c", "#include <uv.h>\n", "not to server/engine"),
    ("includes", "tensor/bad.c", "#include <oneapi/dnnl/dnnl.h>\n", "known only to tensor/cpu"),
    ("includes", "tensor/bad.c", "#include <cuda_runtime.h>\n", "known only to cuda"),
    ("includes", "tensor/bad.c", "#include <cublas_v2.h>\n", "known only to cuda"),
    ("includes", "server/engine/bad.c", "#include <jansson.h>\n", "known only to server"),
    ("includes", "base/bad.c", "#include <jansson.h>\n", "known only to server"),
    ("includes", "worker/bad.c", "#include <zlib.h>\n", "known only to server, worker/data"),
    ("includes", "examples/mlp/bad.c", '#include "base/alloc.h"\n', "examples see <dcps/"),
    ("includes", "examples/mlp/bad.c", "#include <tensor/tape.h>\n", "examples see <dcps/"),
    ("includes", "server/engine/bad.c", "#include <pthread.h>\n", "a core has no clock"),
    ("includes", "compensate/bad.c", "#include <unistd.h>\n", "a core has no clock"),
    ("includes", "worker/client_core.c", '#include "base/queue.h"\n', "a core has no clock"),
    ("banned", "worker/client_core.c", "\nvoid f(void)\n{\n    t = dcps_clock_ns();\n}\n", "client_core.c:4: dcps_clock_ns in a core"),
    ("banned", "base/bad.c", "int f(char *a)\n{\n    return atoi (a);\n}\n", "bad.c:3: atoi is banned: use dcps_parse_integer"),
    ("banned", "cli/bad.c", "void f(char *a)\n{\n    strcpy(a, a);\n}\n", "strcpy is banned"),
    ("banned", "cli/bad.c", 'void f(char *a)\n{\n    sprintf(a, "x");\n}\n', "sprintf is banned"),
    ("banned", "tests/unit/bad.c", 'int f(void)\n{\n    return system("rm");\n}\n', "system is banned"),
    ("banned", "tensor/bad.c", "void *f(void)\n{\n    return alloca(3);\n}\n", "alloca is banned"),
    ("banned", "server/bad.c", "void *f(void)\n{\n    return malloc(3);\n}\n", "malloc outside base/alloc.c"),
    ("banned", "server/bad.c", "void f(void *p)\n{\n    free(p);\n}\n", "free outside base/alloc.c"),
    ("banned", "base/bad.c", "void f(void)\n{\n    exit(1);\n}\n", "exit outside main.c"),
    ("banned", "base/bad.c", "void f(void)\n{\n    abort();\n}\n", "abort outside main.c"),
    ("sizes", "base/bad.c", "int x;\n" * 601, "601 lines, more than 600"),
    ("sizes", "base/bad.c", "void f(void)\n{\n" + "    g();\n" * 71 + "}\n", "a function of 71 lines, more than 70"),
    ("words", "base/bad.c", "/* TODO: the rest */\n", '"TODO"'),
    ("words", "docs/bad.md", "This is not implemented.\n", '"not implemented"'),
    ("words", "deploy/bad.sh", "# a Placeholder\n", '"Placeholder"'),
    ("format", "base/bad.c", "int  x ;\n", "run clang-format"),
    ("headers", "base/bad.h", "size_t f(void);\n", "does not compile alone"),
    ("headers", "include/dcps/bad.h", "#include <stdlib.h>\nextern int strnlen_s_x(pid_t p);\n", "does not compile alone"),
    ("headers", "proto/bad.h", "enum dcps_a { DCPS_A };\n", "does not compile alone"),  # no guard
    ("scripts", "deploy/do.sh", "#!/bin/sh\nrm $1/*\n", "deploy/do.sh"),
    ("presets", "CMakePresets.json", "{", "CMakePresets.json"),
    ("presets", "CMakePresets.json", '{"version": 6, "configurePresets": [{"name": "dev", "generator": "Ninja", "binaryDir": "b"}]}',
     "no preset tsan"),
]

ROOT = pathlib.Path(__file__).resolve().parents[2]


def complaints_of(check, root):
    if check in lint.CHECKS:
        return lint.CHECKS[check](root)
    return tools.CHECKS[check](root, root / "build")


class Lints(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        for path, text in CLEAN.items():
            self.plant(path, text)
        for path in (".clang-format", "CMakePresets.json"):
            shutil.copy(ROOT / path, self.root / path)

    def plant(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")
        if path.endswith(".sh"):
            (self.root / path).chmod(0o755)

    def try_check(self, check):
        try:
            return complaints_of(check, self.root)
        except tools.Missing as missing:
            return self.skipTest(f"{missing} is not installed")

    def test_clean_tree_passes(self):
        for check in sorted({fault[0] for fault in FAULTS}):
            with self.subTest(check=check):
                self.assertEqual(self.try_check(check), [])

    def test_scripts_must_be_executable(self):
        (self.root / "deploy/do.sh").chmod(0o644)
        self.assertIn("deploy/do.sh: is not executable", self.try_check("scripts"))

    def compile_library(self, code):
        self.plant("build/thing.c", code)
        (self.root / "build/lib").mkdir()
        compiled = tools.run(["cc", "-c", "thing.c", "-o", "thing.o"], cwd=self.root / "build")
        archived = tools.run(["ar", "rcs", "lib/libdcps_thing.a", "thing.o"], cwd=self.root / "build")
        self.assertEqual((compiled.returncode, archived.returncode), (0, 0))

    def test_symbols_with_our_prefix_pass(self):
        self.compile_library("int dcps_thing;\nstatic int hidden(void)\n{\n    return dcps_thing;\n}\nint dcps_f(void)\n{\n    return hidden();\n}\n")
        self.assertEqual(self.try_check("symbols"), [])

    def test_symbols_without_our_prefix_are_found(self):
        self.compile_library("int thing;\nvoid helper(void)\n{\n}\n")
        self.assertEqual(len(self.try_check("symbols")), 2)

    def test_no_libraries_at_all_are_a_fault(self):
        self.assertEqual(len(self.try_check("symbols")), 1)

    def test_tidy_finds_and_forgets_nothing(self):
        shutil.copy(ROOT / ".clang-tidy", self.root / ".clang-tidy")
        command = {"directory": str(self.root), "file": f"{self.root}/base/bad.c", "command": "cc -c base/bad.c"}
        self.plant("build/compile_commands.json", json.dumps([command]))
        self.plant("base/bad.c", "int dcps_f(int a);\nint dcps_f(int a)\n{\n    return a;\n}\n")
        self.assertEqual(self.try_check("tidy"), [])
        self.plant("base/bad.c", "int dcps_f(int a);\nint dcps_f(int b)\n{\n    return b == b;\n}\n")
        for _ in range(2):  # a fault stays one
            complaints = self.try_check("tidy")
            self.assertEqual(len(complaints), 2, complaints)
            self.assertTrue(any("misc-redundant-expression" in complaint for complaint in complaints), complaints)

    def plant_commands(self, flags_of):
        for room in ("base", "proto", "compensate", "tensor", "server/engine", "worker"):
            self.plant(f"rooms/{room}/{room}/limits.h", "")
        self.plant("rooms/proto/proto/limits.h", "")
        self.plant("rooms/compensate/compensate/rule.h", "")
        self.plant("rooms/worker/worker/client_core.h", "")
        commands = [{"directory": str(self.root), "file": f"{self.root}/{room}/thing.c", "command": f"cc {flags_of(room)} -c thing.c"}
                    for room in ("base", "compensate", "proto", "tensor", "server/engine")]
        self.plant("build/compile_commands.json", json.dumps(commands))

    def test_rooms_that_see_only_themselves_pass(self):
        self.plant_commands(lambda room: f"-I{self.root}/rooms/{room}")
        self.assertEqual(self.try_check("rooms"), [])

    def test_rooms_that_see_others_are_found(self):
        self.plant_commands(lambda room: f"-I{self.root}/rooms/{room} -I{self.root}/rooms/proto -I{self.root}/rooms/compensate")
        complaints = self.try_check("rooms")
        self.assertEqual([complaint.split(":")[0] for complaint in complaints], ["base", "compensate", "proto", "tensor"])


def make_fault_test(check, path, text, expected):
    def test(self):
        self.plant(path, text)
        complaints = self.try_check(check)
        self.assertTrue(any(expected in complaint for complaint in complaints), f"{complaints} lack {expected!r}")
        self.assertTrue(all(path in complaint for complaint in complaints), f"{complaints} blame others than {path}")
    return test


for index, fault in enumerate(FAULTS):
    setattr(Lints, f"test_fault_{index:02}_{fault[0]}", make_fault_test(*fault))

if __name__ == "__main__":
    sys.exit(unittest.main())
