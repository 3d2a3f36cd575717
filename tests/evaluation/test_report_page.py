"""The report's page as text: whole, closed in itself, safe, small, and of readable colours."""

import dataclasses
import re
from html.parser import HTMLParser
from importlib import resources

import pytest
from report_material import HOSTILE, make_material, with_id

from tfgalaxy.evaluation.report.page import report_page, with_readable_names

VOID = {"meta", "link", "img", "br", "col", "input", "hr"}
ALWAYS = ["learning", "scores", "calibration", "confusion", "gallery", "settings", "excluded"]


@pytest.fixture
def no_figures(monkeypatch):
    """Pages without figures, which take most of the time, where something else is looked at."""
    empty = {name: [] for name in ("scores", "reliability", "coverage", "confusion", "label-efficiency")}
    monkeypatch.setattr("tfgalaxy.evaluation.report.page.all_panels", lambda material: empty)


class Page(HTMLParser):
    """Elements of a page; fails at an end tag that ends something else."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.script = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text():
    return report_page(with_id(make_material(40), HOSTILE))


def test_sections_stand_in_the_table_of_contents(text):
    page = Page(text)
    sections = [section["id"] for section in page.all("section")]
    assert sections == [*ALWAYS[:5], "poses", "prior", "latent", *ALWAYS[5:]]
    assert [link["href"] for link in page.all("a")] == ["#main", *(f"#{name}" for name in sections)]
    assert page.all("html") == [{"lang": "en"}]


def test_nothing_is_asked_for_from_anywhere(text):
    page = Page(text)
    sources = [
        attributes[name]
        for _, attributes in page.elements
        for name in ("src", "href", "xlink:href", "action")
        if name in attributes
    ]
    assert {source.partition(",")[0] if source.startswith("data:") else source[:1] for source in sources} == {
        "#", "data:", "data:image/webp;base64"
    }  # fmt: skip
    assert all(found.startswith(("#", "data:")) for found in re.findall(r"url\(([^)]*)\)", text))
    assert "@import" not in text
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")


def test_every_picture_and_figure_says_what_it_shows(text):
    page = Page(text)
    pictures, plots = page.all("img"), [svg for svg in page.all("svg") if svg.get("class") == "plot"]
    assert len(pictures) == 3 * 6 * 3 + 4 * 2 + 6
    assert all(picture["alt"] for picture in pictures)
    assert len(plots) == 4 + 4 + 3 + 1 + 3
    assert all(plot["aria-label"] and plot["role"] == "img" for plot in plots)


def test_names_of_galaxies_are_text_and_no_markup(text):
    assert HOSTILE not in text
    page = Page(text)
    assert len(page.all("script")) == 2
    assert "\\u003cscript\\u003e" in text


def test_ids_are_unique(text):
    ids = [attributes["id"] for _, attributes in Page(text).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_without_a_vae_there_is_nothing_of_it(no_figures):
    text = report_page(make_material(20, regime="supervised"))
    assert [section["id"] for section in Page(text).all("section")] == [*ALWAYS[:5], "poses", *ALWAYS[5:]]
    assert "The VAE’s clock did not run" in text
    assert "reconstruction" not in text.partition("<body>")[2].replace("there are no reconstructions", "")


def test_without_a_pose_and_a_baseline(no_figures):
    material = make_material(20)
    judged = dataclasses.replace(material.judged, pose_matrix=None, pose_concentration=None, baseline=None)
    groups = {name: rows for name, rows in material.shown.groups.items() if name != "Poses"}
    shown = dataclasses.replace(material.shown, groups=groups)
    text = report_page(dataclasses.replace(material, judged=judged, shown=shown))
    sections = [section["id"] for section in Page(text).all("section")]
    assert "poses" not in sections
    assert '<svg class="arrow"' not in text
    assert "<small>means" not in text


def test_excluded_images_are_listed_up_to_a_number(no_figures):
    material = make_material(20, regime="supervised")
    many = tuple((str(row), f"{row}.jpg", "cut short") for row in range(1000))
    run = dataclasses.replace(material.run, excluded=many)
    text = report_page(dataclasses.replace(material, run=run))
    assert "1,000 left out, the first 200 of them below" in text
    assert text.count("cut short") == 200


def test_five_thousand_galaxies_take_less_than_eight_megabytes():
    text = report_page(make_material(5000, size=64))
    assert len(text.encode()) < 8_000_000
    assert "5,000 of 5,000" in text


def test_names_are_readable_in_all_parts():
    material = with_readable_names(make_material(20, "gz2"))
    names = [question.name for question in material.questions.questions]
    assert names[:2] == ["smooth or features", "edgeon"]
    assert list(material.judged.evaluation.question_names) == names
    assert list(material.judged.baseline.question_names) == names


def luminance(colour):
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    """Of WCAG 2."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_have_contrast_in_light_and_dark(scheme):
    css = (resources.files("tfgalaxy.evaluation.report") / "templates" / "report.css").read_text()
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", css.split(":root")[1 + scheme]))
    for ground in ("bg", "surface"):
        for name in ("ink", "muted", "link", "good", "bad", "c0", "c1"):  # all of which are colours of text too
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in ("c2", "c3", "c4", "c5"):
            assert contrast(colours[name], colours[ground]) >= 3, (name, ground)
    # Text on the darkest cell of a confusion matrix, which is half of the first colour over the surface.
    mixed = [(int(colours["c0"][i : i + 2], 16) + int(colours["surface"][i : i + 2], 16)) // 2 for i in (1, 3, 5)]
    assert contrast(colours["ink"], "#" + "".join(f"{part:02x}" for part in mixed)) >= 4.5
