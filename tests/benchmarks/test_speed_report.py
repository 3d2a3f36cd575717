"""Medians beside targets, and the part of a page that a benchmark writes."""

from speed_report import Measured, machine, replace_part


def test_the_median_is_judged_and_the_spread_shown():
    figure = Measured.of("a step", [5.0, 7.0, 20.0], "times", 6, at_least=True)
    assert (figure.value, figure.reached) == (7.0, True)
    assert figure.cells() == ("a step", "7 times (5 to 20)", "at least 6", "yes")


def test_a_single_value_has_no_spread():
    assert Measured.of("a peak", [3.5], "GB", 3).cells() == ("a peak", "3.5 GB", "at most 3", "no")


def test_only_the_named_part_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- a -->\nold\n<!-- end of a -->\n<!-- b -->\nkept\n<!-- end of b -->\n", "utf-8")
    replace_part(page, "a", "new\n")
    assert page.read_text("utf-8") == (
        "above\n<!-- a -->\nnew\n<!-- end of a -->\n<!-- b -->\nkept\n<!-- end of b -->\n"
    )


def test_a_new_page_can_be_replaced_again(tmp_path):
    page = tmp_path / "page.md"
    for text in ("first", "second"):
        replace_part(page, "a", text)
    assert page.read_text("utf-8") == "<!-- a -->\nsecond\n<!-- end of a -->\n"


def test_the_machine_is_named():
    record = machine()
    assert record["cores"] >= 1
    assert record["processor"]
    assert record["commit"]
    assert record["versions"]["tensorflow"]
