"""Synthesise a made-up sound from its recipe.

Eight timbres from the standard library alone, mono, 16 bits; about 30 ms of CPU for a second of sound.
`map/page_parts/synth.js` computes the same in the page: change both, a test compares them.
Invariant: the same recipe gives the same samples; between C libraries a sample may differ by 1.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from math import exp, pi, sin, sqrt, tau

from harvester.sandbox.sound_recipe import TIMBRES, SoundRecipe

RATE = 22_050
"""Samples in a second."""

_RMS, _PEAK = 0.15, 0.9
_FADE_S = 0.01
_MELODY = (0, 3, 7, 12)
_Timbre = Callable[[SoundRecipe, int], Iterator[float]]


def synthesise(recipe: SoundRecipe) -> array[int]:
    """Return the samples, -32,768 to 32,767, faded out at the end."""
    count = max(1, int(recipe.length_s * RATE + 0.5))
    made = list(_TIMBRES[TIMBRES[recipe.timbre]](recipe, count))
    # As loud as the others, unless its peak is clipped before.
    power, peak = sqrt(sum(one * one for one in made) / count), max(map(abs, made))
    gain = min(_RMS / power, _PEAK / peak) * 32_767 if power else 0.0
    fade = min(count, int(_FADE_S * RATE))
    for at in range(1, fade + 1):
        made[-at] *= (at - 1) / fade
    return array("h", (int(one * gain + 32_768.5) - 32_768 for one in made))


class _Noise:
    """Draws from -1 to 1, of a linear congruential generator."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def draw(self) -> float:
        self._state = self._state * 1_664_525 + 1_013_904_223 & 0xFFFF_FFFF
        return self._state / 0x8000_0000 - 1


def _notes(recipe: SoundRecipe, count: int, notes_a_beat: int = 1) -> Iterator[tuple[float, float, float]]:
    """Yield the note of each sample: its age in s, pitch in Hz and rest.

    The rest falls from 1 to 0 while the note lasts.
    """
    seed = recipe.seed
    length = max(1, int((0.3 + 0.3 * (seed >> 8 & 255) / 255) * RATE / notes_a_beat))
    for note in range(-(-count // length)):
        pitch = recipe.pitch_hz * 2 ** (_MELODY[seed >> 12 + 2 * (note % 8) & 3] / 12)
        for at in range(min(length, count - note * length)):
            yield at / RATE, pitch, 1 - at / length


def _rain(recipe: SoundRecipe, count: int) -> Iterator[float]:
    draw = _Noise(recipe.seed).draw
    low = drop = tone = 0.0
    for at in range(count):
        white = draw()
        low += 0.2 * (white - low)
        if at % 441 == 0:
            drop, fallen = max(0.0, draw()), at
            tone = tau * 8 * recipe.pitch_hz * (1 + drop) / RATE
        yield 0.3 * (white - low) + drop * sin(tone * (at - fallen)) * exp(-200 * (at - fallen) / RATE)


def _drum(recipe: SoundRecipe, count: int) -> Iterator[float]:
    draw = _Noise(recipe.seed).draw
    for age, pitch, left in _notes(recipe, count):
        body = sin(tau * pitch * (0.5 * age + 0.05 * (1 - exp(-30 * age))))
        yield (body * exp(-7 * age) + 0.4 * draw() * exp(-40 * age)) * left


def _pluck(recipe: SoundRecipe, count: int) -> Iterator[float]:
    draw = _Noise(recipe.seed).draw
    string: list[float] = []
    place = 0
    for age, pitch, left in _notes(recipe, count):
        if age == 0:
            string = [draw() for _ in range(int(RATE / pitch + 0.5))]
            # An offset would stay in the string to the end.
            mean = sum(string) / len(string)
            string = [one - mean for one in string]
            place = 0
        value, after = string[place], (place + 1) % len(string)
        string[place] = 0.498 * (value + string[after])
        place = after
        yield value * left


def _bell(recipe: SoundRecipe, count: int) -> Iterator[float]:
    for age, pitch, left in _notes(recipe, count):
        phase = tau * 2 * pitch * age
        yield sin(phase + 2.5 * exp(-4 * age) * sin(1.41 * phase)) * exp(-3 * age) * left


def _pad(recipe: SoundRecipe, count: int) -> Iterator[float]:
    for at in range(count):
        age = at / RATE
        phase = tau * recipe.pitch_hz * age
        chord = sin(phase) + sin(1.503 * phase) + sin(1.995 * phase)
        yield chord * min(1.0, age / 0.08) * (0.7 + 0.3 * sin(tau * 1.5 * age))


def _clicks(recipe: SoundRecipe, count: int) -> Iterator[float]:
    for age, pitch, _ in _notes(recipe, count, 4):
        yield sin(tau * 9 * pitch * age) * exp(-120 * age)


def _chirp(recipe: SoundRecipe, count: int) -> Iterator[float]:
    for age, pitch, left in _notes(recipe, count, 2):
        yield sin(tau * 6 * pitch * age * (1 + 0.5 * (1 - left))) * sin(pi * left)


def _burst(recipe: SoundRecipe, count: int) -> Iterator[float]:
    draw = _Noise(recipe.seed).draw
    low = 0.0
    for age, _, left in _notes(recipe, count):
        low += 0.3 * (draw() - low)
        yield low * (0.2 + exp(-5 * age)) * left


_TIMBRES: dict[str, _Timbre] = {
    "rain": _rain,
    "drum": _drum,
    "pluck": _pluck,
    "bell": _bell,
    "pad": _pad,
    "clicks": _clicks,
    "chirp": _chirp,
    "burst": _burst,
}
