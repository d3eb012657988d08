# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recorded voices to send, and the comparison of what was heard with what was sent.

Sound is a numpy array of floats, one channel at RATE. The voices are recordings of four people, of
Debian's packages alsa-utils and asterisk-core-sounds-*.
"""

import dataclasses
import subprocess
import wave
from pathlib import Path

import numpy

RATE = 48000
STEP = RATE // 100  # the envelope's 10 ms
ALSA = Path('/usr/share/sounds/alsa')
ASTERISK = Path('/usr/share/asterisk/sounds')
VOICES = {
    'alsa': [ALSA / f'{where}_{side}.wav' for where in ('Front', 'Rear')
             for side in ('Center', 'Left', 'Right')] + [ALSA / 'Side_Left.wav',
                                                         ALSA / 'Side_Right.wav'],
    'allison': [ASTERISK / 'en_US_f_Allison' / f'{name}.gsm'
                for name in ('demo-echotest', 'vm-intro', 'conf-usermenu', 'vm-options')],
    'carlo': [ASTERISK / 'it_IT_m_Carlo' / f'{name}.gsm'
              for name in ('demo-echotest', 'vm-intro', 'conf-usermenu', 'vm-options')],
    'june': [ASTERISK / 'fr_CA_f_June' / f'{name}.gsm'
             for name in ('demo-echotest', 'vm-intro', 'conf-usermenu', 'vm-options')],
}


def read(path):
    """A sound file of any kind, of which the first channel counts."""
    raw = subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-i', path, '-f', 'f32le',
                          '-af', 'pan=mono|c0=c0', '-ar', str(RATE), '-'],
                         capture_output=True, check=True)
    return numpy.frombuffer(raw.stdout, dtype='<f4').astype(numpy.float64)


def write(path, sound, rate=RATE, channels=1):
    samples = (numpy.clip(sound, -1, 1) * 32767).astype('<i2')
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(numpy.repeat(samples, channels).tobytes())


def voice(name, seconds, level=0.08):
    """So many seconds of a person's talk, over and over if need be, at one loudness."""
    talk = numpy.concatenate([read(path) for path in VOICES[name]])
    talk = numpy.resize(talk, int(seconds * RATE))
    return talk * (level / numpy.sqrt(numpy.mean(talk ** 2)))


def silence(seconds):
    return numpy.zeros(int(seconds * RATE))


