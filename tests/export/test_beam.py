"""Predictions on Apache Beam: the rows of the local path, whatever is broken, in shards of Parquet."""

import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner
from export_model import jpeg
from tf_records import example, write_records

pytest.importorskip("apache_beam")

from apache_beam.runners.runner import create_runner

from tfgalaxy.cli import main
from tfgalaxy.data.fits_images import read_fits
from tfgalaxy.data.image_index import image_stem
from tfgalaxy.data.preprocessing import MAXIMUM_PIXELS
from tfgalaxy.errors import InputError
from tfgalaxy.export import RecordImages, catalogue_images, folder_images, open_predictor, predict_to_file
from tfgalaxy.export.beam_inputs import picture_bytes
from tfgalaxy.export.beam_model_handler import BATCH_ROWS, open_export
from tfgalaxy.export.beam_runners import RUNNERS, check_runner, default_threads, pipeline_options

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def predictor(version):
    return open_predictor(version)


def survey(version, output, *options):
    """What the command says; its runner is the direct one."""
    command = ["predict", str(version), "--output", str(output), "--runner", "direct", *map(str, options)]
    outcome = CliRunner().invoke(main, command)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def shards_of(output):
    """The shards' rows as one table, in the order of files and ids, and the names of all that stands beside them."""
    files = sorted(output.parent.iterdir())
    table = pd.concat([pd.read_parquet(file) for file in files])
    return table.sort_values(["file", "id"], ignore_index=True), [file.name for file in files]


def local_rows(predictor, inputs, folder, **options):
    predict_to_file(predictor, inputs, folder / "local.parquet", **options)
    return pd.read_parquet(folder / "local.parquet").sort_values(["file", "id"], ignore_index=True)


def assert_same_rows(table, expected):
    # Beam chooses its batches, and an export's outputs are the same in all batches to 1e-5 (DESIGN.md), not bit by bit.
    pd.testing.assert_frame_equal(table, expected, rtol=0, atol=1e-5)


class TestRows:
    @pytest.mark.core
    def test_of_a_folder_are_those_of_the_local_path(self, version, predictor, folder, tmp_path):
        output = tmp_path / "beam" / "out.parquet"
        said = survey(version, output, "--images", folder, "--shards", 2)
        table, names = shards_of(output)
        assert names == ["out-00000-of-00002.parquet", "out-00001-of-00002.parquet"]
        assert_same_rows(table, local_rows(predictor, folder_images(folder), tmp_path))
        assert "(15 images, 6 broken ones with the reason," in said
        reasons = table.set_index("id")["reason"]
        assert reasons["huge"] == f"must have at most {MAXIMUM_PIXELS:,} pixels, not 100000 x 100000"
        assert reasons["text"].startswith("must be a JPEG, PNG or FITS image")
        assert reasons["broken"].startswith("must be a whole FITS file")
        assert reasons["g0"] == reasons["f"] == ""

    def test_of_a_catalogue_too(self, version, predictor, folder, tmp_path):
        catalogue = tmp_path / "catalogue.csv"
        files = ["g1.jpg", "", "f.fits", "cut.jpg", "gone.jpg", ""]
        pd.DataFrame({"id": [*"vwxyz", "p"], "file": files}).to_csv(catalogue, index=False)
        expected = local_rows(predictor, catalogue_images(catalogue, folder), tmp_path, embedding=True, voters=10)
        output = tmp_path / "beam" / "out.parquet"
        survey(version, output, "--images", folder, "--catalogue", catalogue, "--embedding", "--voters", 10)
        table, _ = shards_of(output)
        assert_same_rows(table, expected)
        reasons = table.set_index("id")["reason"]
        assert reasons["z"] == "no image 'gone.jpg' in the image folder"
        assert [name for name in "vwxyzp" if not reasons[name]] == ["v", "x", "p"]

    def test_of_records_too(self, version, predictor, tmp_path):
        examples = [example(id=f"galaxy {row}".encode(), image=jpeg(row, 40 + row)) for row in range(5)]
        examples += [example(image=jpeg(9, 44)), example(id=588017, image=b"no image"), example(id=7), b"no example"]
        write_records(tmp_path / "a.tfrecord", examples[:4])
        write_records(tmp_path / "b.tfrecord", examples[4:])
        expected = local_rows(predictor, RecordImages(f"{tmp_path}/*.tfrecord"), tmp_path)
        output = tmp_path / "beam" / "out.parquet"
        said = survey(version, output, "--tfrecords", f"{tmp_path}/*.tfrecord")
        assert_same_rows(shards_of(output)[0], expected)
        assert "(9 images, 3 broken ones" in said
        assert expected["id"].tolist()[4:] == ["588017", "7", "b.tfrecord:1", "b.tfrecord:4", "galaxy 4"]

    def test_of_a_cut_file_of_records_are_those_before_the_cut(self, version, tmp_path):
        path = tmp_path / "a.tfrecord"
        write_records(path, [example(image=jpeg(row, 40)) for row in range(3)])
        path.write_bytes(path.read_bytes()[:-9])
        output = tmp_path / "beam" / "out.parquet"
        survey(version, output, "--tfrecords", path)
        table, _ = shards_of(output)
        assert table["id"].tolist() == [f"a.tfrecord:{number}" for number in range(3)]
        assert table["valid"].tolist() == [1, 1, 0]
        assert table["reason"][2].startswith("must be a whole, uncompressed TFRecord file, not cut or damaged at byte")

    def test_of_a_glob_leave_out_hidden_names_and_other_files(self, version, folder, tmp_path):
        for name in (".hidden/a.jpg", "deep/.b.jpg", "deep/__MACOSX/c.jpg", "deep/d.jpg", "deep/deeper/E.JPG", "f.txt"):
            (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "images" / name).write_bytes((folder / "g0.jpg").read_bytes())
        output = tmp_path / "beam" / "out.parquet"
        survey(version, output, "--images", f"{tmp_path}/images/**")
        table, _ = shards_of(output)
        assert table["id"].tolist() == ["d", "E"]
        assert table["id"].tolist() == [image_stem(file) for file in folder_images(tmp_path / "images").files]
        assert table["file"].tolist() == folder_images(tmp_path / "images").files
        column = "smooth-or-featured_smooth_fraction"
        assert table[column][0] == table[column][1]

    @pytest.mark.slow
    @pytest.mark.real
    def test_of_4000_real_galaxies_are_those_of_the_local_path(self, version, predictor, real_data, tmp_path):
        images = real_data / "galaxyzoo2" / "images_test_rev1"
        output = tmp_path / "beam" / "out.parquet"
        assert "(4,000 images, 0 broken ones" in survey(version, output, "--images", images)
        assert_same_rows(shards_of(output)[0], local_rows(predictor, folder_images(images), tmp_path))


