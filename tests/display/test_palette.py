"""Colours: the same everywhere, apart for every eye, and readable under text."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from rfhosted.display.differences import STYLES
from rfhosted.display.palette import PALETTE, colour, ink

# Machado, Oliveira and Fernandes 2009, full severity, on linear RGB.
EYES = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(rgb):
    c = np.array(rgb) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb, eye):
    xyz = TO_XYZ @ (np.array(EYES[eye]) @ linear(rgb)).clip(0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a, b):
    light = sorted((float(TO_XYZ[1] @ linear(c)) for c in (a, b)), reverse=True)
    return (light[0] + 0.05) / (light[1] + 0.05)


@pytest.mark.parametrize("eye", EYES)
def test_every_two_colours_are_apart(eye):
    nearest = min(
        np.linalg.norm(lab(a, eye) - lab(b, eye)) for a, b in itertools.combinations(PALETTE, 2)
    )
    assert nearest > 11  # delta E 1976; 2.3 is just noticeable, side by side


@pytest.mark.parametrize("eye", EYES)
def test_what_is_in_both_in_a_and_in_b_is_apart(eye):
    colours = [style.colour for style in STYLES.values()]
    nearest = min(
        np.linalg.norm(lab(a, eye) - lab(b, eye)) for a, b in itertools.combinations(colours, 2)
    )
    assert nearest > 24


def test_text_is_readable_on_every_colour():
    assert all(contrast(shade, ink(shade)) >= 4.5 for shade in PALETTE)
    assert (ink((0, 0, 0)), ink((255, 255, 255))) == ((255, 255, 255), (0, 0, 0))


def test_a_name_has_one_colour_in_every_process():
    names = ["person", "dog", "安全帽", ""]
    code = f"from rfhosted.display.palette import colour; print([colour(n) for n in {names!r}])"
    env = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=env,
    )
    assert out.stdout.strip() == str([colour(name) for name in names])
    assert colour("person") == (213, 94, 0)  # a change here changes everybody's images


def test_half_characters_have_a_colour_too():
    assert colour("\ud800") in PALETTE  # JSON can carry them


def test_every_colour_is_used_about_equally():
    names = [f"class {i}" for i in range(2200)]
    shares = [sum(colour(name) == shade for name in names) for shade in PALETTE]
    assert len(set(PALETTE)) == len(PALETTE) == 11
    assert min(shares) > 140
    assert max(shares) < 270
