"""Looking into the image of a panel, in any front end: pointers, rows of the table, keys."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect

#: Where what matters is found in a panel.
MATTERS = {
    "image": ".rfhosted-stage",
    "confidence": "label:text-is('Confidence') + input, label:text-is('Confidence')",
    "classes": "label:text-is('Classes')",
    "task": "label:text-is('Task type')",
    "version": "label:text-is('API version')",
    "size": "label:text-is('Image size')",
    "run": "button:text-matches('^Run')",
}

#: The middle of the box that is lit, as fractions of the image.
MIDDLE = """ring => {
  const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(
    name => Number(ring.getAttribute(name)));
  const [left, top, across, down] = ring.ownerSVGElement.getAttribute('viewBox').split(' ');
  return [(x + width / 2 - left) / across, (y + height / 2 - top) / down];
}"""


def look_into(panel: Locator) -> None:
    """Hover, isolate, zoom, pan and download in a panel that shows objects of an image."""
    page, view = panel.page, panel.locator(".rfhosted-view")
    stage, ring = view.get_by_role("application"), view.locator(".rfhosted-ring")
    expect(view).to_have_attribute("data-state", "drawn")
    expect(ring).not_to_be_visible()
    panel.locator("[data-object]").first.hover()
    expect(ring).to_be_visible()
    across, down = ring.evaluate(MIDDLE)
    view.scroll_into_view_if_needed()
    image = view.locator(".rfhosted-world").bounding_box()
    x, y = image["x"] + across * image["width"], image["y"] + down * image["height"]
    page.mouse.move(x, y)
    tip = view.locator(".rfhosted-tip")
    expect(tip).to_be_visible()
    name, confidence = tip.inner_text().rsplit(" ", 1)
    assert 0 < float(confidence) <= 1
    lit = panel.locator("[data-object]").filter(has_text=name).first
    expect(lit).to_be_visible()
    outlines = "rows => rows.map(row => getComputedStyle(row).outlineStyle)"
    assert panel.locator("[data-object]").evaluate_all(outlines).count("solid") == 1
    page.mouse.click(x, y)
    spoken, dim = view.locator("[aria-live]"), view.locator(".rfhosted-dim")
    expect(spoken).to_contain_text(f"Isolated: {name} {confidence}")
    expect(dim).to_be_visible()
    page.keyboard.press("Escape")
    expect(dim).not_to_be_visible()
    _zoom(panel, stage, (x, y))
    _use_the_keyboard(panel, stage)


def _zoom(panel: Locator, stage: Locator, place: tuple[float, float]) -> None:
    page, view = panel.page, panel.locator(".rfhosted-view")
    fits = page.locator(".rfhosted-world").bounding_box()
    page.mouse.move(*place)
    page.mouse.wheel(0, -300)
    expect(stage).not_to_have_attribute("data-zoom", "1.000")
    view.get_by_role("button", name="Fit the whole image").click()
    expect(stage).to_have_attribute("data-zoom", "1.000")
    view.get_by_role("button", name="Full size").click()
    drawn = view.locator(".rfhosted-drawn")
    full = "image => Math.abs(image.getBoundingClientRect().width - image.naturalWidth) < 2"
    for _ in range(100):
        if drawn.evaluate(full):
            break
        page.wait_for_timeout(100)
    assert drawn.evaluate(full)
    before = page.locator(".rfhosted-world").bounding_box()
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0] - 50, place[1] - 40)
    page.mouse.up()
    after = page.locator(".rfhosted-world").bounding_box()
    assert (before["x"], before["y"]) != (after["x"], after["y"])
    view.get_by_role("button", name="Fit the whole image").click()
    assert page.locator(".rfhosted-world").bounding_box() == fits


def _use_the_keyboard(panel: Locator, stage: Locator) -> None:
    page, spoken = panel.page, panel.locator(".rfhosted-view [aria-live]")
    stage.focus()
    page.keyboard.press("+")
    expect(stage).to_have_attribute("data-zoom", "1.500")
    page.keyboard.press("0")
    expect(stage).to_have_attribute("data-zoom", "1.000")
    page.keyboard.press("n")
    expect(spoken).to_contain_text("1 of")
    page.keyboard.press("Enter")
    expect(spoken).to_contain_text("Isolated")
    page.keyboard.press("Escape")
    row = panel.locator("[data-object]").last
    row.focus()
    page.keyboard.press("Enter")
    expect(spoken).to_contain_text("Isolated")
    page.keyboard.press("Enter")
    expect(spoken).to_have_text("")


def download(panel: Locator, folder: Path) -> tuple[str, Image.Image]:
    """The name and the image of the view's download."""
    with panel.page.expect_download() as found:
        panel.get_by_role("button", name="Download the annotated image").click()
    path = folder / "downloaded.jpg"
    found.value.save_as(path)
    return found.value.suggested_filename, Image.open(path)


def all_at_one_glance(panel: Locator, top: float, bottom: float) -> None:
    """What matters is visible together between two heights of the page."""
    panel.evaluate("panel => panel.scrollIntoView()")
    for name, selector in MATTERS.items():
        part = panel.locator(selector).first
        expect(part).to_be_visible()
        box = part.bounding_box()
        assert box["y"] >= top - 1, name
        assert box["y"] + box["height"] <= bottom + 1, name
