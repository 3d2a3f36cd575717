"""What TensorBoard is given: read back with TensorBoard's own reader."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image
from small_model import SMALL
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector import ProjectorConfig

from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.questions import load_questions
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training.clocks import clock_of, vae_clock_runs
from tfgalaxy.training.config import TrainingConfig
from tfgalaxy.training.tensorboard import TensorBoardLog, write_projector

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    made = GalaxyVAE("gz1", SMALL)
    made.compile("adam", "sgd")
    return made


def read(folder):
    events = EventAccumulator(str(folder), {"tensors": 0, "images": 0}).Reload()
    return {tag: events.Tensors(tag) for tag in events.Tags()["tensors"]}


def write_log(folder, model, has_vae=True, images=IMAGES):
    log = TensorBoardLog(folder, images, has_vae)
    log.set_model(model)
    for epoch in range(7):
        log.on_epoch_end(epoch, {"elbo": 1.5, "val_elbo": 2.5, "accuracy": 0.5, "loss": epoch})
    log.on_train_end()


@pytest.mark.core
def test_scalars_stand_under_their_clock(tmp_path, model, eagerly):
    write_log(tmp_path, model)
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    rates = {"vae_clock/learning_rate", "classifier_clock/learning_rate"}
    assert set(train) == {"vae_clock/elbo", "classifier_clock/accuracy", "both_clocks/loss", *rates}
    assert "vae_clock/elbo" in validation
    losses = [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in train["both_clocks/loss"]]
    assert losses == [(epoch, float(epoch)) for epoch in range(7)]
    rate = float(tf.make_ndarray(train["classifier_clock/learning_rate"][0].tensor_proto))
    assert rate == pytest.approx(float(model.classifier_optimizer.learning_rate))


def test_pictures_are_those_of_the_model(tmp_path, model, eagerly):
    write_log(tmp_path, model)
    pictures = read(tmp_path / "validation")
    for tag, output in (("canonical_views", "canonical_view"), ("reconstructions", "reconstruction")):
        assert [event.step for event in pictures[tag]] == [0, 5, 6]
        shown = tf.io.decode_png(tf.make_ndarray(pictures[tag][0].tensor_proto)[2]).numpy()
        expected = model.reconstruct(IMAGES[:8].astype(np.float32) / 255)[output].numpy()
        assert shown.shape == (32, 8 * 32, 3)
        np.testing.assert_allclose(shown / 255, np.concatenate(np.clip(expected, 0, 1), axis=1), atol=0.004)


def test_no_reconstructions_without_a_vae_and_no_pictures_without_images(tmp_path, model, eagerly):
    write_log(tmp_path / "a", model, has_vae=False)
    assert "reconstructions" not in read(tmp_path / "a" / "validation")
    write_log(tmp_path / "b", model, images=IMAGES[:0])
    assert set(read(tmp_path / "b" / "validation")) == {"vae_clock/elbo"}


def test_projector_holds_each_galaxy(tmp_path, model, eagerly):
    votes = np.zeros((10, 7), np.float32)
    votes[:, 1], votes[3, 0] = 5, 9
    ids = [f"galaxy\t{row}" for row in range(10)]
    galaxies = Catalogue(load_questions("gz1"), ids, [f"{row}.jpg" for row in range(10)], votes)
    path = write_projector(tmp_path, model, galaxies, IMAGES)
    config = text_format.Parse(path.read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    latent = np.loadtxt(tmp_path / embedding.tensor_path, delimiter="\t")
    expected = model.embed(IMAGES.astype(np.float32) / 255)["latent_mean"]
    np.testing.assert_allclose(latent, expected, rtol=1e-3, atol=1e-4)
    lines = (tmp_path / embedding.metadata_path).read_text().splitlines()
    assert lines[0].split("\t") == ["id", "smooth-or-featured", "disk-edge-on", "spiral-winding"]
    assert lines[4].split("\t") == ["galaxy 3", "smooth", "", ""]
    assert len(lines) == 11
    sheet = np.asarray(Image.open(tmp_path / embedding.sprite.image_path))
    assert sheet.shape == (4 * 32, 4 * 32, 3)
    np.testing.assert_array_equal(sheet[32:64, 64:96], IMAGES[6])


def test_clocks():
    assert [clock_of(name) for name in ("contrast", "log_likelihood", "seconds")] == ["vae", "classifier", "both"]
    runs = {
        ("supervised", 3): False,
        ("alternating", 0): True,
        ("two-step", 3): True,
        ("two-step", 0): False,
    }
    for (regime, epochs), expected in runs.items():
        assert vae_clock_runs(TrainingConfig(regime=regime, unlabelled_epochs=epochs)) is expected
