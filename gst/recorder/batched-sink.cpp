// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/recorder/batched-sink.hpp"

#include <utility>

namespace agora::recorder {

namespace {

constexpr std::size_t kMostBytes = 64 << 10;

}  // namespace

BatchedSink::BatchedSink(GstElement *sink) : pad_(gst_element_get_static_pad(sink, "sink")) {
  probe_ = gst_pad_add_probe(pad_.get(),
                             static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM),
                             on_data, this, nullptr);
}

BatchedSink::~BatchedSink() {
  gst_pad_remove_probe(pad_.get(), probe_);
}

GstPadProbeReturn BatchedSink::on_data(GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
  auto *self = static_cast<BatchedSink *>(data);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
    self->gather(BufferPtr(GST_PAD_PROBE_INFO_BUFFER(info)));
    return GST_PAD_PROBE_HANDLED;
  }
  // Where a muxer goes back to its header, what was written before is before.
  self->flush();
  return GST_PAD_PROBE_OK;
}

void BatchedSink::gather(BufferPtr buffer) {
  if (!batch_)
    batch_.reset(gst_buffer_list_new());
  bytes_ += gst_buffer_get_size(buffer.get());
  gst_buffer_list_add(batch_.get(), buffer.release());
  if (bytes_ >= kMostBytes)
    flush();
}

void BatchedSink::flush() {
  bytes_ = 0;
  // It comes by the probe, too, which finds nothing that waits. What fails there is told on the
  // bus.
  if (BufferListPtr batch = std::exchange(batch_, nullptr))
    gst_pad_chain_list(pad_.get(), batch.release());
}

}  // namespace agora::recorder
