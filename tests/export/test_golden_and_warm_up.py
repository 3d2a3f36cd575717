"""What an export carries to be checked and warmed up with."""

import io

import numpy as np
import pytest
import tensorflow as tf
from export_model import SIGNATURES
from PIL import Image

from tfgalaxy.data.images import decode_bytes
from tfgalaxy.export.golden import golden_inputs, golden_pictures
from tfgalaxy.export.serving_messages import message_class
from tfgalaxy.export.signatures import preprocessing_of
from tfgalaxy.export.warm_up import write_warm_up


@pytest.fixture(scope="module")
def golden(exported):
    with np.load(exported[1] / "assets.extra" / "golden.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_every_signature_has_examples(golden):
    expected = {f"input/{name}" for name in ("image", "image_bytes", "seed")}
    expected |= {f"output/{name}/{output}" for name, (_, outputs) in SIGNATURES.items() for output in outputs}
    assert set(golden) == expected
    assert {len(value) for value in golden.values()} == {8}
    assert all(value.dtype == np.float32 for name, value in golden.items() if name.startswith("output/"))


def test_outputs_are_the_model_s(exported, golden):
    model, _ = exported
    images = tf.constant(golden["input/image"])
    for signature, expected in (("classify", model.classify(images)), ("embed", model.embed(images))):
        for name, value in expected.items():
            for given in (signature, f"{signature}_bytes"):
                np.testing.assert_allclose(golden[f"output/{given}/{name}"], value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_pictures_of_every_kind_which_the_images_are(exported, golden):
    contents = [bytes(content) for content in golden["input/image_bytes"]]
    pictures = [Image.open(io.BytesIO(content)) for content in contents]
    kinds = {(picture.format, picture.mode) for picture in pictures}
    assert kinds == {("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "L"), ("PNG", "RGBA")}
    assert len({picture.size for picture in pictures}) == 4
    assert any(picture.width < picture.height for picture in pictures)
    settings = preprocessing_of(exported[0])
    for content, image in zip(contents, golden["input/image"], strict=True):
        np.testing.assert_array_equal(np.round(image * 255), decode_bytes(tf.constant(content), settings))


def test_galaxies_are_those_with_the_clearest_poses(exported):
    settings = preprocessing_of(exported[0])

    def embed(images):
        # As if the last candidates were the clearest, the very last one above all.
        return {"pose_concentration": tf.range(len(images), dtype=tf.float32)[:, tf.newaxis]}

    last = golden_inputs(embed, settings)["image"]
    first = golden_inputs(lambda images: {"pose_concentration": -embed(images)["pose_concentration"]}, settings)[
        "image"
    ]
    assert not np.allclose(last, first)
    np.testing.assert_array_equal(last, golden_inputs(embed, settings)["image"])


def test_pictures_need_no_galaxies_of_one_size():
    assert len(golden_pictures(np.zeros([8, 64, 64, 3], np.uint8))) == 8
    assert len(golden_pictures(np.zeros([8, 512, 512, 3], np.uint8))) == 8


def test_warm_up_repeats_rows_and_stays_small(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def by_bytes(image_bytes):
        return {"length": tf.strings.length(image_bytes)}

    @tf.function(
        input_signature=[tf.TensorSpec([None, 4, 4, 3], tf.float32, "image"), tf.TensorSpec([None], tf.int32, "seed")]
    )
    def sample(image, seed):
        return {"sum": image[:, 0, 0, 0] + tf.cast(seed, tf.float32)}

    inputs = {"image_bytes": np.array([b"a", b"bb", b"ccc"])}
    inputs.update(image=np.full([3, 4, 4, 3], 0.25, np.float32), seed=np.arange(3, dtype=np.int32))
    signatures = {"by_bytes": by_bytes.get_concrete_function(), "sample": sample.get_concrete_function()}
    write_warm_up(tmp_path / "requests", signatures, inputs, "galaxy")
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(tmp_path / "requests"))]
    requests = [message_class("PredictionLog").FromString(record).predict_log.request for record in records]
    # The largest batch first, single rows last: the first real request mostly holds one picture.
    assert [request.model_spec.signature_name for request in requests] == ["by_bytes", "sample"] * 6
    assert {request.model_spec.name for request in requests} == {"galaxy"}
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    def arrays(request):
        return {entry.key: tf.make_ndarray(TensorProto.FromString(entry.value)) for entry in request.inputs}

    assert arrays(requests[0])["image_bytes"].tolist()[:4] == [b"a", b"bb", b"ccc", b"a"]
    assert len(arrays(requests[0])["image_bytes"]) == 64
    large = arrays(requests[1])
    np.testing.assert_array_equal(large["image"], np.full([64, 4, 4, 3], 0.25))
    np.testing.assert_array_equal(large["seed"], np.arange(64) % 3)
    assert len(records[1]) < 500
    for request in requests[2::2]:
        assert arrays(request)["image_bytes"].tolist() == [b"a"]
    assert [len(arrays(request)["seed"]) for request in requests[3::2]] == [1] * 5
