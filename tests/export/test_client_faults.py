"""The client against servers that are busy, slow, broken, gone, or something else."""

import threading
import time

import pytest
import tensorflow as tf
from clients import client_of
from export_model import jpeg
from servant import Models, RefusalError, RestServer, grpc_server, rest_server

from tfgalaxy.export import ServingError

BUSY = RefusalError("UNAVAILABLE", 503, "The server is busy")


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_busy_then_well(rest, grpc, models, protocol):
    models.faults = [BUSY, BUSY]
    with client_of(rest if protocol == "rest" else grpc, protocol, retries=2) as client:
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        models.faults = [BUSY] * 3
        with pytest.raises(
            ServingError, match=r"model 'galaxy': .*(503 Service|UNAVAILABLE).*busy \(3 attempts\)\. .+"
        ):
            client.classify([jpeg(0, 50)])
    assert models.faults == []


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_what_will_not_get_better_is_not_tried_again(rest, grpc, models, protocol):
    models.faults = [RefusalError("INVALID_ARGUMENT", 400, "no such tensor"), BUSY]
    with client_of(rest if protocol == "rest" else grpc, protocol) as client:
        with pytest.raises(ServingError, match=r"no such tensor\. Check the signatures") as caught:
            client.classify([jpeg(0, 50)])
        assert caught.value.status in ("400 Bad Request", "INVALID_ARGUMENT")
        assert models.faults == [BUSY]
    for options in ({"version": 9}, {"label": "none"}, {"model": "spiral"}):
        with (
            client_of(rest if protocol == "rest" else grpc, protocol, **options) as client,
            pytest.raises(ServingError, match=r"Servable not found .* Check the model's name, version or label"),
        ):
            client.status()


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_time_out(rest, grpc, models, protocol):
    address = rest if protocol == "rest" else grpc
    models.faults = [4.0, 4.0]
    with client_of(address, protocol, timeout=2.0, retries=0) as client:
        started = time.monotonic()
        with pytest.raises(ServingError, match=r"(no answer within 2 s|Deadline).* \(1 attempts\)\. Raise timeout"):
            client.classify([jpeg(0, 50)])
        assert 1.9 < time.monotonic() - started < 3.9
        client.retries = 5
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
    assert models.faults == []


def test_a_connection_cut_in_the_answer(rest, models):
    models.faults = ["cut"]
    with client_of(rest) as client:
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        models.faults = ["cut"] * 2
        client.retries = 1
        with pytest.raises(ServingError, match=r"RemoteProtocolError.*\(2 attempts\)\. Check that the server runs"):
            client.classify([jpeg(0, 50)])


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_rest_server_that_dies_in_a_request(models, comes_back):
    models.faults = [3.0]
    server = RestServer(models)
    port, restarted = server.server_port, []

    def kill():
        time.sleep(0.3)
        server.die()
        time.sleep(0.3)
        if comes_back:
            restarted.append(RestServer(models, port))

    killer = threading.Thread(target=kill)
    with client_of(f"127.0.0.1:{port}", backoff=0.1, retries=6 if comes_back else 1) as client:
        killer.start()
        if comes_back:
            assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        else:
            with pytest.raises(ServingError, match=rf"server 127.0.0.1:{port} \(rest\).*Check that the server runs"):
                client.classify([jpeg(0, 50)])
    killer.join()
    for new in restarted:
        new.die()


def test_a_grpc_server_that_dies_in_a_request(models):
    models.faults = [3.0]
    server, port = grpc_server(models)
    restarted = []

    def kill():
        time.sleep(0.3)
        server.stop(0).wait()
        time.sleep(0.3)
        restarted.append(grpc_server(models, port)[0])

    killer = threading.Thread(target=kill)
    with client_of(f"127.0.0.1:{port}", "grpc", backoff=0.1, retries=6) as client:
        killer.start()
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        killer.join()
        restarted[0].stop(0).wait()
        client.retries = 1
        with pytest.raises(ServingError, match=r"UNAVAILABLE.*\(2 attempts\)\. Check that the server runs"):
            client.classify([jpeg(0, 50)])


def test_something_else_on_the_port(models):
    """A web page under the address, as of another service."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *arguments):
            """Says nothing."""

    page = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    with (
        client_of(f"127.0.0.1:{page.server_port}") as client,
        pytest.raises(ServingError, match=r"no 'model_version_status' in the answer: <html>hello</html>\. Check that"),
    ):
        client.status()
    page.shutdown()
    page.server_close()


def test_another_model_under_the_name(tmp_path, folder):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def classify_bytes(self, image_bytes):
            return {"score": tf.zeros(tf.shape(image_bytes)), "valid": tf.ones(tf.shape(image_bytes))}

    path = tmp_path / "other"
    module = Other()
    tf.saved_model.save(module, str(path), signatures={"classify_bytes": module.classify_bytes})
    with rest_server(Models({1: path})) as address, client_of(address) as client:
        with pytest.raises(
            ServingError, match=r"another model: its outputs lack asked_probability, .* Check the model's"
        ):
            client.predict(folder)
        with pytest.raises(
            ServingError, match=r"its outputs lack latent_mean, latent_stddev, pose, pose_concentration"
        ):
            client.predict(folder, embedding=True)
        assert client.classify([b"x", b"y"])["score"].tolist() == [0, 0]
