"""The TFDS builders on tiny fake archives: what they hold, what they refuse, and that `fit` takes them."""

import hashlib
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tfgalaxy.data.galaxy_zoo2 import galaxy_zoo2_dataset_builder
from tfgalaxy.data.galaxy_zoo_challenge import galaxy_zoo_challenge_dataset_builder
from tfgalaxy.data.images import read_image
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import load_questions
from tfgalaxy.data.simulated_galaxies import simulated_galaxies_dataset_builder
from tfgalaxy.data.simulated_galaxies.simulated_galaxies_dataset_builder import SimulatedGalaxiesConfig
from tfgalaxy.data.simulation import SimulationConfig, simulate_arrays
from tfgalaxy.data.tfds_pipeline import tfds_batches
from tfgalaxy.errors import InputError

BYTES = {"image": tfds.decode.SkipDecoding()}
SMALL = Preprocessing(image_size=16)


@pytest.fixture(scope="module")
def galaxies():
    """Images [8, 40, 40, 3] and votes [8, 37] of simulated galaxies."""
    return simulate_arrays(8, seed=1, image_size=40)[:2]


def write_images(folder, names, images):
    folder.mkdir(parents=True)
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(folder / f"{name}.jpg", quality=95)


def conditional_to_cumulative(votes):
    """Fractions as Kaggle holds them, by the factors written on its decision-tree page."""
    questions = load_questions("gz2")
    f = {}
    for question, answers in zip(questions.questions, questions.slices, strict=True):
        f[int(question.name[1:3])] = votes[answers] / max(votes[answers].sum(), 1)
    c = {1: f[1]}
    c[7], c[2] = f[7] * c[1][0], f[2] * c[1][1]
    for number in (3, 4, 5):
        c[number] = f[number] * c[2][1]
    c[9] = f[9] * c[2][0]
    c[10], c[11] = f[10] * c[4][0], f[11] * c[4][0]
    c[6] = f[6]
    c[8] = f[8] * c[6][0]
    return {f"Class{n}.{a + 1}": float(c[n][a]) for n in range(1, 12) for a in range(len(c[n]))}


@pytest.fixture
def kaggle(tmp_path, galaxies):
    images, votes = galaxies
    names = [100008 + 11 * row for row in range(6)]
    rows = [{"GalaxyID": name, **conditional_to_cumulative(votes[row])} for row, name in enumerate(names)]
    manual = tmp_path / "manual"
    write_images(manual / "images_training_rev1", names, images[:6])
    write_images(manual / "images_test_rev1", [200001, 200002], images[6:])
    pd.DataFrame(rows).to_csv(manual / "training_solutions_rev1.csv", index=False)
    return manual


@pytest.fixture
def hart(tmp_path, galaxies):
    images, votes = galaxies
    ids = [f"5877229817413632{row:02d}" for row in range(6)]
    assets = [16 + 7 * row for row in range(6)]
    labels = load_questions("gz2").answer_labels
    table = pd.DataFrame({"dr7objid": ids, "sample": "original"})
    table = table.assign(**{f"{name}_count": votes[:6, k].astype(int) for k, name in enumerate(labels)})
    table["total_classifications"] = 40
    mapping = pd.DataFrame({"objid": ids, "sample": "original", "asset_id": assets})
    # Another sample's image of the first galaxy, listed first, and a row whose image nobody has.
    other = pd.DataFrame({"objid": [ids[0], "588017702948962343"], "sample": "stripe82", "asset_id": [9000, 9001]})
    manual = tmp_path / "manual"
    write_images(manual / "images_gz2", [*assets, 9000, 9999], [*images[:6], images[6], images[7]])
    table.to_csv(manual / "gz2_hart16.csv", index=False)
    pd.concat([other, mapping]).to_csv(manual / "gz2_filename_mapping.csv", index=False)
    return manual


def load(name, tmp_path, manual, **options):
    config = tfds.download.DownloadConfig(manual_dir=str(manual))
    return tfds.load(
        name,
        data_dir=str(tmp_path / "data"),
        download_and_prepare_kwargs={"download_config": config},
        with_info=True,
        **options,
    )


