"""The report in a real browser: figures, a phone, the dark, no network, and no harm from names."""

import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_study import SmallStudy
from test_predict import photograph

from nas.datasets.dataset import Dataset
from nas.prediction.pictures import picture
from nas.report.page import report_page, write
from nas.report.trying import model_to_try
from nas.study.confirmation import confirmation_of
from nas.study.record import ranked, records

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver  # noqa: E402
from selenium.webdriver import ActionChains  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
N_FIGURES = 3  # the importance of axes needs more trials than this study has

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="neither Chromium nor its driver is installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(searched: SmallStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    write(report_page(searched.study, searched.checkpoints), file)
    return file


def show(browser: webdriver.Chrome, page: Path, *, width: int = 1280, dark: bool = False, scripts: bool = True) -> None:
    phone = width < 500
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": phone}
    colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    for log in ("browser", "performance"):
        browser.get_log(log)  # what was before is forgotten
    browser.get(page.as_uri())


def style(browser: webdriver.Chrome, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    value: str = browser.execute_script(script, selector, name)
    return value


def test_figures_are_drawn_without_errors_and_nothing_is_fetched(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".plot > svg")) == N_FIGURES
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert page.as_uri() in asked
    assert [url for url in asked if url != page.as_uri() and not url.startswith(("data:", "blob:"))] == []


def without_spaces(text: str) -> str:
    return "".join(text.split())


def told(browser: webdriver.Chrome) -> str:
    output = WebDriverWait(browser, 10).until(lambda b: b.find_element(By.CSS_SELECTOR, "output:not(:empty)"))
    text: str = output.text
    return without_spaces(text)


def winner_mark(browser: webdriver.Chrome) -> WebElement:
    mark = browser.find_element(By.CSS_SELECTOR, ".plot .mark.winner")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)
    return mark


def test_a_click_near_a_mark_tells_its_layers_as_its_title_does(
    browser: webdriver.Chrome, page: Path, searched: SmallStudy
) -> None:
    show(browser, page)
    mark = winner_mark(browser)
    ActionChains(browser).move_to_element_with_offset(mark, 9, 9).click().perform()
    winner, text = ranked(searched.study)[0], told(browser)
    assert text == without_spaces(browser.execute_script("return arguments[0].textContent", mark))
    assert without_spaces(f"trial {winner.trial}") in text
    assert without_spaces(f"{100 * (winner.accuracy or 0):.2f} %") in text
    assert without_spaces(winner.network) in text  # lines break wherever a long list of layers needs it


def test_a_tap_tells_layers_too(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page, width=360)
    where = "const r = arguments[0].getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2}"
    touched = browser.execute_script(where, winner_mark(browser))
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [touched]})
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert without_spaces("conv 3×3") in told(browser)


def test_nothing_lies_on_a_figure_of_a_phone(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page, width=390)
    covered = """
        return [...document.querySelectorAll(".plot .mark")].filter((mark) => {
          mark.scrollIntoView({block: "center"});
          const r = mark.getBoundingClientRect();
          const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
          return top === null || !mark.closest(".plot").contains(top);
        }).length
    """
    assert browser.execute_script(covered) == 0
    assert browser.find_elements(By.CSS_SELECTOR, "figure button") == []