class TestPictureBytes:
    def test_missing_files_and_folders_are_said(self, tmp_path):
        for path, value in ((tmp_path / "gone.jpg", "No such file or directory"), (tmp_path, "Is a directory")):
            with pytest.raises(InputError, match=f"must be a readable file, not '{value}'"):
                picture_bytes(str(path))

    def test_fits_becomes_a_png_with_the_same_pixels(self, folder):
        pixels = tf.io.decode_png(picture_bytes(str(folder / "f.fits"))).numpy()
        np.testing.assert_array_equal(pixels, read_fits(folder / "f.fits"))


class TestHandler:
    def test_every_batch_has_one_size_and_neighbours_do_not_matter(self, version):
        handler = open_export(str(version))
        loaded, sizes = handler.load_model(), []
        signature = loaded.signatures["classify_bytes"]

        def counted(image_bytes):
            sizes.append(len(image_bytes))
            return signature(image_bytes)

        model = SimpleNamespace(signatures={"classify_bytes": counted})
        pictures = [jpeg(seed, 40 + seed) for seed in range(3)]
        together = list(handler.run_inference(pictures, model))
        alone = [next(iter(handler.run_inference([picture], model))) for picture in pictures]
        np.testing.assert_allclose(together, alone, rtol=1e-6, atol=1e-6)
        assert sizes == [BATCH_ROWS] * 4
        assert handler.batch_elements_kwargs() == {"min_batch_size": BATCH_ROWS, "max_batch_size": BATCH_ROWS}
        assert list(handler.run_inference([pictures[0][:700]], model)) == [
            "must be a whole image, not a truncated or damaged file"
        ]

    def test_the_threads_of_a_process_share_one_model(self, version, folder, tmp_path, monkeypatch):
        loaded, load = [], tf.saved_model.load
        monkeypatch.setattr(tf.saved_model, "load", lambda path: loaded.append(path) or load(path))
        output = tmp_path / "beam" / "out.parquet"
        workers = ("--", "--direct_running_mode=multi_threading", "--direct_num_workers=3")
        survey(version, output, "--images", folder, *workers)
        assert loaded == [str(version)]
        assert len(shards_of(output)[0]) == 15

    @pytest.mark.core
    def test_a_worker_imports_neither_models_nor_training(self, version, folder):
        code = f"""
import pickle, sys
from tfgalaxy.export.beam_model_handler import open_export
from tfgalaxy.export.beam_inputs import picture_bytes
import tfgalaxy.export.beam_pipeline
handler = pickle.loads(pickle.dumps(open_export({str(version)!r}, embedding=True, threads=1)))
(row,) = handler.run_inference([picture_bytes({str(folder / "g0.jpg")!r})], handler.load_model())
import tensorflow as tf
assert tf.config.threading.get_intra_op_parallelism_threads() == 1
assert len(row) == len(handler.columns)
heavy = ("tfgalaxy.models", "tfgalaxy.layers", "tfgalaxy.training", "tfgalaxy.evaluation", "tensorflow_probability")
assert [name for name in heavy if name in sys.modules] == []
"""
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--output", "x.csv"], "output must end in .parquet with --runner"),
            (["--images", "nowhere"], "--images must be an existing folder, a glob"),
            (["--images", "no*.jpg"], "--images must name at least one file"),
            (["--tfrecords", "no*.tfrecord"], "--images must be given, or --tfrecords, but not both"),
            (
                ["--catalogue", "c.csv", "--images", "*.jpg"],
                "--images must be a folder of this machine with --catalogue",
            ),
            (["flink_master=x"], "what follows EXPORT must start with an option of Beam"),
            (["--", "--direct_num_workers=x"], "what follows '--' must be what Beam takes, not .*invalid int value"),
            (["--", "--runner=FlinkRunner"], "what follows '--' must leave the runner to --runner"),
            (["--voters", "0"], "voters must be above 0"),
        ],
    )
    def test_options(self, version, folder, tmp_path, monkeypatch, options, words):
        monkeypatch.chdir(tmp_path)
        defaults = ["--output", "x.parquet", "--runner", "direct", "--images", str(folder)]
        outcome = CliRunner().invoke(main, ["predict", str(version), *defaults, *options])
        assert outcome.exit_code == 2
        assert re.search(words, outcome.output), outcome.output
        assert os.listdir(tmp_path) == []

    def test_a_run_is_no_export(self, folder, tmp_path):
        with pytest.raises(InputError, match=r"EXPORT must be an exported version.*tfgalaxy export RUN"):
            open_export(str(folder))

    def test_outputs_that_are_there(self, version, folder, tmp_path):
        there = tmp_path / "x-00000-of-00002.parquet"
        there.write_bytes(b"")
        command = ["predict", str(version), "--images", str(folder), "--output", str(tmp_path / "x.parquet")]
        outcome = CliRunner().invoke(main, [*command, "--runner", "direct"])
        assert outcome.exit_code == 2
        assert f"output must not be there yet, not '{there}'" in outcome.output

    @pytest.mark.parametrize("words", [["--shards", "3"], ["--threads", "2"], ["--", "--flink_master=x"], ["stray"]])
    def test_options_of_beam_without_a_runner(self, version, folder, tmp_path, words):
        command = ["predict", str(version), "--images", str(folder), "--output", str(tmp_path / "x.csv"), *words]
        outcome = CliRunner().invoke(main, command)
        assert outcome.exit_code == 2
        assert "must come with --runner" in outcome.output

    @pytest.mark.parametrize(
        ("runner", "arguments", "missing", "words"),
        [
            ("direct", [], "apache_beam", r"pip install 'tfgalaxy\[beam\]'"),
            ("dataflow", [], "apitools", r"pip install 'apache-beam\[gcp\]'"),
            ("flink", [], "java", "must find Java, which starts flink's job server.*--flink_submit_uber_jar"),
            ("spark", ["--spark_version=3"], "java", "must find Java, which starts spark's job server"),
            ("flink", ["--flink_submit_uber_jar"], "java", None),
            ("spark", ["--job_endpoint=host:8099"], "java", None),
        ],
    )
    def test_what_a_runner_needs(self, monkeypatch, runner, arguments, missing, words):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else name)
        monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else name)
        monkeypatch.delenv("JAVA_HOME", raising=False)
        if words is None:
            check_runner(runner, arguments)
        else:
            with pytest.raises(InputError, match=words):
                check_runner(runner, arguments)

    def test_a_failed_pipeline_is_one_line(self, version, folder, tmp_path, monkeypatch):
        def fail(path):
            raise OSError("no such SavedModel")

        monkeypatch.setattr(tf.saved_model, "load", fail)
        command = ["predict", str(version), "--images", str(folder), "--output", str(tmp_path / "x.parquet")]
        outcome = CliRunner().invoke(main, [*command, "--runner", "direct"])
        assert outcome.exit_code == 1
        assert "tfgalaxy: the pipeline failed: " in outcome.output
        assert "no such SavedModel" in outcome.output
        assert glob.glob(f"{tmp_path}/x*") == []


class TestRunners:
    @pytest.mark.parametrize("runner", RUNNERS)
    def test_beam_knows_them(self, runner):
        options = pipeline_options(runner, ["--flink_master=localhost:8081"])
        assert create_runner(options.get_all_options()["runner"]) is not None
        assert options.get_all_options()["flink_master"] == "localhost:8081"

    def test_the_direct_one_shares_the_cores_among_its_processes(self, monkeypatch):
        monkeypatch.setattr(os, "cpu_count", lambda: 8)
        for runner, workers, threads in (("direct", 1, 8), ("direct", 3, 2), ("direct", 20, 1), ("flink", 1, 1)):
            options = pipeline_options(runner, [f"--direct_num_workers={workers}"])
            assert default_threads(runner, options) == threads