def fit_one_epoch(batches, answers):
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(answers, activation="softplus")])
    model.compile("adam", "mse")
    history = model.fit(batches, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_challenge(kaggle, tmp_path, galaxies):
    data, info = load("galaxy_zoo_challenge", tmp_path, kaggle, decoders=BYTES)
    assert {name: split.num_examples for name, split in info.splits.items()} == {"train": 6, "unlabelled": 2}
    examples = {example["id"].decode(): example for example in tfds.as_numpy(data["train"])}
    assert sorted(examples) == [str(100008 + 11 * row) for row in range(6)]
    first = examples["100008"]
    assert first["image"] == (kaggle / "images_training_rev1" / "100008.jpg").read_bytes()
    # 44 people saw each galaxy; 40 did in the simulation.
    np.testing.assert_allclose(first["votes"][:3], galaxies[1][0, :3] * 44 / 40, rtol=1e-4)
    assert all(not example["votes"].any() for example in tfds.as_numpy(data["unlabelled"]))
    table = kaggle / "training_solutions_rev1.csv"
    assert info.metadata["sha256"] == {table.name: hashlib.sha256(table.read_bytes()).hexdigest()}
    fit_one_epoch(tfds_batches(data["train"], "gz2-kaggle", SMALL, batch_size=4, shuffle=6, seed=0), 37)


def test_challenge_from_archives(kaggle, tmp_path):
    for name in ("images_training_rev1", "images_test_rev1", "training_solutions_rev1.csv"):
        source = kaggle / name
        with zipfile.ZipFile(kaggle / f"{source.stem}.zip", "w") as archive:
            for path in sorted(source.iterdir()) if source.is_dir() else [source]:
                archive.write(path, str(path.relative_to(kaggle)))
                path.unlink()
        if source.is_dir():
            source.rmdir()
    info = load("galaxy_zoo_challenge", tmp_path, kaggle)[1]
    assert {name: split.num_examples for name, split in info.splits.items()} == {"train": 6, "unlabelled": 2}


def test_challenge_without_unlabelled_images(kaggle, tmp_path):
    (kaggle / "images_test_rev1").rename(tmp_path / "elsewhere")
    assert set(load("galaxy_zoo_challenge", tmp_path, kaggle)[1].splits) == {"train"}


def test_broken_images_are_left_out_by_name(kaggle, tmp_path):
    file = kaggle / "images_training_rev1" / "100019.jpg"
    file.write_bytes(file.read_bytes()[:300])
    (kaggle / "images_test_rev1" / "200001.jpg").write_bytes(b"")
    info = load("galaxy_zoo_challenge", tmp_path, kaggle)[1]
    assert {name: split.num_examples for name, split in info.splits.items()} == {"train": 5, "unlabelled": 1}
    assert "truncated" in info.metadata["unreadable"]["100019.jpg"]
    assert "empty" in info.metadata["unreadable"]["200001.jpg"]


def test_galaxy_zoo2(hart, tmp_path, galaxies):
    data, info = load("galaxy_zoo2", tmp_path, hart, decoders=BYTES)
    assert {name: split.num_examples for name, split in info.splits.items()} == {"train": 6, "unlabelled": 2}
    examples = {example["id"].decode(): example for example in tfds.as_numpy(data["train"])}
    for row in range(6):
        example = examples[f"5877229817413632{row:02d}"]
        np.testing.assert_array_equal(example["votes"], galaxies[1][row])
        assert example["image"] == (hart / "images_gz2" / f"{16 + 7 * row}.jpg").read_bytes()
    assert {example["id"] for example in tfds.as_numpy(data["unlabelled"])} == {b"9000", b"9999"}
    assert set(info.metadata["sha256"]) == {"gz2_hart16.csv", "gz2_filename_mapping.csv"}
    fit_one_epoch(tfds_batches(data["train"], "gz2", SMALL, batch_size=3), 37)


def test_galaxy_zoo2_refuses_a_mapping_of_other_galaxies(hart, tmp_path):
    mapping = pd.read_csv(hart / "gz2_filename_mapping.csv", dtype=str)
    mapping["objid"] = [f"1237{row:014d}" for row in range(len(mapping))]
    mapping.to_csv(hart / "gz2_filename_mapping.csv", index=False)
    with pytest.raises(InputError, match=r"gz2_filename_mapping\.csv must hold the galaxies of gz2_hart16\.csv"):
        load("galaxy_zoo2", tmp_path, hart)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("galaxy_zoo2", "gz2_hart16.csv"),
        ("galaxy_zoo2", "gz2_filename_mapping.csv"),
        ("galaxy_zoo2", "images_gz2"),
        ("galaxy_zoo_challenge", "training_solutions_rev1.csv"),
        ("galaxy_zoo_challenge", "images_training_rev1"),
    ],
)
def test_a_missing_file_is_named_with_its_source(request, tmp_path, name, file):
    manual = request.getfixturevalue("hart" if name == "galaxy_zoo2" else "kaggle")
    (manual / file).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=rf"manual_dir must hold {file}.*https://"):
        load(name, tmp_path, manual)


