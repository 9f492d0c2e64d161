"""An image that one can look into: zoom, pan, boxes that light up, clicks reported in pixels.

The browser's part is ``image_view.js``. At rest it shows the JPEG that supervision drew. While a
threshold moves, it draws the boxes itself over the photo, so that the image follows at once.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfhosted.display import html
from rfhosted.display.labels import CROWD
from rfhosted.display.palette import colour, ink
from rfhosted.display.units import percent
from rfhosted.explorer import fragments
from rfhosted.hosted import Task
from rfhosted.images.upload import scaled
from rfhosted.outputs import masks
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.display.palette import Colour
    from rfhosted.explorer.settings import Display
    from rfhosted.images.sources import SourceImage
    from rfhosted.outputs.values import Detection
    from rfhosted.prediction import Prediction

#: Longest side in pixels of the photo and, at most, of the drawn image; of the drawn image when
#: zoomed in or downloaded; and the bytes of each as a JPEG. The drawn image is as large as its
#: place, so that labels can be read.
VIEW_SIDE, FULL_SIDE, _LEAST_SIDE = 1280, 6000, 240
VIEW_BYTES, FULL_BYTES = 200_000, 4_000_000
#: Objects that light up, those of the highest confidence; more would make the browser slow.
MOST_LIVE = 1_000
#: Masks that the browser draws while the threshold moves.
_MOST_OUTLINES = 300
_LONGEST_LABEL = 40  # characters


class ImageView:
    """One image with what was found in it, in a box of fixed height.

    Make it with ``image_view``. Place ``widget`` in a layout and call ``show`` after each change of
    the result or of the display. No image is stored in the state of the widget, which a notebook
    may save: images travel as messages.

    Traits of ``widget``:
        height (int): Pixels of CSS; the image is fitted inside, and nothing moves when it changes.
        confidence (float | None): The threshold while a slider moves. Link it in the browser:
            ``widgets.jsdlink((slider, "value"), (view.widget, "confidence"))``, with a slider of
            ``continuous_update=True``. Python never sets it; ``show`` confirms the value.
        follows (bool): Whether ``confidence`` is a threshold of what is shown; False while the
            slider is that of another task.
        hovered (int | None): Id of the object that is lit, set by either side.
        selected (list[int]): Ids of the isolated objects, set by either side; empty shows all.
        mode (str): "view": a drag pans and a click isolates. "box": a drag draws a box and clicks
            are only reported. With Shift, a drag draws a box and a click is only reported too.
        clicked (dict): ``x``, ``y`` (float, pixels of the original, upright image), ``shift``
            (bool) and ``count`` (int, grows with each click); empty before the first one.
        boxed (dict): ``x0``, ``y0``, ``x1``, ``y1``, ``shift``, ``count``: the box that was drawn,
            within the image.
        marks (list[dict]): Points (``point``: x, y) and boxes (``box``) of a prompt, each with
            ``belongs`` (bool); pixels of the original image.

    The id of an object is its index in ``objects`` of the prediction given to ``show``, whatever
    the threshold; ``ids`` has those of the rows of the filtered prediction. An element of the
    panel (a parent of the class ``rfhosted-panel``) with the attribute ``data-object="<id>"``, such
    as ``<tr data-object="3" tabindex="0">``, lights up with its box, and its box with it; a click,
    or Enter, isolates the object. No Python code takes part in that.

    Example:
        >>> view = image_view(480)
        >>> view.widget.observe(lambda change: print(change["new"]["x"]), "clicked")
        >>> view.show(response.prediction, state.response_display, name="dog")
    """

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        # Each is read once by a method: messages of the browser arrive on a thread of their own.
        self._shown: tuple[Prediction, Display] | None = None
        self._unsent: tuple[SourceImage, str] | None = None
        self._name = "image"
        self._version = 0
        self._side = VIEW_SIDE  # of the drawn image; the browser knows its place
        self._photo: SourceImage | None = None  # the one that the browser has
        widget.on_msg(self._respond)

    def show(self, prediction: Prediction, display: Display, *, name: str = "image") -> None:
        """Show a prediction.

        Args:
            prediction: The result of a request, before the display filters it: an object below the
                threshold appears when the threshold moves down.
            display: The settings to show it with.
            name: Name of the file that is downloaded, without its ending.
        """
        old, before = self._shown or (None, None)
        if old is prediction and before == display:
            return
        self._shown, self._unsent, self._name = (prediction, display), None, name
        self._version += 1
        if old is not prediction:
            self.widget.hovered, self.widget.selected = None, []
        objects = old is not prediction or before is None or _live(before) != _live(display)
        self._send(prediction, display, objects=objects)

    def show_photo(self, image: SourceImage, *, alt: str, name: str = "image") -> None:
        """Show an image without a result; zoom, clicks and boxes work as with one.

        Args:
            image: The image.
            alt: Its description for those who cannot see it.
            name: Name of the file that is downloaded, without its ending.
        """
        if self._unsent == (image, alt):
            return
        self._shown, self._unsent, self._name = None, (image, alt), name
        self._version += 1
        self.widget.hovered, self.widget.selected = None, []
        self._send_photo(image, alt)

    def clear(self) -> None:
        """Show no image."""
        self._shown = self._unsent = None
        self.widget.hovered, self.widget.selected = None, []
        self.widget.send({"kind": "clear"})

    @property
    def ids(self) -> list[int]:
        """Ids of the objects that are shown, in the order of the filtered prediction's rows."""
        if self._shown is None:
            return []
        prediction, display = self._shown
        return [
            number
            for number, item in _listed(prediction, display)
            if _reaches(item, display.confidence)
        ]

    def _send(self, prediction: Prediction, display: Display, *, objects: bool) -> None:
        """Send what is shown, all in one message: no part is seen without the others."""
        result = display.of(prediction)
        size = prediction.source_image.size
        view_size = scaled(size, min(VIEW_SIDE, max(size)))
        drawn_size = scaled(size, min(self._side, max(size)))
        live = _is_live(prediction)
        content: dict[str, Any] = {
            "kind": "show",
            "version": self._version,
            "live": live,
            "size": size,
            "frame": (0, 0, *size),
            "full_width": scaled(size, min(FULL_SIDE, max(size)))[0],
            "alt": result.description(),
            "confidence": display.confidence,
            "crowd": CROWD,
            "line": display.line_width,
            "labels": display.labels,
            "layers": _layers(prediction, display),
            "photo": live and self._photo is not prediction.source_image,
            "drawn": not live,
        }
        buffers = []
        if content["photo"]:
            self._photo = prediction.source_image
            buffers.append(html.jpeg(self._photo.at(view_size), VIEW_BYTES))
        if live and objects:
            content["objects"] = _objects(prediction, display, view_size)
        if not live:
            content["objects"] = []
            drawn = result.draw(max_side=self._side, **fragments.drawing(result, display))
            content["frame"] = _frame(drawn.size, drawn_size, size)
            content["full_width"] = 0  # bars and legends keep their size
            buffers.append(html.jpeg(drawn, VIEW_BYTES))
        self.widget.send(content, buffers)

    def _send_photo(self, image: SourceImage, alt: str) -> None:
        """Send an image that has no result yet."""
        content = {
            "kind": "show",
            "version": self._version,
            "live": False,
            "size": image.size,
            "frame": (0, 0, *image.size),
            "full_width": scaled(image.size, min(FULL_SIDE, max(image.size)))[0],
            "alt": alt,
            "photo": False,
            "drawn": True,
            "objects": [],
        }
        self.widget.send(content, [_photo(image, VIEW_SIDE, VIEW_BYTES)])

    def _respond(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """A message from the browser: it starts, has another size, or wants a drawn image."""
        kind, version, side = content.get("kind"), self._version, content.get("side")
        if isinstance(side, int):
            self._side = min(max(side, _LEAST_SIDE), VIEW_SIDE)
        if not (self._shown or self._unsent):
            return
        if kind == "ready":
            self._photo = None
            if self._shown:
                self._send(*self._shown, objects=True)
            elif self._unsent:
                self._send_photo(*self._unsent)
        elif kind == "resize" and self._shown and not _is_live(self._shown[0]):
            self._send(*self._shown, objects=False)
        elif kind == "draw" and content.get("version") == version:
            drawn = self._drawn(full=bool(content.get("full")))
            self.widget.send({"kind": "drawn", "version": version}, drawn)
        elif kind == "download":
            task = f"-{self._shown[0].task}" if self._shown else ""
            name = f"{self._name}{task}.jpg"
            self.widget.send({"kind": "download", "name": name}, self._drawn(full=True))

    def _drawn(self, *, full: bool) -> list[bytes]:
        """The image as supervision draws it, or without a result as it is: a JPEG."""
        shown, unsent = self._shown, self._unsent
        most_bytes = FULL_BYTES if full else VIEW_BYTES
        if shown:
            prediction, display = shown
            side = FULL_SIDE if full else self._side
            result = display.of(prediction)
            drawn = result.draw(max_side=side, **fragments.drawing(result, display))
            return [html.jpeg(drawn, most_bytes)]
        side = FULL_SIDE if full else VIEW_SIDE
        return [_photo(unsent[0], side, most_bytes)] if unsent else []


def _photo(image: SourceImage, side: int, most_bytes: int) -> bytes:
    """An image as it is, a JPEG."""
    return html.jpeg(image.at(scaled(image.size, min(side, max(image.size)))), most_bytes)


def image_view(height: int = 480) -> ImageView | None:
    """A view of that height in CSS pixels; None where anywidget is not installed."""
    try:
        made = _widget_class()(height=height)
    except ImportError:
        return None
    return ImageView(made)


@functools.cache
def _widget_class() -> Any:
    """The widget, which exists only where anywidget does."""
    import anywidget
    import traitlets as t

    class ImageViewWidget(anywidget.AnyWidget):
        _esm = Path(__file__).with_suffix(".js")
        _css = Path(__file__).with_suffix(".css")
        height = t.Int(480, min=100).tag(sync=True)
        confidence = t.Float(None, allow_none=True).tag(sync=True)
        follows = t.Bool(default_value=True).tag(sync=True)
        hovered = t.Int(None, allow_none=True).tag(sync=True)
        selected = t.List(t.Int()).tag(sync=True)
        mode = t.Enum(("view", "box"), "view").tag(sync=True)
        clicked = t.Dict().tag(sync=True)
        boxed = t.Dict().tag(sync=True)
        marks = t.List(t.Dict()).tag(sync=True)

    return ImageViewWidget


def _is_live(prediction: Prediction) -> bool:
    """Whether the browser can draw the result: it has objects with boxes."""
    return hasattr(prediction, "objects")


def _live(display: Display) -> tuple[object, ...]:
    """The settings that decide which objects the browser gets: all but those it applies itself."""
    return display.classes, display.keypoint_confidence


def _layers(prediction: Prediction, display: Display) -> list[str]:
    if display.layers is not None:
        return sorted(display.layers)
    extra = {Task.INSTANCE_SEGMENTATION: ["masks"], Task.KEYPOINT_DETECTION: ["keypoints"]}
    return ["boxes", *extra.get(prediction.task, [])]


def _listed(prediction: Prediction, display: Display) -> list[tuple[int, Detection]]:
    """Objects of the chosen classes with their ids, also those under the display's threshold."""
    found: Sequence[Detection] = getattr(prediction, "objects", ())
    return [
        (number, item)
        for number, item in enumerate(found)
        if _reaches(item, prediction.confidence)
        and (not display.classes or item.class_name in display.classes)
    ]


def _reaches(item: Detection, least: float) -> bool:
    """Whether a threshold shows an object; one without a confidence is always shown."""
    return item.confidence is None or item.confidence >= least


def _objects(
    prediction: Prediction, display: Display, view_size: tuple[int, int]
) -> list[dict[str, Any]]:
    """What the browser draws and names, in pixels of the original image; small on top."""
    size = prediction.source_image.size
    listed = _listed(prediction, display)
    best = sorted(listed, key=lambda entry: -_certainty(entry[1]))[:MOST_LIVE]
    outlined = {number for number, _ in best[:_MOST_OUTLINES]}
    objects = []
    for number, item in best:
        shade = colour(item.class_name)
        made: dict[str, Any] = {
            "id": number,
            "name": one_line(item.class_name, _LONGEST_LABEL),
            "confidence": item.confidence,
            "score": "" if item.confidence is None else f" {percent(item.confidence)}",
            "box": [round(corner, 2) for corner in item.box],
            "colour": _hex(shade),
            "ink": _hex(ink(shade)),
        }
        if item.mask is not None and number in outlined:
            made["mask"] = _outline(item.mask, size, view_size)
        if item.key_points:
            made["points"] = [
                (round(point.x, 1), round(point.y, 1))
                for point in item.key_points
                if point.confidence >= display.keypoint_confidence and (point.x or point.y)
            ]
        objects.append(made)
    return sorted(objects, key=lambda made: -_area(made["box"]))


def _certainty(item: Detection) -> float:
    return 1.0 if item.confidence is None else item.confidence


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _hex(shade: Colour) -> str:
    red, green, blue = shade
    return f"#{red:02x}{green:02x}{blue:02x}"


def _outline(mask: Any, size: tuple[int, int], view_size: tuple[int, int]) -> str:
    """The outline of a mask as SVG path data in pixels of the original image."""
    import cv2
    import numpy as np

    bits, left, top = masks.crop(mask, size, view_size)
    if not bits.size:
        return ""
    rings, _ = cv2.findContours(bits.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array(size) / np.array(view_size)
    paths = []
    for ring in rings:
        near = cv2.approxPolyDP(ring, 1.0, closed=True).reshape(-1, 2)
        if len(near) > 2:
            corners = np.rint((near + np.array([left, top]) + 0.5) * scale).astype(int)
            paths.append("M" + "L".join(f"{x} {y}" for x, y in corners.tolist()) + "Z")
    return "".join(paths)


def _frame(
    drawn: tuple[int, int], view_size: tuple[int, int], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Where a drawn image with bars or a legend lies: left, top, width, height.

    In pixels of the original, whose left top corner is (0, 0): the photo is at the top, centred.
    """
    across, down = size[0] / view_size[0], size[1] / view_size[1]
    margin = math.floor((drawn[0] - view_size[0]) / 2)
    return -margin * across, 0, drawn[0] * across, drawn[1] * down
