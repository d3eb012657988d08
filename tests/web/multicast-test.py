# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing that a peer sends goes to a multicast address: in a network of the test's own, whose kernel counts."""

import ctypes
import os
import socket
import subprocess
import unittest

import tap
from peercase import PeerCase

CLONE_NEWNET = 0x40000000
SSDP = ('239.255.255.250', 1900)  # where UPnP would ask


def own_network():
    """For this process and what it starts: loopback, and an interface by which multicast could leave."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise unittest.SkipTest(f'no network of its own: {os.strerror(ctypes.get_errno())}')
    for line in ('link set lo up', 'link add out type veth peer name in', 'addr add 10.77.0.1/24 dev out',
                 'link set out up', 'link set in up', 'route add default dev out'):
        if subprocess.run(['ip', *line.split()], check=False).returncode:
            raise unittest.SkipTest(f'ip {line} failed')


def sent():
    """Packets to multicast addresses, of IPv4."""
    with open('/proc/self/net/netstat', encoding='ascii') as file:
        rows = [line.split() for line in file if line.startswith('IpExt:')]
    return int(dict(zip(*rows))['OutMcastPkts'])


class Multicast(PeerCase):
    def test_none_is_sent(self):
        own_network()
        before = sent()
        # The count is one that sees it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b'?', SSDP)
        self.assertEqual(sent(), before + 1)
        for peer in self.speak_and_hear(self.host()):
            self.assertEqual(peer.delete().status, 200)
        self.assertEqual(sent(), before + 1)


if __name__ == '__main__':
    tap.main()
