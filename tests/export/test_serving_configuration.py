"""BASE/serving/: written where missing, read by TF Serving's own messages, never over an operator's edits."""

import warnings
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfgalaxy.errors import InputError
from tfgalaxy.export.serving_configuration import add_version, check_model_name, write_serving_configuration
from tfgalaxy.export.serving_messages import message_class


@pytest.fixture
def base(tmp_path):
    (tmp_path / "galaxy").mkdir()
    write_serving_configuration(tmp_path / "galaxy", 1)
    return tmp_path


def models(path):
    """Entries by name, as TF Serving's own message reads them."""
    config = text_format.Parse(path.read_text(), ModelServerConfig())
    return {entry.name: entry for entry in config.model_config_list.config}


def state(entry):
    return list(entry.model_version_policy.specific.versions), dict(entry.version_labels)


def test_the_first_version_is_stable_and_canary(base):
    entry = models(base / "serving/models.config")["galaxy"]
    assert (entry.base_path, entry.model_platform) == ("/models/galaxy", "tensorflow")
    assert state(entry) == ([1], {"stable": 1, "canary": 1})


def test_later_versions_become_the_canary_and_never_the_stable_one(base):
    path = base / "serving/models.config"
    write_serving_configuration(base / "galaxy", 2)
    assert state(models(path)["galaxy"]) == ([1, 2], {"stable": 1, "canary": 2})
    write_serving_configuration(base / "galaxy", 5)
    assert state(models(path)["galaxy"]) == ([1, 5], {"stable": 1, "canary": 5})
    # The operator promotes by hand, and the next export respects it.
    path.write_text(path.read_text().replace('"stable"\n      value: 1', '"stable"\n      value: 5'))
    assert state(models(path)["galaxy"]) == ([1, 5], {"stable": 5, "canary": 5})
    write_serving_configuration(base / "galaxy", 6)
    assert state(models(path)["galaxy"]) == ([1, 5, 6], {"stable": 5, "canary": 6})


def test_a_second_model_gets_an_entry_beside_the_first(base):
    before = (base / "serving/docker-compose.yml").read_text()
    write_serving_configuration(base / "spirals", 4)
    entries = models(base / "serving/models.config")
    assert state(entries["galaxy"]) == ([1], {"stable": 1, "canary": 1})
    assert state(entries["spirals"]) == ([4], {"stable": 4, "canary": 4})
    assert (base / "serving/docker-compose.yml").read_text() == before


@pytest.mark.parametrize("policy", ["latest { num_versions: 3 }", "all { }"])
def test_a_policy_that_lists_no_versions_is_kept(policy):
    text = f'model_config_list {{ config {{ name: "a" model_version_policy {{ {policy} }} }} }}'
    config = text_format.Parse(text, message_class("ModelServerConfig")())
    add_version(config, "a", 9)
    read = text_format.Parse(text_format.MessageToString(config), ModelServerConfig()).model_config_list.config[0]
    kept = text_format.Parse(text, ModelServerConfig()).model_config_list.config[0]
    assert read.model_version_policy == kept.model_version_policy
    assert dict(read.version_labels) == {"canary": 9}


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "# ask Ada before changing this\n",
        lambda text: text.replace('name: "galaxy"', 'name: "galaxy"\n    logging_config { }'),
        lambda text: text.replace("# Written by tfgalaxy.", "# Ours now."),
        lambda text: text + "model_config_list {",
    ],
    ids=["comment", "other setting", "header", "broken"],
)
def test_what_would_be_lost_is_left_alone(base, edit):
    path = base / "serving/models.config"
    path.write_text(edit(path.read_text()))
    before = path.read_text()
    with pytest.warns(UserWarning, match=r"models.config has settings of its own and was not changed; see .*\.new"):
        write_serving_configuration(base / "galaxy", 2)
    assert path.read_text() == before
    assert state(models(base / "serving/models.config.new")["galaxy"])[1]["canary"] == 2


