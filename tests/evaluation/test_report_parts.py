"""Parts of the report's page: pictures, SVG, chosen galaxies, sentences and tables."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image
from report_material import make_material

from tfgalaxy.data.questions import Question, Questions
from tfgalaxy.errors import InputError
from tfgalaxy.evaluation import learning_curve, reliability_diagram
from tfgalaxy.evaluation.report.figure_files import write_figures
from tfgalaxy.evaluation.report.gallery_cards import arrow_path, make_card
from tfgalaxy.evaluation.report.latent_points import MOST_POINTS, map_rows, pack_map
from tfgalaxy.evaluation.report.panels import best_epoch
from tfgalaxy.evaluation.report.pictures import data_uri, thumbnail_sheet
from tfgalaxy.evaluation.report.selection import CERTAIN, UNCERTAIN, WRONG, error_of, select_galaxies, uncertainty_of
from tfgalaxy.evaluation.report.summary import judgement_sentence, run_sentence, score_rows
from tfgalaxy.evaluation.report.svg import inline_svg

SHAPE = Questions("shape", (Question("shape", ("round", "flat")),))


def open_uri(uri):
    assert uri.startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_what_they_were(channels):
    picture = np.linspace(0, 1, 16 * 16 * channels).reshape(16, 16, channels)
    shown = np.asarray(open_uri(data_uri(picture)).convert("L" if channels == 1 else "RGB"), float) / 255
    assert np.abs(shown.reshape(picture.shape) - picture).mean() < 0.02


def test_sheet_holds_each_thumbnail_at_its_place():
    colours = np.random.default_rng(0).integers(0, 256, (10, 1, 1, 3))
    sheet = thumbnail_sheet(np.broadcast_to(colours, (10, 32, 32, 3)).astype(np.uint8))
    assert (sheet.columns, sheet.rows, sheet.side) == (4, 3, 32)
    pixels = np.asarray(open_uri(sheet.uri), float)
    for index, colour in enumerate(colours):
        centre = pixels[index // 4 * 32 + 16, index % 4 * 32 + 16]
        assert np.abs(centre - colour.ravel()).max() < 20


def test_sheet_stays_below_its_bounds():
    images = np.random.default_rng(0).integers(0, 256, (300, 64, 64, 3)).astype(np.uint8)
    large, small = thumbnail_sheet(images), thumbnail_sheet(images, 200_000)
    assert len(base64.b64decode(small.uri.partition(",")[2])) <= 200_000 < len(large.uri)
    with pytest.raises(InputError, match="pictures must hold at least one"):
        thumbnail_sheet(images[:0])


def test_svg_takes_the_colours_and_fonts_of_the_page():
    material = make_material(20)
    given = (material.questions, material.judged.votes, material.judged.predictions["fraction"])
    text = inline_svg(reliability_diagram(*given, "disk-edge-on"), "one", 'says "a" & b')
    root = ElementTree.fromstring(text.replace("xlink:href", "href"))
    assert root.get("aria-label") == 'says "a" & b'
    assert {"predicted fraction", "yes", "no"} <= {
        element.text for element in root.iter() if element.tag.endswith("text")
    }
    colours = set(re.findall(r"#[0-9a-f]{6}\b", text))
    assert colours == set()
    assert "DejaVu" not in text
    assert "var(--c1)" in text


def test_ids_of_two_figures_do_not_meet():
    material = make_material(20)
    texts = [inline_svg(learning_curve(material.run.history, name), name, name) for name in ("elbo", "contrast")]
    first, second = (set(re.findall(r' id="([^"]*)"', text)) for text in texts)
    assert first
    assert not first & second
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', texts[0])) <= first


def test_groups_are_the_extremes():
    fraction = np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    votes = np.array([[1, 1], [10, 0], [10, 0], [0, 10]], float)
    width = np.array([[0.3], [0.1], [0.2], [0.4]])
    predictions = {"fraction": fraction, "fraction_lower": fraction - width / 2, "fraction_upper": fraction + width / 2}
    np.testing.assert_allclose(uncertainty_of(SHAPE, predictions), width.ravel())
    np.testing.assert_allclose(error_of(SHAPE, votes, fraction), [0, 0.2, 1.6, 1.2])
    groups = select_galaxies(SHAPE, votes, predictions, count=2)
    assert {name: rows.tolist() for name, rows in groups.items()} == {CERTAIN: [1, 2], UNCERTAIN: [3, 0], WRONG: [2, 3]}
    without = uncertainty_of(SHAPE, {"fraction": fraction})
    np.testing.assert_allclose(without, 2 * fraction[:, 0] * fraction[:, 1])


def test_questions_count_as_far_as_people_are_asked():
    tree = Questions("tree", (*SHAPE.questions, Question("arms", ("yes", "no"), (("shape", "flat"),))))
    fraction = np.array([[0.75, 0.25, 0.5, 0.5]])
    half = np.array([[0.1, 0.1, 0.2, 0.2]])
    lower, upper = fraction - half, fraction + half
    value = uncertainty_of(tree, {"fraction": fraction, "fraction_lower": lower, "fraction_upper": upper})
    np.testing.assert_allclose(value, (1 * 0.2 + 0.25 * 0.4) / 1.25)


def test_card_holds_votes_and_pictures():
    material = make_material(20)
    row = int(material.shown.groups[WRONG][0])
    card = make_card(material, row)
    assert [picture.caption for picture in card.pictures] == ["image", "canonical view", "reconstruction"]
    votes, fraction = material.judged.votes[row, :3], material.judged.predictions["fraction"][row, :3]
    answers = card.branches[0].answers
    assert [answer.volunteers for answer in answers] == pytest.approx(list(100 * votes / votes.sum()), abs=0.051)
    assert [answer.predicted for answer in answers] == pytest.approx(list(100 * fraction), abs=0.051)
    assert card.branches[0].asked == "20 votes"


def test_arrow_has_its_head_at_the_end():
    assert arrow_path(np.eye(3)) == "M0.000 0.000L0.600 0.000M0.440 0.096L0.600 0.000L0.440 -0.096"


def test_map_is_packed_without_loss():
    material = make_material(20)
    packed, sheet = pack_map(material, np.arange(20))
    unpack = {name: np.frombuffer(base64.b64decode(packed[name]), np.uint8) for name in ("predicted", "volunteers")}
    expected = np.rint(100 * material.judged.predictions["fraction"])
    np.testing.assert_array_equal(unpack["predicted"].reshape(20, -1), expected)
    not_asked = material.judged.votes[:, 3:5].sum(axis=1) == 0
    np.testing.assert_array_equal(unpack["volunteers"].reshape(20, -1)[:, 3] == 255, not_asked)
    places = np.frombuffer(base64.b64decode(packed["projections"]["PCA"]["places"]), "<u2").reshape(20, 2)
    assert places.max() == 65535
    assert places.max(axis=0).tolist() == packed["projections"]["PCA"]["extent"]
    assert sheet.columns == 5


def test_map_of_many_galaxies_shows_some_of_them():
    rows = map_rows(3 * MOST_POINTS)
    assert len(set(rows)) == MOST_POINTS
    assert rows.max() > 2 * MOST_POINTS
    assert len(map_rows(7)) == 7


def test_sentences():
    material = make_material(40)
    text = run_sentence(material)
    assert "takes the rotation off each galaxy" in text
    trained = (
        "30 labelled galaxies and 500 images without votes, after 6,000 simulated ones, at 64 pixels, 20 epochs in"
    )
    assert f"{trained} 40 seconds, seed 0" in text
    accuracy = 100 * material.judged.evaluation.score("accuracy", "smooth-or-featured").value
    assert f"for {accuracy:.1f} % (90 % interval" in judgement_sentence(material)


def test_verdict_is_by_the_interval():
    judged = make_material(200).judged
    row = score_rows(judged.evaluation, judged.baseline, ("rmse", "log_likelihood", "interval_coverage"))[0]
    assert [cell.verdict for cell in row.cells] == ["better", "better", ""]
    assert row.galaxies == 200
    exchanged = score_rows(judged.baseline, judged.evaluation, ("rmse", "log_likelihood"))[0]
    assert [cell.verdict for cell in exchanged.cells] == ["worse", "worse"]
    assert score_rows(judged.evaluation, None, ("rmse",))[0].cells[0].baseline == ""


def test_best_epoch_is_among_those_of_the_classifier():
    run = make_material(10).run
    run.history.loc[0, "val_multinomial_log_likelihood"] = 99.0
    assert best_epoch(run) == 15


def test_figures_are_written_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("tfgalaxy.evaluation.report.panels.COMPARED", ("rmse",))
    material = make_material(12, SHAPE, shown=1)
    paths = write_figures(material, tmp_path / "figures")
    names = {path.stem for path in paths}
    assert len(paths) == 2 * len(names)
    assert {"poses", "prior-samples", "latent-map-PCA", "gallery-most-wrong", "confusion-shape", "score-rmse"} <= names
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(path.name for path in paths)
