# SPDX-License-Identifier: LGPL-2.1-or-later
"""AccessToken 007 once more, in Python, so that the gateway isn't held against its own code."""

import base64
import hashlib
import hmac
import struct
import time
import zlib

JOIN, AUDIO, VIDEO, DATA = 1, 2, 3, 4


def _text(text):
    data = text.encode()
    return struct.pack('<H', len(data)) + data


def _sign(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def build(app, certificate, channel, uid='', privileges=None, expires=3600, issued=None, salt=1):
    """`privileges`: number -> seconds from issue; default: to join, as long as the token."""
    issued = int(time.time()) if issued is None else issued
    privileges = {JOIN: expires} if privileges is None else privileges
    body = _text(app) + struct.pack('<III', issued, expires, salt)
    body += struct.pack('<HHH', 1, 1, len(privileges))
    for which, lifetime in sorted(privileges.items()):
        body += struct.pack('<HI', which, lifetime)
    body += _text(channel) + _text('' if str(uid) == '0' else str(uid))
    key = _sign(struct.pack('<I', salt), _sign(struct.pack('<I', issued), certificate.encode()))
    signature = _sign(key, body)
    return '007' + base64.b64encode(zlib.compress(struct.pack('<H', 32) + signature + body)).decode()


def parse(token):
    """What it says, as a dictionary."""
    assert token.startswith('007'), token
    data = zlib.decompress(base64.b64decode(token[3:]))

    def take(form):
        nonlocal data
        values = struct.unpack_from(form, data)
        data = data[struct.calcsize(form):]
        return values[0] if len(values) == 1 else values

    def text():
        nonlocal data
        size = take('<H')
        value, data = data[:size], data[size:]
        return value

    said = {'signature': text(), 'signed': data, 'app': text().decode()}
    said['issued'], said['expires'], said['salt'] = take('<III')
    assert take('<HH') == (1, 1)
    said['privileges'] = dict(take('<HI') for _ in range(take('<H')))
    said['channel'], said['uid'] = text().decode(), text().decode()
    assert not data, data
    return said
