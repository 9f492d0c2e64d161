"""The recorded exchanges with the real server software, and the images that were sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

RECORDINGS = Path(__file__).parents[1] / "recordings"


IMAGES = RECORDINGS / "images"


@dataclass
class Recording:
    """One exchange with the real server software."""

    name: str
    data: dict

    @property
    def request(self) -> dict:
        return self.data["request"]

    @property
    def status(self) -> int:
        return self.data["response"]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.data["response"]["headers"])

    @property
    def body(self) -> bytes:
        return self.data["response"].get("body_text", "").encode()

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type") == "application/json"

    @property
    def json(self) -> object:
        return json.loads(self.body)


def recordings() -> list[Recording]:
    files = sorted(RECORDINGS.glob("*/*.json"))
    return [Recording(f"{f.parent.name}/{f.stem}", json.loads(f.read_text())) for f in files]


def prompted_recordings(*families: str) -> list[Recording]:
    """The exchanges of prompted models: "sam2", "yolo-world", …; their names are "sam2/embed"."""
    files = sorted(f for each in families for f in (RECORDINGS / "prompted" / each).glob("*.json"))
    return [Recording(f"{f.parent.name}/{f.stem}", json.loads(f.read_text())) for f in files]


def prompted_image(name: str) -> Path:
    """The file of an image that was sent to a prompted model."""
    own = RECORDINGS / "prompted" / "images" / name
    return own if own.exists() else IMAGES / name
