# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private certificate authority, made by openssl, and a TLS endpoint in front of a plain server."""

import asyncio
import socket
import ssl
import subprocess
import threading

CURVE = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes')


def openssl(*words):
    subprocess.run(['openssl', *map(str, words)], check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name='authority'):
        self.folder = folder
        self.name = name
        self.file = folder / f'{name}.pem'
        self.key = folder / f'{name}.key'
        openssl('req', '-x509', *CURVE, '-keyout', self.key, '-out', self.file, '-days', 2,
                '-subj', f'/CN=The {name} of a test')

    def sign(self, name='server', hosts='DNS:localhost,IP:127.0.0.1', days=1):
        """(certificate, key), files. Less than 0 days: one that is over."""
        certificate, key = self.folder / f'{name}.pem', self.folder / f'{name}.key'
        request = self.folder / f'{name}.request'
        openssl('req', *CURVE, '-keyout', key, '-out', request, '-subj', f'/CN={name}',
                '-addext', f'subjectAltName={hosts}')
        openssl('x509', '-req', '-in', request, '-CA', self.file, '-CAkey', self.key,
                '-days', days, '-copy_extensions', 'copy', '-out', certificate)
        return certificate, key


class TlsFront:
    """Takes TLS on a free port, and carries it to where `target()` says. For a Case."""

    def __init__(self, case, certificate, key, target, port=0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.target = target
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        # Whoever doesn't trust it hangs up, which is no news.
        self.loop.set_exception_handler(lambda *_: None)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        listener = socket.create_server(('127.0.0.1', port))
        # As a media server's: the kernel is to take a few seconds of sound at most.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        start = asyncio.start_server(self._serve, sock=listener, ssl=self.context)
        self.server = asyncio.run_coroutine_threadsafe(start, self.loop).result(5)
        self.port = self.server.sockets[0].getsockname()[1]
        case.addCleanup(self.stop)

    def freeze(self):
        """Reads nothing and writes nothing from now on. Call what this returns to end it."""
        frozen, thaw = threading.Event(), threading.Event()

        def wait():
            frozen.set()
            thaw.wait()
        self.loop.call_soon_threadsafe(wait)
        frozen.wait(5)
        return thaw.set

    def stop(self):
        if not self.thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            there_reader, there_writer = await asyncio.open_connection(*self.target())
        except OSError:
            writer.close()
            return

        async def carry(source, sink):
            try:
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            except OSError:
                pass  # one end of it is gone
            sink.close()
        await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer))
