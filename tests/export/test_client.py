"""The client over real sockets, against the servant of this folder: same table as local predictions."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from clients import client_of
from export_model import CLASSIFY, EMBED, jpeg
from servant import images_as_rows, stacked

from tfgalaxy.errors import InputError
from tfgalaxy.export import Client, open_predictor, predict_files


@pytest.fixture(scope="module")
def local(folder, version):
    """Files, and the table of local predictions with an embedding."""
    files = [str(path) for path in sorted(folder.iterdir())] + [str(folder / "missing.jpg")]
    return files, predict_files(open_predictor(version), files, embedding=True)


def check_table(client, local, **options):
    files, expected = local
    if not options:
        expected = expected[[name for name in expected.columns if not name.startswith(("latent", "pose"))]]
    table = client.predict(files, **options)
    assert list(table.columns) == list(expected.columns)
    assert table["reason"].tolist() == expected["reason"].tolist()
    assert (table["valid"] == 0).sum() == 7
    pd.testing.assert_frame_equal(table, expected, rtol=0, atol=1e-5)


@pytest.mark.core
def test_rest_gives_the_table_of_local_predictions(rest, models, local):
    with client_of(rest) as client:
        check_table(client, local)
        check_table(client, local, embedding=True)


@pytest.mark.core
def test_grpc_gives_the_table_of_local_predictions(grpc, models, local):
    with client_of(grpc, "grpc") as client:
        check_table(client, local, embedding=True)
        assert client.status() == {1: "AVAILABLE", 2: "AVAILABLE"}


def test_a_folder_and_progress(rest, models, folder):
    calls = []
    with client_of(rest) as client:
        table = client.predict(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (15, 15)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert table["id"].tolist() == sorted(table["id"], key=lambda name: table["file"][table["id"] == name].iloc[0])
    # Broken ones that the client can tell are never sent.
    assert sum(rows for _, _, rows in models.asked) == 15 - 4


def test_both_protocols_answer_alike(rest, grpc, models):
    contents = [jpeg(seed, 50) for seed in range(3)] + [b"broken"]
    images = np.random.default_rng(0).uniform(0, 1, [3, 32, 32, 3]).astype(np.float32)
    with client_of(rest) as one, client_of(grpc, "grpc") as other:
        assert one.metadata() == other.metadata()
        assert one.status() == other.status()
        for method, names in (("classify", CLASSIFY), ("embed", EMBED)):
            for given in (contents, images):
                first, second = getattr(one, method)(given), getattr(other, method)(given)
                assert set(first) == set(second) == names
                for name in names:
                    np.testing.assert_allclose(first[name], second[name], atol=1e-6)
        np.testing.assert_array_equal(one.classify(contents)["valid"], [1, 1, 1, 0])
    assert {name for _, name, _ in models.asked} == {"classify", "classify_bytes", "embed", "embed_bytes"}


def test_metadata(rest, models):
    with client_of(rest) as client:
        found = client.metadata()
    assert found["classify_bytes"].inputs["image_bytes"].dtype == "DT_STRING"
    assert found["classify"].inputs["image"].shape == (None, 32, 32, 3)
    assert found["embed"].outputs["latent_mean"].shape == (None, 4)


def test_the_row_format_of_other_clients_says_the_same(rest, models):
    contents = [jpeg(seed, 50) for seed in range(3)]
    answer = httpx.post(f"http://{rest}/v1/models/galaxy:predict", json=images_as_rows(contents), timeout=60).json()
    with client_of(rest) as client:
        expected = client.classify(contents)
    for name, value in stacked(answer["predictions"]).items():
        np.testing.assert_array_equal(value, expected[name])


def test_versions_and_labels(rest, grpc, models):
    for options, number in (({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1), ({"label": "canary"}, 2)):
        for protocol, address in (("rest", rest), ("grpc", grpc)):
            with client_of(address, protocol, **options) as client:
                client.classify([jpeg(0, 50)])
            assert models.asked.pop() == (number, "classify_bytes", 1)


def test_threads_share_a_client(rest, models):
    contents = [jpeg(seed, 50) for seed in range(8)]
    with client_of(rest, concurrency=2) as client, ThreadPoolExecutor(8) as pool:
        alone = client.classify(contents)["fraction"]
        results = list(pool.map(lambda row: client.classify([contents[row % 8]])["fraction"][0], range(40)))
    for row, fraction in enumerate(results):
        np.testing.assert_allclose(fraction, alone[row % 8], atol=1e-5)


def test_questions_and_voters(rest, models, version, folder):
    file = [str(folder / "g0.jpg")]
    with client_of(rest, questions=None) as client, pytest.raises(InputError, match="questions must be given"):
        client.predict(file)
    with client_of(rest, questions="gz2") as client, pytest.raises(InputError, match="questions must be the model's"):
        client.predict(file)
    tables = []
    for options in ({"questions": version}, {"questions": version / "assets/questions.json", "voters": 80}):
        with client_of(rest, **options) as client:
            tables.append(client.predict(file))
    column = "smooth-or-featured_smooth_expected_votes"
    assert tables[1][column][0] == pytest.approx(2 * tables[0][column][0], rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "soap"}, "protocol must be rest or grpc, not 'soap'"),
        ({"address": "http://localhost:8501"}, "address must be host or host:port"),
        ({"address": ""}, "address must be host or host:port"),
        ({"model": "a/b"}, "model must be a name"),
        ({"version": 1, "label": "stable"}, "version and label must not both be given"),
        ({"version": 0}, "version must be at least 1, not 0"),
        ({"timeout": 0}, "timeout must be above 0"),
        ({"retries": -1}, "retries must be a whole number of at least 0, not -1"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"concurrency": 1.5}, "concurrency must be a whole number"),
        ({"backoff": 0}, "backoff must be above 0"),
        ({"voters": 0}, "voters must be above 0"),
        ({"questions": "gz9"}, "questions must be a preset"),
    ],
)
def test_arguments(options, words):
    with pytest.raises(InputError, match=words):
        Client(**options)


def test_bad_images(rest, models, tmp_path):
    with client_of(rest) as client:
        with pytest.raises(InputError, match="images must be a folder or a list of files"):
            client.predict(tmp_path / "none.jpg")
        with pytest.raises(InputError, match="images must hold at least one image"):
            client.classify([])
        with pytest.raises(InputError, match=r"none\.jpg must be a readable file"):
            client.classify([tmp_path / "none.jpg"])


def test_default_ports():
    from tfgalaxy.export.transport import Target

    assert Target("galaxies.example").host_and_port == "galaxies.example:8501"
    assert Target("[::1]", protocol="grpc").host_and_port == "[::1]:8500"
    assert Target("localhost:80").host_and_port == "localhost:80"


def test_without_the_extra(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("tensorflow_serving"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    with pytest.raises(InputError, match=r'Run pip install "tfgalaxy\[serving\]"'):
        Client(protocol="grpc")


def test_the_example_of_the_guide(rest, models, folder, version, capsys):
    guide = Path(__file__).resolve().parents[2] / "docs" / "serving.md"
    (code,) = re.findall(r"```python\n(.*?)```", guide.read_text("utf-8"), re.DOTALL)
    here = {"localhost": rest, "models/galaxy/1": version, "images/a.jpg": folder / "g0.jpg", "images/": folder}
    for name, value in here.items():
        code = code.replace(f'"{name}"', f'"{value}"')
    names: dict = {}
    exec(code, names)
    assert "AVAILABLE" in capsys.readouterr().out
    assert len(names["table"]) == 15
    assert names["answers"]["valid"] == [1]


def test_rest_needs_no_tensorflow(rest, models, folder):
    code = f"""
import sys
from tfgalaxy.export import Client, ServingError
with Client({rest!r}, questions="gz1") as client:
    table = client.predict({str(folder)!r}, embedding=True)
assert table["valid"].sum() == 9, table
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
