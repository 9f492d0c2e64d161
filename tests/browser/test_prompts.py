"""Prompted models in the panel: points and boxes on the image, in JupyterLab in a browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from browser.test_explorer import Panel

MASK = {"format": "polygon", "confidence": 0.9}
PART = [[200, 100], [330, 100], [330, 250], [200, 250]]
FOUND = json.dumps({"predictions": [MASK | {"masks": [PART]}], "time": 0.1})
#: A server in the kernel, whose every response is the one that is set; it keeps the requests.
SERVER = """
import http.server, json, threading
import rfhosted
sent, canned = [], [200, {found!r}]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sent.append((self.path, json.loads(body)))
        content = canned[1].encode()
        self.send_response(canned[0])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{{server.server_port}}"
explorer = rfhosted.explore(client=rfhosted.Client("key", base_url=url, retries=0))
explorer
"""


@pytest.fixture
def open_prompts(open_notebook):
    """``open_prompts(**page)``: a panel whose task type is segment by prompt."""

    def opened(**page):
        panel = Panel(open_notebook([SERVER.format(found=FOUND)], **page))
        panel.choose("Task type", "Segment by prompt")
        expect(panel.field("Points")).to_be_visible()
        return panel

    return opened


def _at(panel, across, down):
    """A place on the image, in pixels of the page, from fractions of it."""
    box = panel.whole.locator(".rfhosted-world").bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_click_on_the_image_gives_a_mask(open_prompts, run_axe, theme):
    panel = open_prompts(theme=theme, height=1200)
    run = panel.whole.get_by_role("button", name=re.compile("^Run")).first
    expect(run).to_be_disabled()
    panel.page.mouse.click(*_at(panel, 0.5, 0.4))  # the first click was on the task type
    expect(panel.field("Points")).to_have_value(re.compile(r"^[\d.]+ [\d.]+$"))
    run.click()
    expect(panel.status).to_contain_text("Response received")
    expect(panel.image).to_have_attribute("alt", re.compile("instance-segmentation"))
    assert "/sam3/visual_segment" in panel.notebook.ask_kernel("print(sent[-1][0])")
    panel.notebook.screenshot(f"prompts-{theme}-point")
    assert run_axe(panel.page, ".rfhosted-panel") == []
    assert panel.notebook.complaints == []


def test_shift_click_box_and_undo(open_prompts):
    panel = open_prompts(height=1200)
    mouse = panel.page.mouse
    mouse.click(*_at(panel, 0.5, 0.4))
    expect(panel.field("Points")).not_to_have_value("")
    panel.page.keyboard.down("Shift")
    mouse.click(*_at(panel, 0.2, 0.2))
    panel.page.keyboard.up("Shift")
    expect(panel.field("Points")).to_have_value(re.compile("; .* not$"))
    mouse.move(*_at(panel, 0.3, 0.3))
    mouse.down()
    mouse.move(*_at(panel, 0.7, 0.8), steps=4)
    mouse.up()
    expect(panel.field("Boxes")).not_to_have_value("")
    expect(panel.field("Names")).to_be_disabled()
    expect(panel.whole.locator(".rfhosted-prompts path")).to_have_count(6)
    panel.notebook.screenshot("prompts-light-marks")
    panel.button("Undo").click()
    expect(panel.field("Boxes")).to_have_value("")


def test_a_402_says_what_to_do(open_prompts):
    panel = open_prompts(height=1200)
    panel.notebook.ask_kernel("canned[:] = [402, '{}']")
    panel.fill("Names", "dog")
    panel.whole.get_by_role("button", name=re.compile("^Run")).first.click()
    expect(panel.status).to_contain_text("PaymentRequiredError")
    panel.notebook.screenshot("prompts-light-402")
