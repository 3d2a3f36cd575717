"""The report in a real browser: Chromium without a window, where it is installed."""

import shutil

import pytest
from report_material import make_material

from tfgalaxy.evaluation.report.page import report_page

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# What a reader of the keyboard must come to.
REACHED = "a[href], select, summary, [tabindex='0']"
DECODED = """
const done = arguments[0];
const uris = [...document.images].map((image) => image.src);
uris.push(getComputedStyle(document.getElementById("map-thumb")).backgroundImage.slice(5, -2));
Promise.all(uris.map((uri) => {
  const image = new Image();
  image.src = uri;
  return image.decode().then(() => image.naturalWidth > 0, () => false);
})).then(done);
"""
# Pairs of texts of a figure whose boxes meet, and texts that reach out of their figure.
FAULTS = """
const faults = [];
for (const plot of document.querySelectorAll("svg.plot")) {
  const outer = plot.getBoundingClientRect();
  const boxes = [...plot.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  boxes.forEach(([name, box], index) => {
    if (box.left < outer.left - 1 || box.right > outer.right + 1 || box.top < outer.top - 1
      || box.bottom > outer.bottom + 1) faults.push(`${name} is cut off in ${plot.ariaLabel}`);
    for (const [other, b] of boxes.slice(index + 1)) {
      const width = Math.min(box.right, b.right) - Math.max(box.left, b.left);
      const height = Math.min(box.bottom, b.bottom) - Math.max(box.top, b.top);
      if (width > 2 && height > 4) faults.push(`${name} meets ${other} in ${plot.ariaLabel}`);
    }
  });
}
return faults;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(report_page(make_material(60, "gz2")), encoding="utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.page = (folder / "report.html").as_uri()
    yield driver
    driver.quit()


def show(browser, width=1280, scheme="light"):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(browser.page)


def press(browser, *keys):
    chain = webdriver.ActionChains(browser)
    for key in keys:
        chain.send_keys(key)
    chain.perform()


@pytest.mark.parametrize("width", [400, 1280])
def test_page_is_whole(browser, width):
    show(browser, width)
    assert browser.get_log("browser") == []
    assert all(browser.execute_async_script(DECODED))
    widths = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert widths[0] == widths[1]
    assert width - 20 <= widths[1] <= width
    assert browser.execute_script(FAULTS) == []


def test_every_control_is_reached_and_shows_it(browser):
    show(browser)
    tab = webdriver.Keys.TAB
    controls = f"""[...document.querySelectorAll("{REACHED}")].filter((one) => one.checkVisibility())"""
    wanted = browser.execute_script(f"return {controls}.length")
    assert wanted > 40
    browser.execute_script("window.reached = new Set(); window.unseen = [];")
    for _ in range(wanted):
        press(browser, tab)
        browser.execute_script(
            "const one = document.activeElement; window.reached.add(one);"
            "if (getComputedStyle(one).outlineStyle === 'none') window.unseen.push(one.outerHTML.slice(0, 80));"
        )
    rest = ".filter((one) => !window.reached.has(one)).map((one) => one.outerHTML.slice(0, 80))"
    assert browser.execute_script(f"return {controls}{rest}") == []
    assert browser.execute_script("return window.unseen") == []


def card_text(browser):
    return browser.find_element("id", "map-card").text


def test_map_tells_galaxies_by_keys(browser):
    show(browser)
    browser.execute_script("document.getElementById('map').focus()")
    press(browser, webdriver.Keys.ARROW_RIGHT)
    first = card_text(browser)
    assert "5877227725" in first
    assert "smooth or features" in first
    press(browser, webdriver.Keys.ARROW_RIGHT)
    assert card_text(browser) not in ("", first)
    assert browser.find_element("id", "map-thumb").is_displayed()
    press(browser, webdriver.Keys.ESCAPE)
    assert not browser.find_element("id", "map-thumb").is_displayed()
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [400, 1280])
def test_map_tells_the_galaxy_that_is_pointed_at(browser, width):
    show(browser, width)
    # The middle point of the canvas is the nearest one's place, or the map's own choice from the keyboard.
    browser.execute_script("document.getElementById('map').scrollIntoView({block: 'center', behavior: 'instant'})")
    places = browser.execute_script(
        "const box = document.querySelector('#map canvas').getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]"
    )
    found = set()
    for x in (0.35, 0.45, 0.55, 0.65):
        for y in (0.4, 0.6):
            point = {"x": places[0] + x * places[2], "y": places[1] + y * places[3]}
            browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", **point})
            found.add(card_text(browser).partition("\n")[0])
    assert len(found) > 2
    thumb, inside = browser.execute_script(
        "return ['map-thumb', 'map'].map((id) => {"
        "const box = document.getElementById(id).getBoundingClientRect(); return [box.left, box.right, box.top]})"
    )
    assert inside[0] <= thumb[0] <= thumb[1] <= inside[1]
    assert thumb[2] >= inside[2]


def test_map_takes_another_question_and_counts_all_galaxies(browser):
    show(browser)
    chooser = browser.find_element("id", "map-question")
    chooser.find_elements("tag name", "option")[3].click()
    browser.find_element("id", "map-source").find_elements("tag name", "option")[1].click()
    legend = browser.find_element("id", "map-legend").text
    assert "nobody asked" in legend
    assert sum(int(line.rpartition("(")[2].rstrip(")")) for line in legend.split("\n")) == 60


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 28)")])
def test_colours_follow_the_reader(browser, scheme, ground):
    show(browser, scheme=scheme)
    colours = browser.execute_script(
        "const of = (one, name) => getComputedStyle(one)[name];"
        "return [of(document.body, 'backgroundColor'), of(document.querySelector('svg.plot text'), 'fill'),"
        " of(document.body, 'color')]"
    )
    assert colours[0] == ground
    assert colours[1] == colours[2]
