#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""OBS Studio's own library, encoders and RTMP output, without its window: pushes a WAV file once, with a black picture.

obs-push.py FILE URL. `OBS says NAME`, in its log's words, is what the RTMP output tells. The library wants a display:
xvfb-run gives it one. Ends with 0 when the file is over, with 1 when the output ended before.
"""

import ctypes
import glob
import sys
import threading
import wave
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p

import numpy

FLOAT_PLANAR, MONO, I420 = 8, 1, 1  # audio_format, speaker_layout, video_format
FRAMES = 1024  # of one call of the audio thread
STOPPED = {0: 'success', -1: 'bad path', -2: 'connect failed', -3: 'invalid stream', -4: 'error', -5: 'disconnected'}

Planes = c_void_p * 8
Fill = ctypes.CFUNCTYPE(c_bool, c_void_p, c_uint64, c_uint64, POINTER(c_uint64), c_uint32, POINTER(Planes))
Signal = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)


class AudioInfo(ctypes.Structure):
    _fields_ = [('name', c_char_p), ('rate', c_uint32), ('format', c_int), ('speakers', c_int), ('fill', Fill),
                ('parameter', c_void_p)]


class VideoSettings(ctypes.Structure):
    _fields_ = [('graphics', c_char_p), ('fps', c_uint32), ('fps_of', c_uint32), ('canvas', c_uint32 * 2), ('size', c_uint32 * 2),
                ('format', c_int), ('adapter', c_uint32), ('gpu_conversion', c_bool), ('colorspace', c_int), ('range', c_int),
                ('scale', c_int)]


class Obs:
    """libobs, whose functions answer pointers unless `answers` says otherwise."""

    answers = {'obs_startup': c_bool, 'obs_init_module': c_bool, 'obs_output_start': c_bool, 'obs_open_module': c_int,
               'obs_reset_video': c_int, 'audio_output_open': c_int,
               'obs_output_get_last_error': c_char_p}

    def __init__(self):
        self.library = ctypes.CDLL('libobs.so.0')

    def __getattr__(self, name):
        function = getattr(self.library, name)
        function.restype = self.answers.get(name, c_void_p)

        def call(*values):
            return function(*(c_void_p(value) if isinstance(value, int) and value > 1 << 31 else value for value in values))
        return call

    def data(self, **values):
        made = self.obs_data_create()
        for name, value in values.items():
            if isinstance(value, int):
                self.obs_data_set_int(made, name.encode(), ctypes.c_longlong(value))
            else:
                self.obs_data_set_string(made, name.encode(), value.encode())
        return made

    def load(self, name):
        folder, = glob.glob('/usr/lib/*/obs-plugins')
        module = c_void_p()
        # Without its folder of data: the list of services there would be brought up to date over the network.
        code = self.obs_open_module(byref(module), f'{folder}/{name}.so'.encode(), b'/nonexistent')
        if code or not self.obs_init_module(module):
            raise SystemExit(f'{name} does not load: {code}')


def main():
    path, url = sys.argv[1:]
    with wave.open(path) as file:
        rate = file.getframerate()
        sound = numpy.frombuffer(file.readframes(file.getnframes()), '<i2').reshape(-1, file.getnchannels())[:, 0]
    sound = numpy.ascontiguousarray(sound.astype(numpy.float32) / 32768)
    obs = Obs()
    x11 = ctypes.CDLL('libX11.so.6')
    x11.XInitThreads()
    x11.XOpenDisplay.restype = c_void_p
    display = x11.XOpenDisplay(None)
    if not display or not obs.obs_startup(b'en-US', None, None):
        raise SystemExit('no display')
    obs.obs_set_nix_platform_display(display)
    settings = VideoSettings(b'libobs-opengl.so.1', 10, 1, (160, 120), (160, 120), I420, 0, False, 0, 0, 0)
    if obs.obs_reset_video(byref(settings)):
        raise SystemExit('no picture')
    for name in ('obs-outputs', 'obs-ffmpeg', 'obs-x264', 'rtmp-services'):
        obs.load(name)

    started, spoken, over = threading.Event(), threading.Event(), threading.Event()
    ended = []
    at = 0

    def fill(_, begin, __, stamp, ___, mixes):
        nonlocal at
        stamp[0] = begin
        if started.is_set():
            piece = sound[at:at + FRAMES]
            at += FRAMES
            ctypes.memmove(mixes[0][0], piece.ctypes.data, piece.nbytes)
            # Half a second more, so that what the encoders hold goes out.
            if at > len(sound) + rate // 2:
                spoken.set()
        return True

    fill = Fill(fill)
    audio = c_void_p()
    if obs.audio_output_open(byref(audio), byref(AudioInfo(b'voice', rate, FLOAT_PLANAR, MONO, fill, None))):
        raise SystemExit('no audio output')

    encoders = (obs.obs_video_encoder_create(b'obs_x264', b'picture', obs.data(bitrate=200, keyint_sec=1, preset='ultrafast'), None),
                obs.obs_audio_encoder_create(b'ffmpeg_aac', b'voice', obs.data(bitrate=64), c_size_t(0), None))
    obs.obs_encoder_set_video(encoders[0], obs.obs_get_video())
    obs.obs_encoder_set_audio(encoders[1], audio)
    # As in its settings: the key is what stands behind the last stroke.
    server, _, key = url.rpartition('/')
    service = obs.obs_service_create(b'rtmp_custom', b'service', obs.data(server=server, key=key), None)
    output = obs.obs_output_create(b'rtmp_output', b'output', None, None)
    obs.obs_output_set_video_encoder(output, encoders[0])
    obs.obs_output_set_audio_encoder(output, encoders[1], c_size_t(0))
    obs.obs_output_set_service(output, service)
    obs.obs_output_set_reconnect_settings(output, 0, 0)

    def on_start(*_):
        print('OBS says start', flush=True)
        started.set()

    def on_stop(_, told):
        code = ctypes.c_longlong()
        obs.calldata_get_data(told, b'code', byref(code), c_size_t(8))
        print(f'OBS says stop: {STOPPED.get(code.value, code.value)}', flush=True)
        ended.append(code.value)
        over.set()
        spoken.set()

    handlers = {b'start': Signal(on_start), b'stop': Signal(on_stop)}
    signals = obs.obs_output_get_signal_handler(output)
    for name, handler in handlers.items():
        obs.signal_handler_connect(signals, name, handler, None)
    if not obs.obs_output_start(output):
        raise SystemExit(f'the output does not start: {obs.obs_output_get_last_error(output)}')
    spoken.wait()
    if not ended:
        obs.obs_output_stop(output)
        over.wait(5)
    # Its threads may be anywhere: nothing is torn down.
    ctypes.CDLL(None)._exit(0 if ended == [0] else 1)


main()