@pytest.mark.parametrize("name", ["galaxy_zoo2", "galaxy_zoo_challenge"])
def test_an_empty_manual_directory_says_what_belongs_there(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"manual_dir must be a directory with the downloaded files.*https://"):
        load(name, tmp_path, tmp_path / "empty")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    config = SimulatedGalaxiesConfig(simulation=SimulationConfig(count=10, seed=4, image_size=32, questions="gz1"))
    builder = tfds.builder("simulated_galaxies", config=config, data_dir=str(tmp_path_factory.mktemp("tfds")))
    builder.download_and_prepare()
    return builder


def test_simulated_galaxies(simulated):
    images, votes, truth = simulate_arrays(10, seed=4, image_size=32, questions="gz1")
    examples = sorted(tfds.as_numpy(simulated.as_dataset(split="train")), key=lambda example: example["id"])
    assert [example["id"].decode() for example in examples] == truth["id"].tolist()
    np.testing.assert_array_equal([example["image"] for example in examples], images)
    np.testing.assert_array_equal([example["votes"] for example in examples], votes)
    angles = [example["truth"]["position_angle"] for example in examples]
    np.testing.assert_allclose(angles, truth["truth_position_angle"], rtol=1e-6)
    kinds = simulated.info.features["truth"]["kind"]
    assert [kinds.int2str(example["truth"]["kind"]) for example in examples] == truth["truth_kind"].tolist()
    fit_one_epoch(tfds_batches(simulated.as_dataset(split="train"), "gz1", SMALL, batch_size=4), 7)


def test_settings_name_the_simulated_dataset():
    one, other = (SimulatedGalaxiesConfig(simulation=SimulationConfig(count=10, seed=seed)) for seed in (0, 1))
    assert one.name == "gz2-10-seed0-128px-40voters"
    assert one.name != other.name


@pytest.mark.parametrize("decoders", [BYTES, None])
def test_batches_are_what_other_pipelines_read(simulated, tmp_path, decoders):
    images = simulate_arrays(10, seed=4, image_size=32, questions="gz1")[0]
    dataset = simulated.as_dataset(split="train", decoders=decoders)
    ids = [int(example["id"][-6:]) for example in tfds.as_numpy(dataset)]
    batches = [batch for batch, _ in tfds_batches(dataset, "gz1", SMALL, batch_size=4)]
    assert [batch.shape[0] for batch in batches] == [4, 4, 2]
    for row, found in zip(ids, np.concatenate(batches), strict=True):
        Image.fromarray(images[row]).save(tmp_path / "one.png")
        expected = read_image(tmp_path / "one.png", SMALL).astype(np.float32) / 255
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_shuffling_is_new_every_epoch_and_repeatable(simulated):
    dataset = simulated.as_dataset(split="train")

    def epochs():
        batches = tfds_batches(dataset, "gz1", SMALL, batch_size=10, shuffle=10, seed=1)
        return [next(iter(batches))[1].numpy() for _ in range(2)]

    first, second = epochs()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(second, axis=0))
    np.testing.assert_array_equal(first, epochs()[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"questions": "gz2"}, "dataset must have the 37 votes of questions 'gz2'"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"shuffle": -1}, "shuffle must be at least 0, not -1"),
    ],
)
def test_bad_options_are_named(simulated, options, words):
    with pytest.raises(InputError, match=words):
        tfds_batches(simulated.as_dataset(split="train"), **{"questions": "gz1", **options})


def test_supervised_examples_are_refused(simulated):
    with pytest.raises(InputError, match="dataset must have examples with image and votes"):
        tfds_batches(simulated.as_dataset(split="train", as_supervised=True), "gz1")


@pytest.mark.parametrize(
    "module", [galaxy_zoo2_dataset_builder, galaxy_zoo_challenge_dataset_builder, simulated_galaxies_dataset_builder]
)
def test_each_dataset_is_described(module):
    metadata = module.Builder.get_metadata()
    assert len(metadata.description) > 100
    assert "@article" in metadata.citation
    assert "content.data-type.image" in metadata.tags
    assert module.Builder.url_infos == {}  # nothing is downloaded


@pytest.mark.real
@pytest.mark.slow
def test_challenge_on_real_galaxies(real_data, tmp_path):
    data, info = load("galaxy_zoo_challenge", tmp_path, real_data / "galaxyzoo2", decoders=BYTES)
    assert {name: split.num_examples for name, split in info.splits.items()} == {"train": 502, "unlabelled": 4000}
    assert not info.metadata["unreadable"]
    fit_one_epoch(tfds_batches(data["train"], "gz2-kaggle", Preprocessing(), batch_size=64), 37)
