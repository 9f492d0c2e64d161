"""Masks as COCO's run lengths, against the slow way and against supervision's reading of them."""

from __future__ import annotations

import numpy as np
import pytest
import supervision as sv

from rfhosted.local.postprocess import compress, run_lengths


def slow_counts(mask: np.ndarray) -> list[int]:
    counts, current = [0], False
    for value in mask.T.ravel():
        if value != current:
            counts.append(0)
            current = value
        counts[-1] += 1
    return counts


def slow_text(counts: list[int]) -> str:
    """pycocotools' rleToString, character by character."""
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        while True:
            c, x = x & 0x1F, x >> 5
            more = x != -1 if c & 0x10 else x != 0
            text += chr((c | 0x20 if more else c) + 48)
            if not more:
                break
    return text


MASKS = {
    "nothing": np.zeros((7, 5), bool),
    "everything": np.ones((7, 5), bool),
    "one pixel": np.eye(1, 1, dtype=bool),
    "first pixel": np.pad(np.ones((1, 1), bool), ((0, 5), (0, 6))),
    "last pixel": np.pad(np.ones((1, 1), bool), ((5, 0), (6, 0))),
    "a row": np.pad(np.ones((1, 9), bool), ((2, 2), (0, 0))),
    "a column": np.pad(np.ones((9, 1), bool), ((0, 0), (2, 2))),
    "large": np.pad(np.ones((900, 1200), bool), 300),
    "noise": np.random.default_rng(1).random((61, 47)) > 0.5,
    "specks": np.random.default_rng(2).random((300, 400)) > 0.999,
}


@pytest.mark.parametrize("name", MASKS)
def test_run_lengths(name) -> None:
    mask = MASKS[name]
    counts = run_lengths(mask)
    assert counts.tolist() == slow_counts(mask)
    text = compress(counts)
    assert text == slow_text(counts.tolist())
    assert np.array_equal(sv.rle_to_mask(text, mask.shape[::-1]), mask)
