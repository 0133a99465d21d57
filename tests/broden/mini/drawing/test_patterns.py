import numpy as np
import pytest

from broden.mini import vocabulary
from broden.mini.drawing import patterns

WHOLE = slice(0, 448)


def test_every_material_and_texture_has_a_pattern():
    assert {*patterns.PATTERNS} == {*vocabulary.MATERIALS, *vocabulary.TEXTURES}
    assert len(vocabulary.MATERIALS) >= 8
    assert len(vocabulary.TEXTURES) >= 24


@pytest.mark.parametrize("name", patterns.PATTERNS)
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_patterns_vary_between_0_and_1(name, angle):
    mix = patterns.evaluate(name, WHOLE, WHOLE, 16, angle, (7, 11))
    assert mix.shape == (448, 448)
    assert mix.dtype == np.float32
    assert 0 <= mix.min() < mix.mean() < mix.max() <= 1
    assert mix.std() > 0.04


@pytest.mark.parametrize("name", patterns.PATTERNS)
def test_a_window_shows_what_the_whole_shows_there(name):
    whole = patterns.evaluate(name, WHOLE, WHOLE, 13, 0.4, (3, 400))
    rows, columns = slice(100, 160), slice(200, 330)
    window = patterns.evaluate(name, rows, columns, 13, 0.4, (3, 400))
    np.testing.assert_allclose(window, whole[rows, columns], atol=1e-4)


def test_stripes_run_along_their_angle_with_their_period():
    mix = patterns.evaluate("striped", WHOLE, WHOLE, 32, 0.0, (0, 0))
    assert (mix == mix[:1]).all()
    spectrum = np.abs(np.fft.rfft(mix[0] - mix[0].mean()))
    assert spectrum.argmax() == 448 / 32