def envelope(sound):
    """RMS of each 10 ms."""
    whole = sound[:len(sound) // STEP * STEP].reshape(-1, STEP)
    return numpy.sqrt(numpy.mean(whole ** 2, axis=1))


def _peak(sent, heard, lowest, highest):
    """The shift of `heard` against `sent`, in samples, with the strongest cross-correlation."""
    size = 1 << (len(sent) + len(heard) - 1).bit_length()
    product = numpy.fft.irfft(numpy.fft.rfft(heard, size) * numpy.conj(numpy.fft.rfft(sent, size)),
                              size)
    shifts = numpy.arange(lowest, highest)
    return int(shifts[numpy.argmax(numpy.abs(product[shifts % size]))])


def shift(sent, heard, near=None, within=0.05):
    """How many samples later `heard` has what `sent` has; `near`: looks around there only."""
    if near is None:
        return _peak(sent, heard, -len(sent) + 1, len(heard))
    reach = int(within * RATE)
    return near - reach + _peak(sent, moved(heard, reach - near, len(sent) + 2 * reach), 0, 2 * reach)


def moved(sound, by, length):
    """`sound` begun `by` samples later (earlier, if negative), cut or filled to `length`."""
    result = numpy.zeros(length)
    begin, end = max(0, by), min(length, by + len(sound))
    if end > begin:
        result[begin:end] = sound[begin - by:end - by]
    return result


@dataclasses.dataclass
class Match:
    correlation: float  # of the 10 ms envelopes
    shift: int          # samples
    level: float        # dB, heard against sent
    gaps: list          # (second, milliseconds) of speech that came out silent
    drift: float        # ms by which the shift differs between the first and the last third

    def good(self):
        return self.correlation >= 0.95 and not self.gaps and abs(self.drift) < 20

    def __str__(self):
        text = (f'correlation {self.correlation:.3f}, level {self.level:+.1f} dB, '
                f'delay changed by {self.drift:+.2f} ms')
        if self.gaps:
            text += f', {len(self.gaps)} gaps: ' + ', '.join(
                f'{length:.0f} ms at {at:.2f} s' for at, length in self.gaps[:5])
        return text


def correlation(one, other):
    one, other = one - one.mean(), other - other.mean()
    size = numpy.sqrt((one ** 2).sum() * (other ** 2).sum())
    return float((one * other).sum() / size) if size else 0.0


def gaps(sent, heard, shortest=20):
    """Where there is speech in `sent` and next to nothing in `heard` for `shortest` ms."""
    mine, theirs = envelope(sent), envelope(heard)
    # A level that stands out of pauses: what is missing there, an ear misses.
    loud = mine > 0.25 * numpy.sqrt(numpy.mean(sent ** 2))
    lost = numpy.append(loud & (theirs < 0.1 * mine), False)
    found, begin = [], None
    for at, is_lost in enumerate(lost):
        if is_lost and begin is None:
            begin = at
        elif not is_lost and begin is not None:
            if (at - begin) * 10 >= shortest:
                found.append((begin / 100, (at - begin) * 10.0))
            begin = None
    return found


def _piecewise_shift(sent, heard, by, begin, end, block=0.2):
    """The shift of most pieces of `sent` from `begin` to `end`, each looked for around `by`; of all of it where
    nothing is loud.

    A voice that is stretched a little fits nowhere as a whole, and each period of its pitch alike.
    """
    size = int(block * RATE)
    loud = 0.4 * numpy.sqrt(numpy.mean(sent ** 2))
    found = [shift(sent[at:at + size], heard, by + at) - at for at in range(begin, end - size + 1, size)
             if numpy.sqrt(numpy.mean(sent[at:at + size] ** 2)) > loud]
    return int(numpy.median(found)) if found else shift(sent[begin:end], heard, by + begin) - begin


def match(sent, heard, near=None):
    """Looks for `sent` in `heard`, and says how well it came over."""
    by = shift(sent, heard, near)
    third = len(sent) // 3
    early = _piecewise_shift(sent, heard, by, 0, third)
    late = _piecewise_shift(sent, heard, by, len(sent) - third, len(sent))
    came = moved(heard, -by, len(sent))
    sent = follow(sent, came)
    # By whole samples the envelope's windows fall alike; a level for all makes gaps comparable.
    gain = numpy.sqrt(numpy.mean(came ** 2) / numpy.mean(sent ** 2)) or 1e-9
    return Match(correlation(envelope(sent), envelope(came)), by, 20 * float(numpy.log10(gain)),
                 gaps(sent, came / gain), (late - early) * 1000 / RATE)


def jumps(sent, heard, by, block=0.4, reach=0.1, least=3.0):
    """Where `heard`, found `by` samples later, goes on at another place: (second, ms).

    Blocks that aren't loud, or aren't recognised, tell nothing; gaps() finds those that are missing.
    """
    size, reach = int(block * RATE), int(reach * RATE)
    loud = 0.4 * numpy.sqrt(numpy.mean(sent ** 2))
    found, last = [], None
    for begin in range(0, len(sent) - size, size):
        piece = sent[begin:begin + size]
        if numpy.sqrt(numpy.mean(piece ** 2)) < loud:
            continue
        around = moved(heard, -(begin + by - reach), size + 2 * reach)
        at = _peak(piece, around, 0, 2 * reach)
        came = around[at:at + size]
        alike = numpy.dot(piece, came) / (numpy.linalg.norm(piece) * numpy.linalg.norm(came) + 1e-9)
        if abs(alike) < 0.6:
            continue
        by += at - reach
        if last is not None and abs(by - last) * 1000 / RATE > least:
            found.append((begin / RATE, round((by - last) * 1000 / RATE, 1)))
        last = by
    return found


def follow(sent, heard, block=0.25, within=0.02):
    """`sent` as `heard` should have it, aligned with it but for slow movements of time.

    A receiver takes out the drift between two clocks by stretching time a little; each block is
    looked for near where it is expected.
    """
    size, reach = int(block * RATE), int(within * RATE)
    padded = numpy.concatenate([numpy.zeros(reach), sent, numpy.zeros(size + reach)])
    loud = 0.5 * numpy.sqrt(numpy.mean(sent ** 2))
    begins = range(0, len(heard), size)
    found = {}
    for begin in begins:
        piece = heard[begin:begin + size]
        around = padded[begin:begin + len(piece) + 2 * reach]
        # A pause, or a first syllable after one, tells little about time.
        if numpy.sqrt(numpy.mean(around ** 2)) > loud and piece.any():
            found[begin] = _peak(piece, around, 0, 2 * reach)
    known = sorted(found)
    result = numpy.zeros(len(heard))
    for begin in begins:
        # Time moves slowly: what differs from its neighbours was mistaken.
        near = sorted(known, key=lambda other: abs(other - begin))[:5]
        by = int(numpy.median([found[other] for other in near])) if near else reach
        piece = padded[begin + by:begin + by + min(size, len(heard) - begin)]
        result[begin:begin + len(piece)] = piece
    return result


def shares(voices, heard):
    """How strong each of `voices` is in what was heard, in dB against what was sent.

    By waveforms, so that no voice can pass for another: the median of quarters of a second in which
    it speaks. `voices` are aligned with `heard`, as by follow().
    """
    size = RATE // 4
    gains = [[] for _ in voices]
    for begin in range(0, len(heard) - size, size):
        columns = [voice[begin:begin + size] for voice in voices]
        fit, *_ = numpy.linalg.lstsq(numpy.stack(columns, axis=1), heard[begin:begin + size],
                                     rcond=None)
        for voice, column, gain, found in zip(voices, columns, fit, gains):
            if numpy.mean(column ** 2) > 0.25 * numpy.mean(voice ** 2):
                found.append(abs(gain))
    return [20 * float(numpy.log10(max(numpy.median(found or [0]), 1e-6))) for found in gains]
