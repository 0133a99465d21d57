"""The page in a real browser, opened from disk: skipped, and it says so, where there is none."""

import base64
import io
import json
import shutil
from contextlib import contextmanager

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from figures import catalogue
from figures.drawing import Drawing
from figures.inputs import read
from figures.options import Options
from figures.report.page import write

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra test)")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: chromium)")

QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
EVIL = "<script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@contextmanager
def opened(browser, path, anchor="", **options):
    """Open a page from disk; what it logs and fetches must be nothing."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri() + anchor)
    yield page
    context.close()
    assert said == []
    outside = [url for url in asked if not url.startswith(("data:", "file:"))]
    assert outside == []


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory):
    """Return the page of two networks, one unit of which has an evil label."""
    from dissection.results.photographs import source

    folder = tmp_path_factory.mktemp("runs")
    for run in runs:
        shutil.copytree(run, folder / run.name)
    path = folder / "mini_scenes" / "units.csv"
    table = pd.read_csv(path, keep_default_na=False)
    table.loc[table["iou"].idxmax(), "label"] = EVIL
    table.to_csv(path, index=False)
    inputs = read([folder / run.name for run in runs], lambda part: source(part, None))
    found = catalogue.drawings(inputs, Options(sheets=2), ["distinct", "sheet"])
    drawn = [one for one in found if isinstance(one, Drawing)]
    return write(inputs, drawn, tmp_path_factory.mktemp("report"))


def count(page):
    return page.inner_text("#count")


def titles(page):
    return page.locator(".unit h4").all_text_contents()


def settle(page):
    page.wait_for_timeout(250)


def test_it_opens_from_disk_with_all_units(browser, report):
    with opened(browser, report) as page:
        assert count(page) == "768 of 768 units, 40 listed"
        scores = page.evaluate("[...document.querySelectorAll('.unit p')].map(p => p.innerText)")
        ious = [float(s.split("IoU ")[1][:5]) for s in scores if "IoU 0" in s]
        assert ious == sorted(ious, reverse=True)
        for image in page.locator(".drawn img").all():
            image.scroll_into_view_if_needed()
            settle(page)
            assert image.evaluate("i => i.complete && i.naturalWidth") > 100


def test_search_and_filters_change_the_rows(browser, report, runs):
    units = pd.read_csv(runs[1] / "units.csv", keep_default_na=False)
    said = pd.read_csv(runs[1] / "descriptions.csv", keep_default_na=False)
    here = units["layer"] == "layer4"
    has = units["label"].str.contains("car") | said["description"].str.contains("car")
    with opened(browser, report) as page:
        page.select_option("#network", "mini_objects")
        page.select_option("#layer", "layer4")
        settle(page)
        assert count(page).startswith(f"{here.sum()} of 768")
        page.fill("#search", "CAR")
        settle(page)
        assert count(page).startswith(f"{(here & has).sum()} of 768")
        page.select_option("#detector", "no")
        settle(page)
        assert count(page).startswith(f"{(here & has & ~units['detector']).sum()} of 768")
        page.click("button[type=reset]")
        settle(page)
        page.select_option("#category", "part")
        settle(page)
        assert set(page.locator(".unit .chip").all_text_contents()) == {"part"}


def test_agreement_and_order(browser, report, runs):
    checks = [pd.read_csv(run / "crosscheck.csv") for run in runs]
    same = sum(int(check["exact"].sum()) for check in checks)
    with opened(browser, report) as page:
        page.select_option("#agrees", "2")
        settle(page)
        assert count(page).split()[0] == str(same)
        page.select_option("#agrees", "")
        page.select_option("#order", "label")
        settle(page)
        assert titles(page)[:5] == sorted(titles(page), key=str.casefold)[:5]


def test_rows_and_pictures_come_as_one_scrolls(browser, report):
    with opened(browser, report) as page:
        assert page.locator(".top img").count() < 400
        for _ in range(3):
            page.locator("#rows").evaluate("e => e.lastElementChild.scrollIntoView()")
            settle(page)
        assert page.locator(".unit").count() > 80
        last = page.locator(".unit").nth(79)
        last.scroll_into_view_if_needed()
        settle(page)
        assert last.locator(".top img").count() == 10
        assert last.locator(".top img").first.evaluate("i => i.naturalWidth") == 112


def test_the_outline_lies_around_the_mask(browser, report, runs):
    with h5py.File(runs[1] / "scores.h5") as file:
        packed = file["layers/layer3/top/mask"][9, 0]
    mask = np.unpackbits(packed)[: 112 * 112].reshape(112, 112)
    rows, columns = np.nonzero(mask)
    with opened(browser, report, "#unit=mini_objects/layer3/9") as page:
        settle(page)
        box = page.evaluate(
            "(() => { const b = document.querySelector('.chosen .edge').getBBox();"
            " return [b.x, b.y, b.x + b.width, b.y + b.height]; })()"
        )
        area = page.evaluate(
            "(() => { const e = document.querySelector('.chosen .dim'); let n = 0;"
            " const point = e.ownerSVGElement.createSVGPoint();"
            " for (let y = 0; y < 112; y++) for (let x = 0; x < 112; x++) {"
            "  point.x = x + .5; point.y = y + .5; n += !e.isPointInFill(point); } return n; })()"
        )
    assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert area == mask.sum()


def test_a_link_leads_to_its_unit(browser, report):
    with opened(browser, report, "#unit=mini_objects/layer3/17") as page:
        settle(page)
        chosen = page.locator(".unit.chosen")
        assert "layer3 unit 17, mini_objects" in chosen.inner_text()
        assert chosen.evaluate("e => document.activeElement === e")
        box = chosen.bounding_box()
        assert 0 <= box["y"] < 900
        page.locator(".unit a").first.click()
        assert page.url.count("#unit=") == 1


def test_the_keyboard_is_enough(browser, report):
    with opened(browser, report) as page:
        page.keyboard.press("/")
        page.keyboard.type("wheel")
        settle(page)
        first = count(page)
        assert first != "768 of 768 units, 40 listed"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "network"
        page.keyboard.press("ArrowDown")
        settle(page)
        assert count(page) != first
        for _ in range(7):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')").startswith("#unit=")


def test_all_labels_of_a_unit_unfold(browser, report):
    with opened(browser, report) as page:
        page.locator(".unit summary").first.click()
        cells = page.locator(".unit table").first.inner_text()
        assert "object" in cells
        assert "CLIP" in cells


def test_an_evil_label_stays_text(browser, report):
    with opened(browser, report) as page:
        assert EVIL in titles(page)
        assert "taken" not in page.title()


def test_it_can_be_read_in_the_dark_and_printed(browser, report, tmp_path):
    with opened(browser, report, color_scheme="dark") as page:
        colours = page.evaluate(
            "(() => { const style = getComputedStyle(document.body);"
            " return [style.color, style.backgroundColor]; })()"
        )
        ink, back = (sum(map(int, c[4:-1].split(","))) for c in colours)
        assert ink - back > 400
        page.locator("#rows").scroll_into_view_if_needed()
        page.locator(".top img").first.wait_for()
        page.emulate_media(media="print")
        assert not page.is_visible("#controls")
        assert page.locator(".top img").first.bounding_box()["width"] <= 60
        assert len(page.pdf()) > 50_000


def _large(folder, units=512, images=10):
    """Write a run of three layers whose every top image is another photograph."""
    rng = np.random.default_rng(0)
    layers = ["layer2", "layer3", "layer4"]
    rows = [
        {"layer": layer, "unit": unit, "label": f"concept {unit % 90}", "category": "object",
         "iou": 0.05, "detector": True, "threshold": 1.0, "object-label": "x", "object-iou": 0.05}
        for layer in layers for unit in range(units)
    ]  # fmt: skip
    folder.mkdir()
    pd.DataFrame(rows).to_csv(folder / "units.csv", index=False)
    concepts = pd.DataFrame(rows).groupby(["layer", "label", "category"]).size()
    concepts.rename("units").reset_index().to_csv(folder / "concepts.csv", index=False)
    mask = np.zeros((112, 112), bool)
    mask[30:70, 40:80] = rng.random((40, 40)) < 0.9
    packed = np.broadcast_to(np.packbits(mask), (units, images, 112 * 14))
    with h5py.File(folder / "scores.h5", "w") as file:
        file["labels/name"], file["labels/category"] = ["-", "x"], ["", "object"]
        for number, layer in enumerate(layers):
            first = number * units * images
            group = file.create_group(f"layers/{layer}")
            group["top/image"] = first + np.arange(units * images).reshape(units, images)
            group["top/value"] = np.ones((units, images), np.float32)
            group.create_dataset("top/mask", data=packed, compression="gzip").attrs["grid"] = (
                112,
                112,
            )
            group["iou/category"] = np.full((units, 2), 0.05)
    settings = {"method": "iou", "layers": {}, "model": {"name": "large", "digest": "d"}}
    settings |= {"probe": {"name": "p", "images": 15360, "digest": "p"}}
    card = {"format": "dissection/1", "status": "complete", "settings": settings}
    card |= {"definitions": {}, "host": {}}
    (folder / "run.json").write_text(json.dumps(card))
    return folder


@pytest.mark.slow
def test_three_layers_of_512_units_stay_small_and_are_drawn_as_needed(browser, tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (14, 14, 3), np.uint8)

    def photograph(number):
        rolled = np.roll(noise, (number % 14, number // 14 % 14), (0, 1))
        return np.asarray(Image.fromarray(rolled).resize((112, 112), Image.Resampling.BICUBIC))

    inputs = read([_large(tmp_path / "run")], lambda _: photograph)
    path = write(inputs, [], tmp_path / "report")
    files = [p for p in path.parent.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 60e6
    assert len(files) > 15_000
    # what makes it open at once: only rows that are near are made, only their pictures fetched
    with opened(browser, path) as page:
        assert count(page) == "1536 of 1536 units, 40 listed"
        page.locator(".top img").first.evaluate("i => i.decode()")
        assert page.locator(".unit").count() == 40
        assert page.evaluate("performance.getEntriesByType('resource').length") < 400


def test_thumbnails_are_webp(report):
    text = report.read_text(encoding="utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    picture = Image.open(io.BytesIO(base64.b64decode(data["images"][0].split(",")[1])))
    assert (picture.format, picture.size) == ("WEBP", (112, 112))
