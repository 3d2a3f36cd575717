"""The examples of docs/scaling.md: the Slurm script and the Kubernetes Job start workers whose TF_CONFIG is sound."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tfgalaxy.training.strategy import Cluster, read_cluster

yaml = pytest.importorskip("yaml")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"


def block(language):
    """The only code block of that language which starts at a line's beginning."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return found


@pytest.fixture
def commands(tmp_path):
    """Stand-ins: `tfgalaxy` shows its variable and options, `srun` starts two tasks, `scontrol` lists two hosts."""
    scripts = {
        "tfgalaxy": 'echo "$TF_CONFIG"; echo "$@" >> "$LOG"',
        "srun": 'shift; for task in 0 1; do SLURM_PROCID=$task "$@" || exit 1; done',
        "scontrol": 'if [ "$1" = show ]; then echo node7; echo node9; else echo "$@" >> "$LOG"; fi',
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(tmp_path / "log"), "DATA": "/data"}


def clusters(output):
    return [read_cluster(line) for line in output.splitlines()]


def test_the_slurm_script_starts_a_worker_on_each_node(commands):
    script = block("bash")
    assert script.startswith("#!/bin/bash\n#SBATCH ")
    environment = {**commands, "SLURM_JOB_NODELIST": "node[7,9]", "SLURM_JOB_ID": "5"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert clusters(done.stdout) == [Cluster(0, 2), Cluster(1, 2)]
    assert '"node7:12345","node9:12345"' in done.stdout
    assert "requeue" not in Path(commands["LOG"]).read_text()


def test_the_slurm_job_is_started_again_a_few_times(commands):
    failing = {**commands, "SLURM_JOB_NODELIST": "node[7,9]", "SLURM_JOB_ID": "5", "SLURM_RESTART_COUNT": "3"}
    script = "tfgalaxy() { false; }; srun() { false; };" + block("bash")
    assert subprocess.run(["bash", "-c", script], env=failing).returncode == 1
    assert not Path(commands["LOG"]).exists()
    assert subprocess.run(["bash", "-c", script], env={**failing, "SLURM_RESTART_COUNT": "2"}).returncode == 1
    assert Path(commands["LOG"]).read_text() == "requeue 5\n"


def test_the_kubernetes_job_starts_a_worker_in_each_pod(commands):
    service, job = yaml.safe_load_all(block("yaml"))
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert service["spec"]["clusterIP"] == "None"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    hosts = [
        f"{job['metadata']['name']}-{index}.{pod['subdomain']}:12345" for index in range(job["spec"]["completions"])
    ]
    output = ""
    for index in range(job["spec"]["parallelism"]):
        environment = {**commands, **variables, "JOB_COMPLETION_INDEX": str(index)}
        command = [*container["command"], *container["args"]]
        output += subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert clusters(output) == [Cluster(0, 2), Cluster(1, 2)]
    assert all(f'"{host}"' in output for host in hosts)
