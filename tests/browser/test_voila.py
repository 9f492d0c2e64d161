"""The panel as an app of its own: notebooks/app.ipynb in Voilà."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from browser.conftest import server
from browser.looking import all_at_one_glance, look_into

APP = Path(__file__).parents[2] / "notebooks" / "app.ipynb"


def test_the_panel_is_an_app(open_page, run_axe, tmp_path):
    with server(tmp_path, "voila", str(APP), "--Voila.ip=127.0.0.1") as url:
        app = open_page(url, APP)
        panel = app.page.locator(".rfhosted-panel")
        panel.wait_for()
        panel.get_by_role("button", name="Run", exact=True).click()
        result = panel.get_by_role("img", name="Image with the result of object-detection")
        expect(result).to_be_visible(timeout=60_000)
        assert result.evaluate("image => image.complete && image.naturalWidth > 100")
        all_at_one_glance(panel, 0, 768)
        look_into(panel)
        assert app.page.get_by_text("import rfhosted", exact=True).count() == 0  # no code is shown
        app.screenshot("voila")
        assert run_axe(app.page, ".rfhosted-panel") == []
        # Voilà's own page loads its icons and widgets of others from there.
        assert [url for url in app.outside if not url.startswith("https://cdn.jsdelivr.net/")] == []
