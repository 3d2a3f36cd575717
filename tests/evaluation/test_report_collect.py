"""From a run's directory to its report, through the `tfgalaxy report` command."""

import numpy as np
import pytest
from click.testing import CliRunner
from small_model import SMALL

from tfgalaxy.cli import main
from tfgalaxy.data.catalogue import load_catalogue
from tfgalaxy.data.exclusions import Exclusion, write_excluded
from tfgalaxy.data.simulation import simulate
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation.report.collect import collect_material, pose_matrices_of, read_experiment
from tfgalaxy.models import GalaxyVAE
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig
from tfgalaxy.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with 30 simulated galaxies and a run whose model was not trained."""
    folder = tmp_path_factory.mktemp("report")
    path = simulate(30, folder / "sim", questions="gz1", image_size=64)
    galaxies = load_catalogue(path, path.parent, "gz1")
    config = RunConfig(DataConfig("gz1"), SMALL, TrainingConfig(epochs=2, unlabelled_epochs=1))
    run = RunDirectory(folder / "run")
    run.create(config, {"catalogue": str(path), "images": str(path.parent)})
    parts = ["train"] * 12 + ["test"] * 18
    rows = zip(galaxies.ids, parts, galaxies.files, strict=True)
    run.write_table(
        run.split_file, ["id", "part", "file"], [dict(zip(("id", "part", "file"), r, strict=True)) for r in rows]
    )
    run.write_history(
        [{"epoch": e, "phase": "alternating", "elbo": -9.0 + e, "log_likelihood": -1.0} for e in range(2)]
    )
    write_excluded(run.excluded_file, [Exclusion("7", "7.jpg", "cut short")])
    model = GalaxyVAE("gz1", SMALL.replace(answer_fractions=(0.5, 0.4, 0.1, 0.3, 0.7, 0.5, 0.5)))
    model.compile()
    model.save(run.model_file)
    return folder


def run_command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def material(place):
    return collect_material(place / "run")


def test_material_is_what_the_model_says(place, material):
    judged = material.judged
    assert len(judged) == 18
    assert material.run.parts == {"train": 12, "test": 18}
    assert material.run.excluded == (("7", "7.jpg", "cut short"),)
    model = RunDirectory(place / "run").load_model()
    images = judged.images.astype(np.float32) / np.float32(255)
    predicted = model.classify(images)
    np.testing.assert_allclose(judged.predictions["fraction"], predicted["fraction"], atol=1e-5)
    np.testing.assert_allclose(judged.latent, model.embed(images)["latent_mean"], atol=1e-4)
    _, pose = model.canonical_view(images)
    np.testing.assert_allclose(judged.pose_matrix, pose.matrix, atol=1e-4)
    shown = material.shown
    views = model.reconstruct(images[shown.rows])
    np.testing.assert_allclose(shown.canonical_views, views["canonical_view"], atol=1e-4)
    np.testing.assert_allclose(shown.reconstructions, views["reconstruction"], atol=1e-4)
    assert shown.images.shape[1:] == (128, 128, 3)
    np.testing.assert_allclose(material.prior_samples, model.sample_prior(24, 0), atol=1e-5)


def test_matrices_of_several_transformations_are_multiplied_in_their_order():
    pose = np.array([[0.2, -0.1, np.pi / 2, np.log(2.0)]], np.float32)
    (matrix,) = pose_matrices_of(("translation", "rotation_scale"), pose)
    move = np.array([[1, 0, 0.2], [0, 1, -0.1], [0, 0, 1]])
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    expected = move @ turn @ np.diag([2, 2, 1])
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


def test_report_command_writes_page_and_figures(place, material, monkeypatch):
    written = []
    monkeypatch.setattr("tfgalaxy.report_command.collect_material", lambda *given, **options: material)
    monkeypatch.setattr("tfgalaxy.report_command.write_figures", lambda *given: written.append(given) or ["a", "b"])
    page = place / "new" / "report.html"
    result = run_command("report", place / "run", "--output", page, "--figures", place / "figures", "--quiet")
    assert result.exit_code == 0, result.output
    assert "18 galaxies that it has not seen" in page.read_text("utf-8")
    assert f"figures: {place / 'figures'} (2 files)" in result.output
    assert written[0][1] == str(place / "figures")
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{place}/none", "--output", "{place}/r.html"), "RUN must be the directory of a run"),
        (("{place}/run",), "--output must be given, or --figures"),
        (("{place}/run", "--output", "{place}/r.pdf"), "output must end in .html"),
        (("{place}/run", "--output", "{place}/r.html", "--catalogue", "{place}/none.csv"), "none.csv"),
        (("{place}/run", "--output", "{place}/r.html", "--part", "validation"), "must have galaxies of the part"),
        (("{place}/run", "--output", "{place}/r.html", "--label-efficiency", "{place}"), "label-efficiency must be"),
    ],
)
def test_errors_are_one_line_and_exit_2(place, arguments, words):
    result = run_command("report", *(argument.format(place=place) for argument in arguments), "--quiet")
    assert result.exit_code == 2, result.output
    assert words in result.output.strip().splitlines()[-1]
    assert not (place / "r.html").exists()


def test_unfinished_experiment_is_refused(tmp_path):
    with pytest.raises(InputError, match="label-efficiency must be the --output of"):
        read_experiment(tmp_path)