def test_edited_files_are_kept_and_missing_ones_written(base):
    folder = base / "serving"
    (folder / "batching.config").write_text("max_batch_size { value: 8 }\n")
    (folder / "README.md").write_text("ours\n")
    (folder / "monitoring.config").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_serving_configuration(base / "galaxy", 2)
    assert (folder / "batching.config").read_text() == "max_batch_size { value: 8 }\n"
    assert (folder / "README.md").read_text() == "ours\n"
    assert (folder / "monitoring.config").is_file()


def test_batching_and_monitoring(base):
    text = (base / "serving/batching.config").read_text()
    batching = text_format.Parse(text, message_class("BatchingParameters")())
    assert batching.max_batch_size.value == 64
    assert batching.batch_timeout_micros.value == 0
    text = (base / "serving/monitoring.config").read_text()
    monitoring = text_format.Parse(text, message_class("MonitoringConfig")()).prometheus_config
    assert monitoring.enable
    compose = (base / "serving/docker-compose.yml").read_text()
    service = yaml.safe_load(compose)["services"]["serving"]
    assert float(service["deploy"]["resources"]["limits"]["cpus"]) == batching.num_batch_threads.value


def test_compose_file(base):
    service = yaml.safe_load((base / "serving/docker-compose.yml").read_text())["services"]["serving"]
    assert service["image"].startswith("tensorflow/serving:")
    assert service["volumes"] == ["..:/models:ro"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    flags = dict(flag.removeprefix("--").split("=") for flag in service["command"])
    for name in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        assert (base / Path(flags[name]).relative_to("/models")).is_file(), name
    assert flags["allow_version_labels_for_unavailable_models"] == "true"
    *start, probe = service["healthcheck"]["test"]
    assert start == ["CMD", "bash", "-c"]
    assert "GET /v1/models/galaxy HTTP/1.0\\r\\n\\r\\n" in probe


def test_health_check_tells_a_model_that_answers(base):
    """The probe itself, run against a socket that answers as TF Serving does."""
    import http.server
    import subprocess
    import threading

    states = iter(["LOADING", "AVAILABLE"])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f'{{"model_version_status": [{{"version": "1", "state": "{next(states)}"}}]}}'
            self.send_response(200 if self.path == "/v1/models/galaxy" else 404)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    probe = yaml.safe_load((base / "serving/docker-compose.yml").read_text())["services"]["serving"]["healthcheck"][
        "test"
    ]
    command = [part.replace("8501", str(server.server_port)) for part in probe[1:]]
    codes = [subprocess.run(command, capture_output=True, check=False).returncode for _ in range(2)]
    server.shutdown()
    server.server_close()
    dead = subprocess.run(command, capture_output=True, check=False).returncode
    assert codes[0] != 0
    assert codes[1] == 0
    assert dead != 0


def test_readme_calls_name_the_model_and_leave_nothing_open(base):
    text = (base / "serving/README.md").read_text()
    for call in (
        "http://localhost:8501/v1/models/galaxy:predict",
        "http://localhost:8501/v1/models/galaxy/labels/canary:predict",
        "http://localhost:8501/v1/models/galaxy/versions/1:predict",
        "\"$(base64 < galaxy.jpg | tr -d '\\n')\"",
        'request.model_spec.name = "galaxy"',
    ):
        assert call in text
    code = text.split("    pip install tensorflow-serving-api\n")[1].split("\nOr ")[0]
    compile("\n".join(line.removeprefix("    ") for line in code.splitlines()), "README", "exec")


@pytest.mark.parametrize("name", ["my galaxies", "serving", "galaxie\u00e9", "a;b"])
def test_names_that_cannot_be_served(tmp_path, name):
    with pytest.raises(InputError, match=r"output must end in a name of letters, digits"):
        check_model_name(tmp_path / name)
    assert check_model_name(tmp_path / "gz2-v1.0_b") == "gz2-v1.0_b"
