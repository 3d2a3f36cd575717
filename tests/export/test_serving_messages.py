"""Messages made at run time against TF Serving's own, which the package tensorflow-serving-api holds."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
from tensorflow_serving.config import file_system_storage_path_source_pb2, model_server_config_pb2

from tfgalaxy.export.serving_messages import FIELDS, message_class

STORAGE = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig
POLICY = STORAGE.ServableVersionPolicy
OFFICIAL = {
    "PredictionLog": prediction_log_pb2.PredictionLog,
    "PredictLog": prediction_log_pb2.PredictLog,
    "PredictRequest": predict_pb2.PredictRequest,
    "TensorEntry": predict_pb2.PredictRequest.InputsEntry,
    "ModelSpec": model_pb2.ModelSpec,
    "ModelServerConfig": model_server_config_pb2.ModelServerConfig,
    "ModelConfigList": model_server_config_pb2.ModelConfigList,
    "ModelConfig": model_server_config_pb2.ModelConfig,
    "ServableVersionPolicy": POLICY,
    "Latest": POLICY.Latest,
    "All": POLICY.All,
    "Specific": POLICY.Specific,
    "LabelEntry": model_server_config_pb2.ModelConfig.VersionLabelsEntry,
}
# Not in the package: monitoring_config.proto, session_bundle_config.proto, and the wrappers of the latter.
ABSENT = {"MonitoringConfig", "PrometheusConfig", "BatchingParameters", "Int64Value", "StringValue"}


def test_every_message_is_compared():
    assert set(OFFICIAL) | ABSENT == set(FIELDS)


@pytest.mark.core
@pytest.mark.parametrize("name", OFFICIAL)
def test_names_numbers_and_types_are_those_of_tf_serving(name):
    official = OFFICIAL[name].DESCRIPTOR.fields_by_name
    for field in message_class(name).DESCRIPTOR.fields:
        other = official[field.name]
        assert field.number == other.number
        tensor = other.message_type is not None and other.message_type.full_name == "tensorflow.TensorProto"
        assert field.type == (field.TYPE_BYTES if tensor else other.type)
        value = getattr(OFFICIAL[name](), field.name)
        repeated = hasattr(value, "__len__") and not isinstance(value, str)
        assert FIELDS[name][field.name][1].startswith("*") == repeated


def test_text_is_read_by_tf_serving():
    config = message_class("ModelServerConfig")()
    entry = config.model_config_list.config.add(name="a", base_path="/models/a", model_platform="tensorflow")
    entry.version_labels.add(key="stable", value=7)
    entry.model_version_policy.specific.versions.append(7)
    official = text_format.Parse(text_format.MessageToString(config), model_server_config_pb2.ModelServerConfig())
    (read,) = official.model_config_list.config
    assert (read.name, read.base_path, read.model_platform) == ("a", "/models/a", "tensorflow")
    assert dict(read.version_labels) == {"stable": 7}
    assert list(read.model_version_policy.specific.versions) == [7]


def test_text_of_wrapped_numbers():
    text = "max_batch_size { value: 64 } allowed_batch_sizes: 1 allowed_batch_sizes: 64"
    parameters = text_format.Parse(text, message_class("BatchingParameters")())
    assert parameters.max_batch_size.value == 64
    assert list(parameters.allowed_batch_sizes) == [1, 64]
    monitoring = text_format.Parse('prometheus_config { enable: true path: "/x" }', message_class("MonitoringConfig")())
    assert (monitoring.prometheus_config.enable, monitoring.prometheus_config.path) == (True, "/x")
    with pytest.raises(text_format.ParseError):
        text_format.Parse("max_batch_sise { value: 64 }", message_class("BatchingParameters")())
