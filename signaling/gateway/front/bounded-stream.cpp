// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/front/bounded-stream.hpp"

#include <algorithm>
#include <utility>

using agora::gateway::Readiness;

struct AgoraBoundedInput {
  GFilterInputStream parent;
  std::size_t bound;
  std::size_t count;
  Readiness::Socket *socket;  // the stream's; null: the base's own sources serve
};
struct AgoraBoundedInputClass {
  GFilterInputStreamClass parent_class;
};

static void agora_bounded_input_pollable_init (GPollableInputStreamInterface *interface) noexcept;

G_DEFINE_TYPE_WITH_CODE(AgoraBoundedInput, agora_bounded_input, G_TYPE_FILTER_INPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_INPUT_STREAM,
                                              agora_bounded_input_pollable_init))

static GInputStream *base_of (gpointer self) {
  return g_filter_input_stream_get_base_stream(G_FILTER_INPUT_STREAM(self));
}

static gssize counted (gpointer stream, gssize got, GError **error) {
  auto *self = static_cast<AgoraBoundedInput *>(stream);
  if (got <= 0)
    return got;
  self->count += static_cast<std::size_t>(got);
  if (self->count <= self->bound)
    return got;
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, "The message is too long");
  return -1;
}

static gssize agora_bounded_input_read (GInputStream *self, void *buffer, gsize size,
                                        GCancellable *cancellable, GError **error) noexcept {
  return counted(self, g_input_stream_read(base_of(self), buffer, size, cancellable, error), error);
}

static gboolean agora_bounded_input_can_poll (GPollableInputStream *self) noexcept {
  return g_pollable_input_stream_can_poll(G_POLLABLE_INPUT_STREAM(base_of(self)));
}

static gboolean agora_bounded_input_is_readable (GPollableInputStream *self) noexcept {
  return g_pollable_input_stream_is_readable(G_POLLABLE_INPUT_STREAM(base_of(self)));
}

static GSource *agora_bounded_input_create_source (GPollableInputStream *self,
                                                   GCancellable *cancellable) noexcept {
  if (auto *socket = reinterpret_cast<AgoraBoundedInput *>(self)->socket)
    return socket->make_source(G_OBJECT(self), Readiness::Socket::Way::in);
  auto *base =
      g_pollable_input_stream_create_source(G_POLLABLE_INPUT_STREAM(base_of(self)), nullptr);
  auto *source = g_pollable_source_new_full(self, base, cancellable);
  g_source_unref(base);
  return source;
}

static gssize agora_bounded_input_read_nonblocking (GPollableInputStream *self, void *buffer,
                                                    gsize size, GError **error) noexcept {
  auto *socket = reinterpret_cast<AgoraBoundedInput *>(self)->socket;
  if (socket != nullptr && socket->is_drained()) {
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "Nothing to read");
    return -1;
  }
  auto got = g_pollable_input_stream_read_nonblocking(G_POLLABLE_INPUT_STREAM(base_of(self)),
                                                      buffer, size, nullptr, error);
  // libsoup reads until nothing is left: a short read says so without another call.
  if (socket != nullptr && got > 0 && static_cast<gsize>(got) < size)
    socket->drained();
  return counted(self, got, error);
}

static void agora_bounded_input_pollable_init (GPollableInputStreamInterface *interface) noexcept {
  interface->can_poll = agora_bounded_input_can_poll;
  interface->is_readable = agora_bounded_input_is_readable;
  interface->create_source = agora_bounded_input_create_source;
  interface->read_nonblocking = agora_bounded_input_read_nonblocking;
}

static void agora_bounded_input_class_init (AgoraBoundedInputClass *klass) {
  G_INPUT_STREAM_CLASS(klass)->read_fn = agora_bounded_input_read;
}

static void agora_bounded_input_init (AgoraBoundedInput *) {
}

struct AgoraBoundedOutput {
  GFilterOutputStream parent;
  Readiness::Socket *socket;  // the stream's, never null
};
struct AgoraBoundedOutputClass {
  GFilterOutputStreamClass parent_class;
};

static void agora_bounded_output_pollable_init (GPollableOutputStreamInterface *interface) noexcept;

G_DEFINE_TYPE_WITH_CODE(AgoraBoundedOutput, agora_bounded_output, G_TYPE_FILTER_OUTPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_OUTPUT_STREAM,
                                              agora_bounded_output_pollable_init))

static GPollableOutputStream *output_base (gpointer self) {
  return G_POLLABLE_OUTPUT_STREAM(
      g_filter_output_stream_get_base_stream(G_FILTER_OUTPUT_STREAM(self)));
}

static gboolean agora_bounded_output_is_writable (GPollableOutputStream *self) noexcept {
  return reinterpret_cast<AgoraBoundedOutput *>(self)->socket->flush() &&
         g_pollable_output_stream_is_writable(output_base(self));
}

static GSource *agora_bounded_output_create_source (GPollableOutputStream *self,
                                                    GCancellable *) noexcept {
  return reinterpret_cast<AgoraBoundedOutput *>(self)->socket->make_source(
      G_OBJECT(self), Readiness::Socket::Way::out);
}

static gssize agora_bounded_output_write_nonblocking (GPollableOutputStream *self, const void *data,
                                                      gsize size, GError **error) noexcept {
  if (!reinterpret_cast<AgoraBoundedOutput *>(self)->socket->flush()) {
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "Something goes first");
    return -1;
  }
  return g_pollable_output_stream_write_nonblocking(output_base(self), data, size, nullptr, error);
}

static void agora_bounded_output_pollable_init (
    GPollableOutputStreamInterface *interface) noexcept {
  interface->is_writable = agora_bounded_output_is_writable;
  interface->create_source = agora_bounded_output_create_source;
  interface->write_nonblocking = agora_bounded_output_write_nonblocking;
}

