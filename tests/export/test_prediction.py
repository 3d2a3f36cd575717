"""Predictions of folders, catalogues and TFRecords: a row for each input, whatever is broken or interrupted."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from export_model import jpeg, make_model
from interrupted_prediction import run_to
from tf_records import example, write_records

from tfgalaxy.data.images import read_image
from tfgalaxy.errors import InputError
from tfgalaxy.export import (
    ImageFiles,
    Predictor,
    RecordImages,
    catalogue_images,
    folder_images,
    predict_files,
    predict_to_file,
    prediction_parts,
)
from tfgalaxy.export.prediction_stream import decoded_blocks

COUNT = 300
BROKEN = {5: b"", 64: b"no image", 131: jpeg(1, 40)[:300], 299: b"\x89PNG\r\n\x1a\n"}


@pytest.fixture(scope="module")
def predictor():
    return Predictor.from_model(make_model())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """300 tiny images, among them broken ones and FITS."""
    place = tmp_path_factory.mktemp("images")
    for row in range(COUNT):
        path = place / f"{row:03d}.jpg"
        if row == 70:
            flux = np.random.default_rng(0).normal(size=(36, 36)).astype(np.float32)
            fits.PrimaryHDU(flux).writeto(path.with_suffix(".fits"))
        else:
            path.write_bytes(BROKEN.get(row) or b"" if row in BROKEN else jpeg(row, 36 + row % 7))
    return place


@pytest.fixture(scope="module")
def expected(predictor, folder):
    return predict_files(predictor, folder_images(folder).files, embedding=True)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(prediction_parts, "PART_ROWS", 128)


class TestRows:
    def test_they_are_what_the_signature_says_of_each_image_alone(self, predictor, folder, expected):
        for row in (0, 63, 65, 70, 298):
            image = read_image(expected["file"][row], predictor.preprocessing)[np.newaxis]
            outputs = {**predictor.predict(image), **predictor.predict(image, "embed")}
            asked = outputs["asked_probability"][0]
            for index, label in enumerate(predictor.questions.answer_labels):
                fraction = outputs["fraction"][0, index]
                assert expected[f"{label}_fraction"][row] == pytest.approx(fraction, abs=1e-5)
                assert expected[f"{label}_fraction_lower"][row] <= fraction <= expected[f"{label}_fraction_upper"][row]
                votes = 40 * asked[predictor.questions.question_index[index]] * fraction
                assert expected[f"{label}_expected_votes"][row] == pytest.approx(votes, abs=1e-3)
            assert expected["latent_mean_3"][row] == pytest.approx(outputs["latent_mean"][0, 3], abs=1e-5)
            assert expected["pose_0"][row] == pytest.approx(outputs["pose"][0, 0], abs=1e-5)

    def test_every_input_has_one(self, expected):
        assert expected["id"].tolist() == [f"{row:03d}" for row in range(COUNT)]
        assert np.flatnonzero(expected["valid"] == 0).tolist() == list(BROKEN)
        numbers = expected.drop(columns=["id", "file", "valid", "reason"])
        assert numbers.isna().all(axis=1).tolist() == (expected["valid"] == 0).tolist()
        assert not numbers[expected["valid"] == 1].isna().any().any()
        reasons = expected["reason"][list(BROKEN)].tolist()
        assert reasons[0] == "must be an image, not an empty file"
        assert reasons[1].startswith("must be a JPEG, PNG or FITS image, not b'no image'")
        assert reasons[2] == reasons[3] == "must be a whole image, not a truncated or damaged file"
        assert set(expected["reason"].drop(list(BROKEN))) == {""}

    def test_ids_keep_their_points(self):
        inputs = ImageFiles(["a/J112953.88-000427.4.jpg", "b/x.fits.gz"])
        assert inputs.ids == ["J112953.88-000427.4", "x"]

    @pytest.mark.parametrize(("size", "start"), [(7, 0), (64, 128), (300, 0), (1000, 0)])
    def test_blocks_hold_the_same_rows_whatever_is_broken(self, predictor, folder, size, start):
        inputs = folder_images(folder)
        blocks = list(decoded_blocks(inputs, predictor.preprocessing, start, size))
        assert [block.start for block in blocks] == list(range(start, COUNT, size))
        images, reasons = np.concatenate([b.images for b in blocks]), [r for b in blocks for r in b.reasons]
        assert len(images) == len(reasons) == COUNT - start
        assert [start + row for row, reason in enumerate(reasons) if reason] == [r for r in BROKEN if r >= start]
        for row in range(start, COUNT, 13):
            known = row in BROKEN
            image = np.zeros([32, 32, 3]) if known else read_image(inputs.files[row], predictor.preprocessing)
            np.testing.assert_array_equal(images[row - start], image)


class TestResume:
    @pytest.mark.slow
    def test_killed_and_called_again_it_gives_the_undisturbed_file(self, predictor, folder, tmp_path, small_parts):
        output, parts = tmp_path / "out.parquet", tmp_path / "out.parquet.parts"
        for moment, whole_parts in (("block 3", 1), ("part 2", 2), ("assembly", 3)):
            run = run_to(folder, output, moment)
            assert run.returncode == -signal.SIGKILL, run.stderr
            assert not output.exists()
            assert len(list(parts.glob("0*.parquet"))) == whole_parts
        assert predict_to_file(predictor, folder_images(folder), output).resumed == COUNT
        undisturbed = tmp_path / "undisturbed.parquet"
        assert predict_to_file(predictor, folder_images(folder), undisturbed).resumed == 0
        assert output.read_bytes() == undisturbed.read_bytes()
        assert sorted(os.listdir(tmp_path)) == [output.name, undisturbed.name]

    def test_stopped_when_the_output_stands_it_is_written_again(
        self, predictor, folder, tmp_path, small_parts, monkeypatch
    ):
        def stop(folder):
            raise KeyboardInterrupt

        inputs, output = ImageFiles(folder_images(folder).files[:3]), tmp_path / "out.csv"
        with monkeypatch.context() as patch:
            patch.setattr(prediction_parts, "_remove", stop)
            with pytest.raises(KeyboardInterrupt):
                predict_to_file(predictor, inputs, output)
        content = output.read_bytes()
        assert predict_to_file(predictor, inputs, output) == (3, 0, 3)
        assert output.read_bytes() == content
        assert os.listdir(tmp_path) == ["out.csv"]

    def test_the_file_is_the_table(self, predictor, folder, expected, tmp_path, small_parts):
        calls = []
        output = tmp_path / "deep" / "out.parquet"
        outcome = predict_to_file(
            predictor, folder_images(folder), output, embedding=True, progress=lambda *now: calls.append(now)
        )
        assert outcome == (COUNT, len(BROKEN), 0)
        assert calls == [(done, COUNT) for done in (64, 128, 192, 256, 300)]
        pd.testing.assert_frame_equal(pd.read_parquet(output), expected, rtol=0, atol=0)

    def test_it_goes_on_behind_the_last_whole_part(self, predictor, folder, expected, tmp_path, small_parts):
        output, calls = tmp_path / "out.csv", []

        def stop(done, total):
            if done > 192:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            predict_to_file(predictor, folder_images(folder), output, progress=stop)
        assert not output.exists()
        (tmp_path / "out.csv.parts" / "000001.parquet").write_bytes(b"PAR1 damaged")
        outcome = predict_to_file(predictor, folder_images(folder), output, progress=lambda *now: calls.append(now))
        assert outcome.resumed == 128
        assert calls == [(64, 172), (128, 172), (172, 172)]
        table = pd.read_csv(output, dtype={"id": str}, keep_default_na=True)
        assert table["id"].tolist() == expected["id"].tolist()
        np.testing.assert_allclose(
            table["smooth-or-featured_smooth_fraction"], expected["smooth-or-featured_smooth_fraction"], rtol=1e-6
        )
        assert os.listdir(tmp_path) == ["out.csv"]

    def test_other_models_inputs_and_options_are_refused(self, predictor, folder, tmp_path, small_parts):
        def stop(done, total):
            raise KeyboardInterrupt

        inputs, output = ImageFiles(folder_images(folder).files[:70]), tmp_path / "out.csv"
        with pytest.raises(KeyboardInterrupt):
            predict_to_file(predictor, inputs, output, progress=stop)
        other = Predictor(
            predictor.function, predictor.questions, predictor.preprocessing, voters=40, fingerprint="other"
        )
        fewer = ImageFiles(inputs.files[:69])
        for arguments, options, word in (
            ((other, inputs), {}, "model"),
            ((predictor, fewer), {}, "inputs, rows"),
            ((predictor, inputs), {"voters": 50}, "voters"),
            ((predictor, inputs), {"embedding": True}, "embedding"),
        ):
            with pytest.raises(InputError, match=f"output must belong to the same model.*Other: {word}.*Repeat"):
                predict_to_file(*arguments, output, **options)
        assert predict_to_file(predictor, inputs, output).rows == 70

    def test_a_changed_image_is_another_input(self, folder, tmp_path):
        file = tmp_path / "a.jpg"
        shutil.copy(folder / "000.jpg", file)
        inputs = ImageFiles([str(file), str(tmp_path / "missing.jpg")])
        before = inputs.fingerprint()
        assert inputs.fingerprint() == before
        shutil.copy(folder / "001.jpg", file)
        os.utime(file, ns=(1, 1))
        assert inputs.fingerprint() != before

    def test_models_have_fingerprints(self, predictor):
        model = make_model()
        assert Predictor.from_model(model).fingerprint == predictor.fingerprint
        model.log_pixel_scale.assign(model.log_pixel_scale + 1.0)
        assert Predictor.from_model(model).fingerprint != predictor.fingerprint


class TestCatalogue:
    def test_rows_are_in_its_order_with_its_ids(self, folder, predictor, expected, tmp_path):
        names = ["017", "nowhere", "003", "", "070"]
        files = ["017.jpg", "", "none.jpg", "003.jpg", "070.fits"]
        table = pd.DataFrame({"objid": [f"g{row}" for row in range(5)], "file": files, "redshift": 0.1})
        table.to_csv(tmp_path / "catalogue.csv", index=False)
        inputs = catalogue_images(tmp_path / "catalogue.csv", folder)
        result = predict_files(predictor, inputs.files, inputs.ids)
        assert result["id"].tolist() == [f"g{row}" for row in range(5)]
        assert [Path(file).name for file in inputs.files] == ["017.jpg", "", "", "003.jpg", "070.fits"]
        assert inputs.reasons == {1: "no image 'g1' in the image folder", 2: "no image 'none.jpg' in the image folder"}
        outcome = predict_to_file(predictor, inputs, tmp_path / "out.parquet")
        assert outcome == (5, 2, 0)
        written = pd.read_parquet(tmp_path / "out.parquet")
        assert written["reason"].tolist() == ["", inputs.reasons[1], inputs.reasons[2], "", ""]
        column = "smooth-or-featured_smooth_fraction"
        np.testing.assert_allclose(written[column][[0, 3, 4]], expected[column][[17, 3, 70]], atol=1e-5)
        pd.DataFrame({"name": names[:1]}).to_parquet(tmp_path / "by_name.parquet")
        assert catalogue_images(tmp_path / "by_name.parquet", folder).files == [str(folder / "017.jpg")]

    @pytest.mark.parametrize(
        ("columns", "options", "words"),
        [
            ({"redshift": [1.0]}, {}, "catalogue must hold an id column"),
            ({"id": ["a", "a"]}, {}, "must not hold a duplicate id"),
            ({"id": ["a"]}, {}, "images must hold the catalogue's galaxies"),
            ({"id": []}, {}, "catalogue must have at least one row"),
            ({"id": ["000"]}, {"id_column": "name"}, "id_column must be a column of the table"),
            ({"id": ["a"], "file": ["../x.jpg"]}, {}, "file column must stay within the image folder"),
        ],
    )
    def test_errors(self, folder, tmp_path, columns, options, words):
        pd.DataFrame(columns).to_csv(tmp_path / "c.csv", index=False)
        with pytest.raises(InputError, match=words):
            catalogue_images(tmp_path / "c.csv", folder, **options)


class TestRecords:
    @pytest.fixture
    def records(self, folder, tmp_path):
        contents = [(folder / f"{row:03d}.jpg").read_bytes() for row in range(70)]
        write_records(
            tmp_path / "g.tfrecord-00000-of-00002",
            [example(image=content, id=f"galaxy {row}".encode(), votes=3) for row, content in enumerate(contents)],
        )
        write_records(
            tmp_path / "g.tfrecord-00001-of-00002",
            [example(image=contents[1]), b"\xff\xff\xff", example(id=588017, image=contents[2]), example(id=7)],
        )
        return str(tmp_path / "g.tfrecord-*")

    def test_rows(self, predictor, records, expected, tmp_path):
        inputs = RecordImages(records)
        assert predict_to_file(predictor, inputs, tmp_path / "out.parquet") == (74, 4, 0)
        table = pd.read_parquet(tmp_path / "out.parquet")
        second = "g.tfrecord-00001-of-00002"
        assert table["id"].tolist() == [
            *(f"galaxy {row}" for row in range(70)),
            f"{second}:0",
            f"{second}:1",
            "588017",
            "7",
        ]
        assert [Path(file).name for file in table["file"]] == [second.replace("00001", "00000")] * 70 + [second] * 4
        bad = table[table["valid"] == 0]
        assert bad.index.tolist() == [5, 64, 71, 73]
        assert bad["reason"].tolist() == [
            *expected["reason"][[5, 64]],
            "must be a tf.train.Example with the feature 'image', not []",
            "must be a tf.train.Example with the feature 'image', not ['id']",
        ]
        column = "smooth-or-featured_smooth_fraction"
        good = [row for row in range(70) if row not in (5, 64)]
        np.testing.assert_allclose(table[column][good], expected[column][good], atol=1e-5)
        np.testing.assert_allclose(table[column][[70, 72]], expected[column][[1, 2]], atol=1e-5)

    def test_resumed_in_a_later_file(self, predictor, records, tmp_path, monkeypatch):
        monkeypatch.setattr(prediction_parts, "PART_ROWS", 64)

        def stop(done, total):
            if done > 64:
                raise KeyboardInterrupt

        output = tmp_path / "out.parquet"
        with pytest.raises(KeyboardInterrupt):
            predict_to_file(predictor, RecordImages(records), output, progress=stop)
        assert predict_to_file(predictor, RecordImages(records), output) == (74, 4, 64)
        assert predict_to_file(predictor, RecordImages(records), tmp_path / "whole.parquet").resumed == 0
        pd.testing.assert_frame_equal(pd.read_parquet(output), pd.read_parquet(tmp_path / "whole.parquet"))

    def test_names_of_features_are_options(self, folder, tmp_path):
        content = (folder / "000.jpg").read_bytes()
        write_records(tmp_path / "x.tfrecord", [example(png=content, name=b"M31")])
        inputs = RecordImages(str(tmp_path / "x.tfrecord"), image_feature="png", id_feature="name")
        assert inputs.names(0, 1) == (["M31"], [str(tmp_path / "x.tfrecord")])
        with pytest.raises(InputError, match=r"image_feature must be one of the records' \(name, png\), not 'image'"):
            RecordImages(str(tmp_path / "x.tfrecord"))

    def test_errors(self, folder, tmp_path):
        with pytest.raises(InputError, match="tfrecords must name at least one file"):
            RecordImages(str(tmp_path / "*.none"))
        (tmp_path / "empty").write_bytes(b"")
        with pytest.raises(InputError, match="tfrecords must hold at least one record"):
            RecordImages(str(tmp_path / "empty"))
        write_records(tmp_path / "whole", [example(image=b"x"), example(image=b"y")])
        content = (tmp_path / "whole").read_bytes()
        (tmp_path / "cut").write_bytes(content[:-3])
        (tmp_path / "text").write_bytes(b"this is no TFRecord at all")
        for name in ("cut", "text"):
            with pytest.raises(InputError, match="must be a whole, uncompressed TFRecord file, not 'cut or damaged at"):
                RecordImages(str(tmp_path / name))
