"""Matplotlib figures as inline SVG that takes the page's colours and fonts, in light and dark."""

from __future__ import annotations

import html
import io
import re

import matplotlib as mpl
from matplotlib.axes import Axes

from tfgalaxy.evaluation.figures import COLOURS

__all__ = ["inline_svg"]

# Colours that figures use, and the page's that stand for them (templates/report.css).
PAGE_COLOURS = {
    **{colour.lower(): f"var(--c{index})" for index, colour in enumerate(COLOURS[:-1])},
    "#000000": "currentColor",
    "#595959": "var(--muted)",
    "#999999": "var(--line)",
    "#b0b0b0": "var(--line)",
}
POINTS_PER_PIXEL = 0.75


def inline_svg(axes: Axes, name: str, description: str) -> str:
    """The figure of some axes as an `<svg>` element for an HTML page.

    Text stays text, in the page's font; colours become the page's variables; the background is left out. Ids are
    unique among figures of different names.

    Args:
        axes: any axes of the figure.
        name: of the figure.
        description: what a reader who does not see it should know.
    """
    figure = axes.figure.figure
    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    content = stream.getvalue()
    content = content[content.index("<svg") :]
    box = re.search(r'viewBox="([^"]*)"', content)
    assert box is not None  # matplotlib writes one always
    width = float(box.group(1).split()[2]) / POINTS_PER_PIXEL
    body = content[content.index(">") + 1 :]
    label = html.escape(description)
    root = (
        f'<svg class="plot" role="img" aria-label="{label}" viewBox="{box.group(1)}" style="max-width:{width:.0f}px">'
    )
    return root + _for_the_page(body)


def _for_the_page(body: str) -> str:
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<defs>\s*<style type="text/css">.*?</style>\s*</defs>', "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    for colour, variable in PAGE_COLOURS.items():
        body = body.replace(colour, variable)
    body = re.sub(r"font: ([^';\"]*px) [^;\"]*", r"font: \1 var(--font)", body)
    body = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", body)
    # A hundredth of a point is less than any screen shows.
    body = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path.group()), body)
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: found.group() if found.group(1) in referred else "", body)
    return re.sub(r"\s*\n\s*", "\n", body).strip()
