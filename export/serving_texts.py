"""Texts of the files in BASE/serving/ that an operator starts from; `$name` and the like are filled in."""

from __future__ import annotations

__all__ = ["BATCHING", "COMPOSE", "MODELS_HEADER", "MONITORING", "README"]

MODELS_HEADER = """\
# Written by tfgalaxy. An export adds its version here as 'canary', in place of the canary before it; 'stable' is moved
# by you alone. A file with other comments or settings than these is left as it is: the export then writes
# models.config.new beside it.
"""

BATCHING = """\
# Requests that arrive together run as one batch. Threads are the server's cores (docker-compose.yml: cpus). With many
# small requests at a time try a time-out of 1000 to 10000 microseconds: more throughput for as much more waiting.
max_batch_size { value: $largest_batch }
batch_timeout_micros { value: 0 }
num_batch_threads { value: $cpus }
max_enqueued_batches { value: 100 }
"""

MONITORING = """\
# Read by Prometheus at http://HOST:8501/monitoring/prometheus/metrics
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

COMPOSE = """\
# docker compose -f serving/docker-compose.yml up --detach
services:
  serving:
    image: tensorflow/serving:$tag
    restart: unless-stopped
    ports:
      - "8500:8500" # gRPC
      - "8501:8501" # REST and monitoring
    volumes:
      - ..:/models:ro
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
    environment:
      TF_CPP_MIN_LOG_LEVEL: "1"
    command:
      - --model_config_file=/models/serving/models.config
      - --model_config_file_poll_wait_seconds=30
      - --allow_version_labels_for_unavailable_models=true
      - --enable_batching=true
      - --batching_parameters_file=/models/serving/batching.config
      - --monitoring_config_file=/models/serving/monitoring.config
      - --tensorflow_intra_op_parallelism=1
      - --tensorflow_inter_op_parallelism=$cpus
      - --rest_api_timeout_in_ms=30000
    healthcheck:
      # The image has neither curl nor wget. AVAILABLE is the state of a version that answers.
      test:
        - CMD
        - bash
        - -c
        - >-
          exec 3<>/dev/tcp/127.0.0.1/8501
          && printf 'GET /v1/models/$name HTTP/1.0\\r\\n\\r\\n' >&3
          && grep -q AVAILABLE <&3
      interval: 10s
      timeout: 5s
      retries: 3
      start_period: 60s
    deploy:
      resources:
        limits:
          cpus: "$cpus"
          memory: 2g
"""

README = """\
# Serving `$name` with TensorFlow Serving

    docker compose -f serving/docker-compose.yml up --detach

in the folder that holds `$name/` and `serving/`. REST answers on port 8501, gRPC on 8500. The files here were written
by `tfgalaxy export` and are yours to change: an export writes those that are missing and adds its version to
`models.config`; it changes nothing else.

## REST

The state of the versions, and what the signatures take and give:

    curl http://localhost:8501/v1/models/$name
    curl http://localhost:8501/v1/models/$name/metadata

The votes for a picture (JPEG or PNG); the field `b64` says that the bytes are base64:

    printf '{"instances": [{"b64": "%s"}]}' "$$(base64 < galaxy.jpg | tr -d '\\n')" |
      curl --data @- http://localhost:8501/v1/models/$name:predict

The canary, a version by its number, and another signature:

    curl --data @request.json http://localhost:8501/v1/models/$name/labels/canary:predict
    curl --data @request.json http://localhost:8501/v1/models/$name/versions/$version:predict
    printf '{"signature_name": "embed_bytes", "instances": [{"b64": "%s"}]}' "$$(base64 < galaxy.jpg | tr -d '\\n')" |
      curl --data @- http://localhost:8501/v1/models/$name:predict

The answer is `{"predictions": [{"valid": 1.0, "fraction": [...], "fraction_lower": [...], ...}]}`, one entry for each
picture in order. `fraction` follows the lines of `$name/$version/assets/labels.txt`. `"valid": 0.0` means that the
bytes are no whole JPEG or PNG of at most 64 megapixels; the other numbers of that row then say what is known of a
galaxy that nobody has seen (mean fractions, intervals from 0 to 1), and the other rows are as they would be alone.

## gRPC

    pip install tensorflow-serving-api

    import grpc, tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "$name"
    request.model_spec.version_label = "stable"  # or .version.value = $version, or neither: the newest
    request.model_spec.signature_name = "classify_bytes"
    pictures = [open("galaxy.jpg", "rb").read()]
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(pictures, shape=[len(pictures)]))
    channel = grpc.insecure_channel("localhost:8500")
    response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=10)
    print(tf.make_ndarray(response.outputs["fraction"]))

Or `tfgalaxy.export.Client`, which speaks both, in batches, with retries.

## Canary and rollback

`models.config` lists the versions that are loaded and gives two labels. The server reads it every 30 seconds.

- **Canary.** `tfgalaxy export` adds its version as `canary`. Send a share of the requests to `/labels/canary`, the
  others to `/labels/stable`.
- **Promote.** Set the value of `stable` to the canary's version. Leave the old version listed until all is well.
- **Rollback.** Set `stable` back. It takes effect within 30 seconds, without a restart.
- **Check first.** `tfgalaxy verify $name/$version` answers before the server does.
"""
