"""What every prediction has, whatever its task."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rfhosted.display import html
from rfhosted.display.tables import Row, Table, unfolding_table
from rfhosted.display.units import kilobytes, milliseconds
from rfhosted.images.upload import scaled
from rfhosted.outputs.files import write_whole
from rfhosted.outputs.text import one_line
from rfhosted.outputs.values import check_fraction, check_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from PIL import Image

    from rfhosted.hosted import ApiVersion, Task
    from rfhosted.images.sources import SourceImage
    from rfhosted.images.upload import Upload
    from rfhosted.prediction.timing import Timing

#: Longest side of a drawn image, in pixels: what a notebook shows, not what a camera takes.
DISPLAY_SIZE = 1024

_NO_CONFIDENCES = "The response has no confidences: a threshold cannot be applied to it."


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Prediction(Table):
    """An image and what a model output for it. All coordinates are pixels of ``image``.

    Attributes:
        source_image: The image, decoded as late as possible; see ``image``.
        task: What the model output.
        model: The model id that was sent, two segments.
        api_version: v1 or V2.
        raw: The JSON of the response, untouched.
        upload: What was sent.
        timing: The parts of the request's time.
        confidence: The threshold that this prediction shows, a fraction in [0, 1].
        host: The server: "serverless.roboflow.com", or "local".
        notes: What a reader should know of this prediction.
        received: Bytes of the response's body, decompressed.
        simulated: Which times are a simulation, in words; None where a model worked.
        credits: What the requests cost, by the published formula; None where the server does not
            report its time, and where nothing is billed.
        class_filter: Names of the classes that are left by ``filter``; None for all.
        classes: Names of all classes that the model knows, by class id; None where the response
            does not list them (only class maps and multi-label classifications do).
    """

    source_image: SourceImage = field()
    task: Task
    model: str
    api_version: ApiVersion
    raw: Any
    upload: Upload
    timing: Timing
    confidence: float
    host: str
    notes: tuple[str, ...] = ()
    received: int = 0
    simulated: str | None = None
    credits: float | None = None
    class_filter: frozenset[str] | None = None
    classes: tuple[str, ...] | None = None

    _terminal_rows = 10

    @property
    def picture(self) -> SourceImage:
        """The earlier name of ``source_image``."""
        return self.source_image

    @property
    def image(self) -> Image.Image:
        """The image: PIL RGB, upright, original size."""
        return self.source_image.full

    @property
    def has_confidences(self) -> bool:
        """Whether a threshold can be applied; v1's class maps come without confidences."""
        return True

    def filter(
        self,
        *,
        confidence: float | None = None,
        classes: Collection[str] | str | None = None,
        keypoint_confidence: float | None = None,
    ) -> Self:
        """A prediction with less in it; nothing is sent.

        Args:
            confidence: Least confidence, a fraction in [0, 1].
            classes: Class names to keep.
            keypoint_confidence: Least confidence of a keypoint, a fraction in [0, 1].

        Raises:
            ValueError, TypeError: A confidence is not a fraction, or a class is not a name.
        """
        check_fraction("confidence", confidence)
        check_fraction("keypoint_confidence", keypoint_confidence)
        names = None if classes is None else _class_names(classes)
        shown, notes = self.confidence, self.notes
        if confidence is not None and self.has_confidences:
            shown = max(shown, confidence)
        elif confidence is not None and _NO_CONFIDENCES not in notes:
            notes = (*notes, _NO_CONFIDENCES)
        kept = self._keep(shown, names, keypoint_confidence)
        left = self.class_filter
        if names is not None:
            left = frozenset(names) if left is None else left & names
        return replace(kept, confidence=shown, notes=notes, class_filter=left)

    def _keep(
        self, confidence: float, names: set[str] | None, keypoint_confidence: float | None
    ) -> Self:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __bool__(self) -> bool:
        return True  # a prediction of nothing is one too: ``if prediction`` tells it from None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows())

    def rows(self) -> list[Row]:
        """One dict for each thing found; ``len`` and iteration are those of the rows."""
        raise NotImplementedError

    def readable_rows(self) -> list[Row]:
        """The rows as a table shows them, without long lists of coordinates."""
        return self.rows()

    def _readable(self) -> list[Row]:
        return self.readable_rows()

    def _nothing(self, found: str) -> str:
        """The summary of a prediction without rows."""
        if self.class_filter is not None:  # a lower confidence may not help
            return f"none of the chosen classes above {self.confidence:.2f}"
        return f"{found} above {self.confidence:.2f}; try a lower confidence"

    def draw(self, *, max_side: int = DISPLAY_SIZE) -> Image.Image:
        """The image with the prediction on it: PIL RGB, longest side ``max_side`` at most."""
        raise NotImplementedError

    def _display(self, max_side: int) -> Image.Image:
        check_whole("max_side", max_side, "pixels")
        size = self.source_image.size
        return self.source_image.at(scaled(size, min(max_side, max(size))))

    def save(self, path: str | Path, *, max_side: int | None = None, **options: Any) -> Path:
        """Write the drawn image to a file; the ending names the format.

        Args:
            path: Where to; JPEG, PNG, WebP. ``~`` is the home folder.
            max_side: Longest side in pixels; None draws at the original size.
            options: What ``draw`` takes.

        Raises:
            ValueError: The ending names no image format.
        """
        from PIL import Image

        side = max(self.source_image.size) if max_side is None else max_side
        draw: Callable[..., Image.Image] = self.draw  # each task has options of its own
        file_format = Image.registered_extensions().get(Path(path).suffix.lower())
        if file_format is None:
            raise ValueError(f"{str(path)!r} needs an ending such as .jpg, .png or .webp.")
        file = io.BytesIO()
        draw(max_side=side, **options).save(file, file_format)
        return write_whole(path, file.getvalue())

    def summary(self) -> str:
        """What was found, in a few words: ``3 objects: 2 dog, 1 cat``."""
        raise NotImplementedError

    def caption(self) -> list[str]:
        """What a reader needs beside the image, part by part."""
        time = f"{milliseconds(self.timing.e2e)} E2E"
        if self.timing.exec is not None:
            time += f", {milliseconds(self.timing.exec)} Exec"
        if self.timing.load and self.timing.load >= 0.001:
            time += f", {milliseconds(self.timing.load)} loading the model first"
        width, height = self.upload.size
        parts = [
            self.summary(),
            one_line(f"{self.model} ({self.api_version}, {self.host})"),
            time,
            f"sent {width} x {height}, {kilobytes(self.upload.nbytes)}",
        ]
        if self.credits is not None:
            parts.append(f"{self.credits:.2g} credits")
        return parts

    def _title(self) -> str:
        return " · ".join(self.caption())

    def _notes(self) -> Sequence[str]:
        return self.notes

    def html(
        self,
        *,
        max_side: int = DISPLAY_SIZE,
        max_bytes: int = 200_000,
        table_rows: int = 100,
        **options: Any,
    ) -> str:
        """The drawn image with its description, caption, notes and table, as HTML on its own.

        Args:
            max_side: Longest side of the image in pixels.
            max_bytes: Bytes of it as a JPEG; its text form in the HTML takes a third more.
            table_rows: Rows of the table at most; 0 for none.
            options: What ``draw`` takes.
        """
        draw: Callable[..., Image.Image] = self.draw  # each task has options of its own
        check_whole("table_rows", table_rows, "rows", least=0)
        return html.card(
            draw(max_side=max_side, **options),
            alt=self.description(),
            caption=self.caption(),
            notes=self._notes(),
            below=self._below(table_rows),
            max_bytes=max_bytes,
        )

    def _below(self, table_rows: int) -> str:
        """What stands below the image and its caption, as HTML."""
        return unfolding_table(self.readable_rows(), self.summary(), table_rows)

    def description(self) -> str:
        """What the drawn image shows, for those who cannot see it."""
        return f"Image with the result of {self.task}: {self.summary()}"

    def caption_html(self) -> str:
        """The caption and the notes, as HTML."""
        return html.caption_lines(self.caption(), self._notes())

    def _repr_html_(self) -> str:
        return self.html()


def _class_names(classes: Collection[str] | str) -> set[str]:
    names = {classes} if isinstance(classes, str) else set(classes)
    if not all(isinstance(name, str) for name in names):
        raise TypeError("classes holds class names: filter(classes=['dog', 'cat']).")
    return set(map(one_line, names))  # cleaned, as they are when a response is read