static void agora_bounded_output_class_init (AgoraBoundedOutputClass *) {
}

static void agora_bounded_output_init (AgoraBoundedOutput *) {
}

// GSimpleIOStream would close the two halves, but not the connection.
struct AgoraBoundedStream {
  GIOStream parent;
  GIOStream *base;
  GInputStream *input;
  GOutputStream *output;  // null: the base's
  Readiness::Socket *socket;
};
struct AgoraBoundedStreamClass {
  GIOStreamClass parent_class;
};

G_DEFINE_TYPE(AgoraBoundedStream, agora_bounded_stream, G_TYPE_IO_STREAM)

static GIOStream *base_stream (GIOStream *self) {
  return reinterpret_cast<AgoraBoundedStream *>(self)->base;
}

static GInputStream *agora_bounded_stream_get_input (GIOStream *self) noexcept {
  return reinterpret_cast<AgoraBoundedStream *>(self)->input;
}

static GOutputStream *agora_bounded_stream_get_output (GIOStream *self) noexcept {
  auto *own = reinterpret_cast<AgoraBoundedStream *>(self)->output;
  return own != nullptr ? own : g_io_stream_get_output_stream(base_stream(self));
}

static void forget_socket (GIOStream *self) {
  if (auto *socket = reinterpret_cast<AgoraBoundedStream *>(self)->socket)
    socket->forget();
}

static gboolean agora_bounded_stream_close (GIOStream *self, GCancellable *cancellable,
                                            GError **error) noexcept {
  forget_socket(self);
  return g_io_stream_close(base_stream(self), cancellable, error);
}

static void agora_bounded_stream_close_async (GIOStream *self, int priority,
                                              GCancellable *cancellable,
                                              GAsyncReadyCallback callback,
                                              gpointer data) noexcept {
  forget_socket(self);
  auto *task = g_task_new(self, cancellable, callback, data);
  auto on_closed = [] (GObject *base, GAsyncResult *result, gpointer waiting) noexcept {
    g_autoptr(GTask) done = static_cast<GTask *>(waiting);
    GError *error = nullptr;
    if (g_io_stream_close_finish(G_IO_STREAM(base), result, &error))
      g_task_return_boolean(done, TRUE);
    else
      g_task_return_error(done, error);
  };
  g_io_stream_close_async(base_stream(self), priority, cancellable, on_closed, task);
}

static gboolean agora_bounded_stream_close_finish (GIOStream *, GAsyncResult *result,
                                                   GError **error) noexcept {
  return g_task_propagate_boolean(G_TASK(result), error);
}

static void agora_bounded_stream_finalize (GObject *object) noexcept {
  auto *self = reinterpret_cast<AgoraBoundedStream *>(object);
  reinterpret_cast<AgoraBoundedInput *>(self->input)->socket = nullptr;
  g_object_unref(self->input);
  g_clear_object(&self->output);
  delete self->socket;
  g_object_unref(self->base);
  G_OBJECT_CLASS(agora_bounded_stream_parent_class)->finalize(object);
}

static void agora_bounded_stream_class_init (AgoraBoundedStreamClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = agora_bounded_stream_finalize;
  auto *stream = G_IO_STREAM_CLASS(klass);
  stream->get_input_stream = agora_bounded_stream_get_input;
  stream->get_output_stream = agora_bounded_stream_get_output;
  stream->close_fn = agora_bounded_stream_close;
  stream->close_async = agora_bounded_stream_close_async;
  stream->close_finish = agora_bounded_stream_close_finish;
}

static void agora_bounded_stream_init (AgoraBoundedStream *) {
}

namespace agora::gateway {

ObjectPtr<GIOStream> bounded_stream_new (GIOStream *base, std::size_t bound,
                                         std::unique_ptr<Readiness::Socket> socket) {
  auto *input = static_cast<AgoraBoundedInput *>(
      g_object_new(agora_bounded_input_get_type(), "base-stream",
                   g_io_stream_get_input_stream(base), "close-base-stream", FALSE, nullptr));
  input->bound = bound;
  auto *stream =
      static_cast<AgoraBoundedStream *>(g_object_new(agora_bounded_stream_get_type(), nullptr));
  stream->base = G_IO_STREAM(g_object_ref(base));
  stream->input = G_INPUT_STREAM(input);
  stream->socket = socket.release();
  input->socket = stream->socket;
  if (stream->socket != nullptr) {
    stream->output = G_OUTPUT_STREAM(g_object_new(agora_bounded_output_get_type(), "base-stream",
                                                  g_io_stream_get_output_stream(base),
                                                  "close-base-stream", FALSE, nullptr));
    reinterpret_cast<AgoraBoundedOutput *>(stream->output)->socket = stream->socket;
  }
  return ObjectPtr<GIOStream>(G_IO_STREAM(stream));
}

// Each message makes up for its own bytes, its headers and one ping: a peer may keep alive by pings
// for ever, but can't make more and more pongs wait.
void bounded_stream_renew (GIOStream *stream, std::size_t size) {
  constexpr std::size_t headers = 16;
  constexpr std::size_t longest_ping = 131;
  auto *input = reinterpret_cast<AgoraBoundedInput *>(g_io_stream_get_input_stream(stream));
  input->count -= std::min(input->count, size + headers + longest_ping);
}

bool bounded_stream_is_direct (GIOStream *stream) {
  return reinterpret_cast<AgoraBoundedStream *>(stream)->socket != nullptr;
}

bool bounded_stream_write (GIOStream *stream, std::string_view data) {
  auto *socket = reinterpret_cast<AgoraBoundedStream *>(stream)->socket;
  return socket != nullptr && socket->write(data);
}

}  // namespace agora::gateway
