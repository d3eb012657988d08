# SPDX-License-Identifier: LGPL-2.1-or-later
"""webrtcbin to webrtcbin, Opus, in one process."""

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstWebRTC', '1.0')
gi.require_version('GstSdp', '1.0')
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402,F401

import rig  # noqa: E402


class Pair:
    def __init__(self, jitter, make, watch):
        """`jitter`: of the receiver's buffer, in ms; `make`: makes a Pipeline of a description;
        `watch`: gets the sink at which the sound comes out."""
        self.watch = watch
        self.sender = make(
            f'{rig.mic(rig.TICKS)} ! opusenc frame-size=20 ! rtpopuspay pt=96 ! '
            'application/x-rtp,media=audio,encoding-name=OPUS,payload=96 ! webrtcbin name=peer')
        receiver = Gst.Pipeline.new()
        peer = Gst.ElementFactory.make('webrtcbin', 'peer')
        peer.set_property('latency', jitter)
        receiver.add(peer)
        self.receiver = make(receiver)
        self.ours = self.sender.pipeline.get_by_name('peer')
        self.theirs = peer
        self.ours.connect('on-ice-candidate', self.candidate, self.theirs)
        self.theirs.connect('on-ice-candidate', self.candidate, self.ours)
        self.ours.connect('on-negotiation-needed', self.negotiate)
        self.theirs.connect('pad-added', self.sound)

    def ends(self):
        return self.sender, self.receiver

    @staticmethod
    def candidate(_peer, index, text, other):
        other.emit('add-ice-candidate', index, text)

    def negotiate(self, _peer):
        self.ours.emit('create-offer', None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise):
        # What is inside lives only as long as the reply.
        reply = promise.get_reply()
        offer = reply.get_value('offer')
        self.ours.emit('set-local-description', offer, None)
        self.theirs.emit('set-remote-description', offer,
                         Gst.Promise.new_with_change_func(self.answer))

    def answer(self, _promise):
        self.theirs.emit('create-answer', None, Gst.Promise.new_with_change_func(self.answered))

    def answered(self, promise):
        reply = promise.get_reply()
        answer = reply.get_value('answer')
        self.theirs.emit('set-local-description', answer, None)
        self.ours.emit('set-remote-description', answer, None)

    def sound(self, _peer, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        out = Gst.parse_bin_from_description(
            'rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE ! '
            f'{rig.EAR} sync=true', True)
        self.receiver.pipeline.add(out)
        out.sync_state_with_parent()
        self.watch(out.get_by_name('out'))
        pad.link(out.get_static_pad('sink'))

    def play(self):
        self.receiver.play()
        self.sender.play()

    def stop(self):
        self.sender.stop()
        self.receiver.stop()
