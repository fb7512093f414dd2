"""What tests of dcps sim have in common."""
import json
import os
import subprocess

import cluster


class SimulationTest(cluster.ClusterTest):
    def dcps(self, *arguments, code=0):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DCPS_")}
        done = subprocess.run([os.path.join(cluster.BIN, "dcps"), *arguments], capture_output=True, text=True, env=environment,
                              timeout=120 * cluster.PATIENCE)
        self.assertEqual(done.returncode, code, "%s\n%s%s" % (arguments, done.stdout, done.stderr))
        return done

    def run_of(self, *arguments):
        lines = self.dcps("sim", *arguments, "--json").stdout.splitlines()
        return json.loads(lines[-1])["run"]
