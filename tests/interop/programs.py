# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of the field that push a WAV file to an RTMP URL, and such that record one: tables for relay-test.py.

Each takes a folder for its own files, so that VLC, which doesn't run as root, can be somebody else.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

OBS_PUSH = Path(__file__).with_name('obs-push.py')
NOBODY = 65534
FFMPEG = ['ffmpeg', '-v', 'error', '-nostdin']
FFPLAY = ['ffplay', '-loglevel', 'error', '-nostats', '-nodisp', '-vn', '-autoexit']
# Its sound goes to a file, in the rhythm of sound: 16 bits.
SDL_FILE = {'SDL_AUDIODRIVER': 'disk', 'SDL_VIDEODRIVER': 'dummy', 'SDL_DISKAUDIOFILE': '{out}'}
AAC = ['-c:a', 'aac', '-b:a', '64k']
SPOKEN = 'filesrc location={wav} ! wavparse ! audioconvert ! audioresample ! identity sync=true'
FLV = f'{SPOKEN} ! avenc_aac bitrate=64000 ! aacparse ! flvmux streamable=true'
RECORDED = 'flvdemux name=flv flv.audio ! queue ! decodebin ! audioconvert ! wavenc ! filesink location={out}'
VIDEO = ['-re', '-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=10', '-shortest', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune',
         'zerolatency', '-g', '10']


def gst(text):
    return ['gst-launch-1.0', '-e', *text.split()]


def vlc(folder):
    """It refuses to run as root."""
    home = ['env', f'HOME={folder}', 'vlc', '-I', 'dummy', '--no-media-library']
    if os.geteuid():
        return home
    os.chmod(folder.parent, 0o755)
    os.chown(folder, NOBODY, NOBODY)
    return ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', *home]


def as_flv(wav, folder):
    """The file, encoded before: -c copy sends its frames as they are."""
    path = folder / 'voice.flv'
    subprocess.run([*FFMPEG, '-i', wav, *AAC, '-f', 'flv', path], check=True, timeout=60)
    return path


def librtmp(url):
    """Its own way of writing a URL: options follow blanks."""
    return f'"{url} live=1"'


# name -> (needed program or element, the words of the command). `wav`: 16 bits, mono, 48 kHz.
PUSHERS = {
    'ffmpeg': ('ffmpeg', lambda wav, url, folder: [*FFMPEG, '-re', '-i', wav, *AAC, '-f', 'flv', url]),
    'ffmpeg -c copy': ('ffmpeg', lambda wav, url, folder: [*FFMPEG, '-re', '-i', as_flv(wav, folder), '-c', 'copy', '-f', 'flv', url]),
    'ffmpeg, H.264 beside': ('ffmpeg', lambda wav, url, folder: [*FFMPEG, '-re', '-i', wav, *VIDEO, *AAC, '-f', 'flv', url]),
    'ffmpeg, MP3': ('ffmpeg', lambda wav, url, folder: [*FFMPEG, '-re', '-i', wav, '-c:a', 'libmp3lame', '-ar', '44100', '-f', 'flv', url]),
    'rtmp2sink': ('gst:rtmp2sink', lambda wav, url, folder: gst(f'{FLV} ! rtmp2sink location={url}'.format(wav=wav))),
    'rtmpsink (librtmp)': ('gst:rtmpsink', lambda wav, url, folder: [
        *gst(f'{FLV} ! rtmpsink'.format(wav=wav)), f'location={librtmp(url)}']),
    'VLC': ('vlc', lambda wav, url, folder: [
        *vlc(folder), wav, '--sout', '#transcode{acodec=mp4a,ab=64,channels=1,samplerate=48000}:'
        f'std{{access=rtmp,mux=ffmpeg{{mux=flv}},dst={url}}}', 'vlc://quit']),
    'OBS': ('obs', lambda wav, url, folder: ['xvfb-run', '-a', sys.executable, OBS_PUSH, wav, url]),
}

# name -> (needed program or element, the words, environment). What is written is `out`.
PLAYERS = {
    'ffmpeg': ('ffmpeg', lambda url, out, folder: [*FFMPEG, '-i', url, '-vn', '-f', 'wav', out], {}),
    'ffmpeg -c copy': ('ffmpeg', lambda url, out, folder: [*FFMPEG, '-i', url, '-vn', '-c', 'copy', '-f', 'matroska', out], {}),
    # Without these it is 5 s late, and what it hasn't read when it is cut is lost.
    'ffplay, low delay': ('ffplay', lambda url, out, folder: [
        *FFPLAY, '-fflags', 'nobuffer', '-flags', 'low_delay', '-probesize', '2048', '-analyzeduration', '100000', url], SDL_FILE),
    'rtmp2src': ('gst:rtmp2src', lambda url, out, folder: gst(f'rtmp2src location={url} ! {RECORDED}'.format(out=out)), {}),
    'rtmpsrc (librtmp)': ('gst:rtmpsrc', lambda url, out, folder: [
        'gst-launch-1.0', '-e', 'rtmpsrc', f'location={librtmp(url)}', *f'! {RECORDED}'.format(out=out).split()], {}),
    'playbin3': ('gst:playbin3', lambda url, out, folder: [
        'gst-launch-1.0', '-e', 'playbin3', f'uri={url}', 'flags=audio',
        f'audio-sink=audioconvert ! wavenc ! filesink location={out}'], {}),
    'mpv': ('mpv', lambda url, out, folder: ['mpv', '--no-config', '--no-terminal', '--no-video', '--ao=pcm',
                                             f'--ao-pcm-file={out}', url], {}),
    'VLC': ('vlc', lambda url, out, folder: [
        *vlc(folder), url, '--no-sout-video', '--sout', '#transcode{vcodec=none,acodec=s16l,channels=1,samplerate=48000}:'
        f'std{{access=file,mux=wav,dst={out}}}', 'vlc://quit'], {}),
}


def missing(what):
    """Why it can't be had; None: it can."""
    kind, _, element = what.partition(':')
    if kind == 'gst':
        done = subprocess.run(['gst-inspect-1.0', '--exists', element], check=False)
        return f'no element {element}' if done.returncode else None
    if kind == 'obs':
        plugin = any(Path('/usr/lib').glob('*/obs-plugins/obs-outputs.so'))
        return None if plugin and shutil.which('xvfb-run') else 'no OBS, or no xvfb-run'
    return None if shutil.which(kind) else f'no {kind}'


def versions():
    """name -> version, for the log."""
    def first(*words):
        try:
            lines = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False).stdout.splitlines()
        except FileNotFoundError:
            return 'not installed'
        return lines[0] if lines else '?'
    packages = ('ffmpeg', 'gstreamer1.0-plugins-bad', 'librtmp1', 'vlc-bin', 'mpv', 'obs-studio')
    return {name: first('dpkg-query', '-W', '-f=${Version}\n', name) for name in packages}