def test_the_table_of_trials_is_as_wide_as_the_window(browser: webdriver.Chrome, page: Path) -> None:
    width = "return document.querySelector('.wide table').getBoundingClientRect().width"
    for window in (1280, 1900):
        show(browser, page, width=window)
        assert window - 64 <= browser.execute_script(width) <= window


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_does_not_scroll_sideways(browser: webdriver.Chrome, page: Path, dark: bool) -> None:
    show(browser, page, width=360, dark=dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    widths = "return [...document.querySelectorAll('.plot > svg')].map(s => s.getBoundingClientRect().right)"
    assert all(right <= 360 for right in browser.execute_script(widths))
    assert browser.execute_script("return document.querySelector('.scroll').tabIndex") == 0  # reached by keyboard


def test_figures_follow_the_width_of_the_window(browser: webdriver.Chrome, page: Path) -> None:
    width = "return document.querySelector('.plot > svg').getBoundingClientRect().width"
    show(browser, page, width=360)
    narrow = browser.execute_script(width)
    size = {"width": 900, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    WebDriverWait(browser, 10).until(lambda b: b.execute_script(width) > 2 * narrow)


def test_the_dark_changes_the_page_and_its_figures(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page)
    tick = ".plot text"
    light = style(browser, "body", "backgroundColor"), style(browser, tick, "fill")
    assert light[0] == "rgb(255, 255, 255)"
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    WebDriverWait(browser, 10).until(lambda b: style(b, tick, "fill") != light[1])
    assert brightness(style(browser, "body", "backgroundColor")) < 40
    assert brightness(style(browser, tick, "fill")) > 150


def test_paper_is_white_and_nothing_on_it_scrolls_also_for_who_likes_it_dark(
    browser: webdriver.Chrome, page: Path
) -> None:
    show(browser, page, dark=True)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    assert style(browser, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert style(browser, ".wide .scroll", "maxHeight") == "none"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_click_on_a_heading_sorts_the_trials(browser: webdriver.Chrome, page: Path, searched: SmallStudy) -> None:
    show(browser, page)
    accuracies = [
        100 * (r.accuracy or 0) for r in records(searched.study) if r.outcome in ("finished", "pruned", "running")
    ]
    assert sorted(column(browser, "accuracy (%)")) == sorted(round(accuracy, 2) for accuracy in accuracies)
    heading = browser.find_element(By.XPATH, "//table[contains(@class, 'sortable')]//button[text()='accuracy (%)']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", heading)
    heading.click()
    assert column(browser, "accuracy (%)") == sorted(column(browser, "accuracy (%)"))
    heading.click()
    assert column(browser, "accuracy (%)") == sorted(column(browser, "accuracy (%)"), reverse=True)
    assert heading.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"


def test_what_is_not_known_comes_last_in_both_directions(browser: webdriver.Chrome, page: Path) -> None:
    show(browser, page)
    first = "document.querySelector('table.sortable').tBodies[0].rows[0].cells[1]"
    browser.execute_script(f"{first}.textContent = '–'")
    heading = browser.find_element(By.XPATH, "//table[contains(@class, 'sortable')]//button[text()='accuracy (%)']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", heading)
    for downwards in (False, True):
        heading.click()
        *known, unknown = column(browser, "accuracy (%)")
        assert unknown is None
        assert known == sorted(known, reverse=downwards)


def test_an_unkind_name_stays_a_name(browser: webdriver.Chrome, page: Path, searched: SmallStudy) -> None:
    show(browser, page)
    name = f"Study {searched.study.study_name}"
    assert browser.find_element(By.CSS_SELECTOR, "h1 + p").text == name
    assert browser.title == browser.find_element(By.TAG_NAME, "h1").text
    assert browser.find_elements(By.TAG_NAME, "b") == []


def test_text_tables_and_figures_are_there_without_javascript(
    browser: webdriver.Chrome, page: Path, searched: SmallStudy
) -> None:
    show(browser, page, scripts=False)
    text = browser.find_element(By.TAG_NAME, "body").text
    without = len(browser.find_elements(By.CSS_SELECTOR, ".plot .mark"))
    show(browser, page)
    assert without == len(browser.find_elements(By.CSS_SELECTOR, ".plot .mark")) > 0
    assert all(record.network in text for record in records(searched.study) if record.network)


def column(browser: webdriver.Chrome, name: str) -> list[float]:
    script = """
        const table = document.querySelector("table.sortable");
        const i = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === arguments[0]);
        return [...table.tBodies[0].rows].map((row) => parseFloat(row.cells[i].textContent));
    """
    values: list[float] = browser.execute_script(script, name)
    return values


def brightness(colour: str) -> float:
    numbers = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


# Trying it ------------------------------------------------------------------------------------------------------------


def answered(browser: webdriver.Chrome) -> list[tuple[str, float]]:
    """The classes that the page tells, with their shares."""
    rows = WebDriverWait(browser, 10).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#shares tr"))
    told = [row.text.rsplit(" ", 2) for row in rows]
    assert browser.find_element(By.ID, "answer").text == told[0][0]
    return [(name, float(share) / 100) for name, share, _ in told]


def known_of(searched: SmallStudy, image: Image.Image) -> list[tuple[str, float]]:
    """The same by the trained network itself, or the confirmed one, where another test has confirmed the study."""
    (winner, *_), study = ranked(searched.study), searched.study
    model = model_to_try(study, winner, confirmation_of(study, winner.trial), searched.checkpoints, None)
    made = picture(image, model.architecture.input_shape, model.mean, framing=model.framing)
    with torch.no_grad():
        shares = model.network()(made.pixels[None]).softmax(1)[0].tolist()
    return sorted(zip(model.classes, shares, strict=True), key=lambda each: -each[1])[:5]


def same(told: list[tuple[str, float]], known: list[tuple[str, float]]) -> bool:
    return [share for _, share in told] == pytest.approx([share for _, share in known], abs=0.02)


def pen(browser: webdriver.Chrome, touch: bool) -> None:
    """Draws an angle, as a 7 has it."""
    drawing = browser.find_element(By.ID, "drawing")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", drawing)
    box = browser.execute_script("const b = arguments[0].getBoundingClientRect(); return [b.x, b.y, b.width]", drawing)
    corners = [(0.25, 0.2), (0.75, 0.2), (0.7, 0.35), (0.45, 0.8)]
    for n, (x, y) in enumerate(corners):
        place = {"x": box[0] + x * box[2], "y": box[1] + y * box[2]}
        if touch:
            kind = "touchMove" if n else "touchStart"
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
        else:
            event = {"type": "mouseMoved" if n else "mousePressed", "button": "left", "buttons": 1, "clickCount": 1}
            browser.execute_cdp_cmd("Input.dispatchMouseEvent", {**event, **place})
    if touch:
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    else:
        event = {"type": "mouseReleased", "button": "left", "buttons": 0, "clickCount": 1}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", {**event, **place})


@pytest.mark.parametrize(("width", "n_columns"), [(1280, 2), (390, 1)])
def test_settings_stand_in_two_columns_where_there_is_room(
    browser: webdriver.Chrome, page: Path, width: int, n_columns: int
) -> None:
    show(browser, page, width=width)
    lists = browser.find_elements("css selector", "dl")
    assert lists
    for each in lists:
        assert len({fact.rect["x"] for fact in each.find_elements("css selector", "div")}) == n_columns


@pytest.mark.parametrize(("width", "touch"), [(1280, False), (390, True)], ids=["mouse", "finger"])
def test_what_is_drawn_is_classified_as_the_network_classifies_it(
    browser: webdriver.Chrome, page: Path, searched: SmallStudy, width: int, touch: bool
) -> None:
    show(browser, page, width=width)
    pen(browser, touch)
    told = answered(browser)
    url = browser.execute_script("return document.getElementById('drawing').toDataURL()")
    drawn = Image.open(BytesIO(b64decode(url.partition(",")[2])))
    assert np.asarray(drawn.convert("L")).max() == 255, "light on dark, as the training images"
    assert same(told, known_of(searched, drawn)), told
    assert "centred" in browser.find_element(By.ID, "done").text
    browser.execute_script("document.getElementById('clear').click()")
    assert browser.find_elements(By.CSS_SELECTOR, "#shares tr") == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def drop(browser: webdriver.Chrome, file: Path) -> None:
    """Lets go of a file over the section, as from another window."""
    content = b64encode(file.read_bytes()).decode()
    browser.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0)), moved = new DataTransfer();"
        "moved.items.add(new File([bytes], arguments[1]));"
        "const event = new DragEvent('drop', { dataTransfer: moved, bubbles: true, cancelable: true });"
        "document.getElementById('answer').dispatchEvent(event);"
        "window.wasTaken = event.defaultPrevented;",
        content,
        file.name,
    )


def test_a_picture_that_is_dropped_is_classified(
    browser: webdriver.Chrome, page: Path, searched: SmallStudy, mnist: Dataset, tmp_path: Path
) -> None:
    show(browser, page)
    photo = photograph(mnist.images[4002, 0].numpy(), 2)
    photo.save(tmp_path / "photo.png")
    drop(browser, tmp_path / "photo.png")
    told = answered(browser)
    assert same(told, known_of(searched, photo)), told
    assert browser.execute_script("return window.wasTaken"), "else the browser would leave the page for the picture"


def test_a_picture_that_is_chosen_is_classified_and_another_file_refused(
    browser: webdriver.Chrome, page: Path, searched: SmallStudy, mnist: Dataset, tmp_path: Path
) -> None:
    show(browser, page)
    photo = photograph(mnist.images[4001, 0].numpy(), 1)
    photo.save(tmp_path / "photo.png")
    browser.find_element(By.ID, "picture").send_keys(str(tmp_path / "photo.png"))
    told = answered(browser)
    assert same(told, known_of(searched, photo)), told
    assert "inverted, cropped" in browser.find_element(By.ID, "done").text
    (tmp_path / "no.png").write_text("no picture")
    browser.find_element(By.ID, "picture").send_keys(str(tmp_path / "no.png"))
    WebDriverWait(browser, 10).until(lambda b: "no picture" in b.find_element(By.ID, "answer").text)


def test_a_confirmed_network_is_the_one_to_try(confirmed: SmallStudy) -> None:
    text = report_page(confirmed.study, confirmed.checkpoints)
    assert "by the confirmed network of the first seed" in text
    assert len(text) < 250_000
