// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/http/tls-stream.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

using agora::ObjectPtr;
using agora::SourcePtr;
using agora::Tls;
using agora::TlsIdentity;

namespace {

// At most so many reads of the socket for one of ours: a peer may send what is no plaintext for
// ever, and others have their turn in between.
constexpr int most_receives = 4;

std::span<std::uint8_t> bytes_of (void *data, std::size_t size) {
  return {static_cast<std::uint8_t *>(data), size};
}

GError *io_error (GIOErrorEnum code, const std::string &text) {
  return g_error_new_literal(G_IO_ERROR, code, text.c_str());
}

// One connection. Its streams are for those who poll: where a read or write would wait, it says
// WOULD_BLOCK, as of a socket that never waits. libsoup's server asks in no other way.
class Link {
 public:
  Link(GSocket *socket, const TlsIdentity::Ptr &identity)
      : socket_(agora::share(socket)), tls_(identity) {}

  GSocket *socket () const { return socket_.get(); }
  const Tls &tls () const { return tls_; }
  bool over () const { return ended_ || tls_.over(); }

  // What came with the end of the handshake is kept for read(): some of it, the rest waits.
  void shake_hands () {
    std::array<std::uint8_t, Tls::record_bytes> buffer;
    gssize size = 0;
    while (!over() && kept_.size() < Tls::record_bytes && (size = take(buffer)) > 0)
      kept_.append(reinterpret_cast<const char *>(buffer.data()), static_cast<std::size_t>(size));
  }

  // Whether plaintext is here that no socket tells of.
  bool has_more () const { return more_ || !kept_.empty() || over(); }

  gssize read (void *to, std::size_t size, GError **error) {
    if (!kept_.empty()) {
      const auto taken = std::min(size, kept_.size());
      std::memcpy(to, kept_.data(), taken);
      kept_.erase(0, taken);
      if (kept_.empty())
        kept_ = std::string();
      return static_cast<gssize>(taken);
    }
    const auto taken = take(bytes_of(to, size));
    if (taken < 0)
      g_propagate_error(error, io_error(G_IO_ERROR_WOULD_BLOCK, "Nothing to read"));
    return taken;
  }

  gssize write (const void *from, std::size_t size, GError **error) {
    if (flush()) {
      const auto taken = tls_.write({static_cast<const std::uint8_t *>(from), size});
      flush();
      if (taken > 0)
        return static_cast<gssize>(taken);
    }
    g_propagate_error(error, over() ? io_error(G_IO_ERROR_CONNECTION_CLOSED, "The peer is gone")
                                    : io_error(G_IO_ERROR_WOULD_BLOCK, "Something goes first"));
    return -1;
  }

  // Sends the ciphertext that waits. False: some of it still does; it goes when there is room, also
  // when nobody asks.
  bool flush () {
    while (!tls_.output().empty() && !ended_) {
      const auto output = tls_.output();
      g_autoptr(GError) error = nullptr;
      // By GSocket, which knows whether the socket's timeout is over.
      const auto sent = g_socket_send_with_blocking(socket_.get(), output.data(), output.size(),
                                                    FALSE, nullptr, &error);
      if (sent >= 0) {
        tls_.sent(static_cast<std::size_t>(sent));
      } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
        wait_writable();
        return false;
      } else {
        ended_ = true;
      }
    }
    writable_.reset();
    return !ended_;
  }

  void close () {
    if (g_socket_is_closed(socket_.get()))
      return;
    tls_.close();
    flush();
    writable_.reset();
    ended_ = true;
    g_socket_close(socket_.get(), nullptr);
  }

 private:
  // 0: the end. -1: nothing for now.
  gssize take (std::span<std::uint8_t> to) {
    for (int i = 0; i < most_receives; i++) {
      const auto size = tls_.read(to);
      flush();
      more_ = size > 0;
      if (more_)
        return static_cast<gssize>(size);
      cipher_ = std::string();
      if (over())
        return 0;
      receive();
      if (cipher_.empty())
        return ended_ ? 0 : -1;
    }
    return -1;
  }

  void receive () {
    std::array<char, Tls::record_bytes> buffer;
    g_autoptr(GError) error = nullptr;
    const auto size = g_socket_receive_with_blocking(socket_.get(), buffer.data(), buffer.size(),
                                                     FALSE, nullptr, &error);
    if (size > 0)
      cipher_.assign(buffer.data(), static_cast<std::size_t>(size));
    else if (size == 0 || !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
      ended_ = true;
    // It isn't copied: `cipher_` stays until all of it was read.
    tls_.feed({reinterpret_cast<const std::uint8_t *>(cipher_.data()), cipher_.size()});
  }

  void wait_writable () {
    if (writable_)
      return;
    auto *source = g_socket_create_source(socket_.get(), G_IO_OUT, nullptr);
    auto on_writable = [] (GSocket *, GIOCondition, gpointer self) -> gboolean {
      static_cast<Link *>(self)->flush();
      return G_SOURCE_CONTINUE;
    };
    g_source_set_callback(source, G_SOURCE_FUNC(+on_writable), this, nullptr);
    g_source_attach(source, g_main_context_get_thread_default());
    writable_ = SourcePtr(source);
  }

  const ObjectPtr<GSocket> socket_;
  std::string cipher_;  // received, and not yet all read
  Tls tls_;
  std::string kept_;   // plaintext that came with the end of the handshake
  bool more_ = false;  // the last read gave something, and there may be more of it
  bool ended_ = false;
  SourcePtr writable_;
};

}  // namespace

// The stream and both of its halves have the connection: whoever holds one of them may use it.
using LinkPtr = std::shared_ptr<Link>;

struct AgoraTlsInput {
  GInputStream parent;
  LinkPtr link;
};
struct AgoraTlsInputClass {
  GInputStreamClass parent_class;
};

static void agora_tls_input_pollable_init (GPollableInputStreamInterface *interface) noexcept;

G_DEFINE_TYPE_WITH_CODE(AgoraTlsInput, agora_tls_input, G_TYPE_INPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_INPUT_STREAM,
                                              agora_tls_input_pollable_init))

static gssize agora_tls_input_read (GInputStream *self, void *buffer, gsize size, GCancellable *,
                                    GError **error) noexcept {
  return reinterpret_cast<AgoraTlsInput *>(self)->link->read(buffer, size, error);
}

static gssize agora_tls_input_read_nonblocking (GPollableInputStream *self, void *buffer,
                                                gsize size, GError **error) noexcept {
  return reinterpret_cast<AgoraTlsInput *>(self)->link->read(buffer, size, error);
}

static gboolean agora_tls_input_is_readable (GPollableInputStream *self) noexcept {
  const auto &link = reinterpret_cast<AgoraTlsInput *>(self)->link;
  return link->has_more() || g_socket_condition_check(link->socket(), G_IO_IN) != 0;
}

static GSource *agora_tls_input_create_source (GPollableInputStream *self,
                                               GCancellable *cancellable) noexcept {
  const auto &link = reinterpret_cast<AgoraTlsInput *>(self)->link;
  GSource *base = link->has_more() ? g_timeout_source_new(0)
                                   : g_socket_create_source(link->socket(), G_IO_IN, nullptr);
  auto *source = g_pollable_source_new_full(self, base, cancellable);
  g_source_unref(base);
  return source;
}

static void agora_tls_input_pollable_init (GPollableInputStreamInterface *interface) noexcept {
  interface->is_readable = agora_tls_input_is_readable;
  interface->create_source = agora_tls_input_create_source;
  interface->read_nonblocking = agora_tls_input_read_nonblocking;
}

static void agora_tls_input_finalize (GObject *object) noexcept {
  reinterpret_cast<AgoraTlsInput *>(object)->link.~LinkPtr();
  G_OBJECT_CLASS(agora_tls_input_parent_class)->finalize(object);
}

static void agora_tls_input_class_init (AgoraTlsInputClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = agora_tls_input_finalize;
  G_INPUT_STREAM_CLASS(klass)->read_fn = agora_tls_input_read;
}

static void agora_tls_input_init (AgoraTlsInput *self) {
  new (&self->link) LinkPtr();
}

struct AgoraTlsOutput {
  GOutputStream parent;
  LinkPtr link;
};
struct AgoraTlsOutputClass {
  GOutputStreamClass parent_class;
};

static void agora_tls_output_pollable_init (GPollableOutputStreamInterface *interface) noexcept;

G_DEFINE_TYPE_WITH_CODE(AgoraTlsOutput, agora_tls_output, G_TYPE_OUTPUT_STREAM,
                        G_IMPLEMENT_INTERFACE(G_TYPE_POLLABLE_OUTPUT_STREAM,
                                              agora_tls_output_pollable_init))

static gssize agora_tls_output_write (GOutputStream *self, const void *data, gsize size,
                                      GCancellable *, GError **error) noexcept {
  return reinterpret_cast<AgoraTlsOutput *>(self)->link->write(data, size, error);
}

static gssize agora_tls_output_write_nonblocking (GPollableOutputStream *self, const void *data,
                                                  gsize size, GError **error) noexcept {
  return reinterpret_cast<AgoraTlsOutput *>(self)->link->write(data, size, error);
}

static gboolean agora_tls_output_is_writable (GPollableOutputStream *self) noexcept {
  const auto &link = reinterpret_cast<AgoraTlsOutput *>(self)->link;
  return link->over() || (link->flush() && g_socket_condition_check(link->socket(), G_IO_OUT) != 0);
}

static GSource *agora_tls_output_create_source (GPollableOutputStream *self,
                                                GCancellable *cancellable) noexcept {
  auto *base = g_socket_create_source(reinterpret_cast<AgoraTlsOutput *>(self)->link->socket(),
                                      G_IO_OUT, nullptr);
  auto *source = g_pollable_source_new_full(self, base, cancellable);
  g_source_unref(base);
  return source;
}

static void agora_tls_output_pollable_init (GPollableOutputStreamInterface *interface) noexcept {
  interface->is_writable = agora_tls_output_is_writable;
  interface->create_source = agora_tls_output_create_source;
  interface->write_nonblocking = agora_tls_output_write_nonblocking;
}

static void agora_tls_output_finalize (GObject *object) noexcept {
  reinterpret_cast<AgoraTlsOutput *>(object)->link.~LinkPtr();
  G_OBJECT_CLASS(agora_tls_output_parent_class)->finalize(object);
}

static void agora_tls_output_class_init (AgoraTlsOutputClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = agora_tls_output_finalize;
  G_OUTPUT_STREAM_CLASS(klass)->write_fn = agora_tls_output_write;
}

static void agora_tls_output_init (AgoraTlsOutput *self) {
  new (&self->link) LinkPtr();
}

struct AgoraTlsStream {
  GIOStream parent;
  LinkPtr link;
  GInputStream *input;
  GOutputStream *output;
};
struct AgoraTlsStreamClass {
  GIOStreamClass parent_class;
};

G_DEFINE_TYPE(AgoraTlsStream, agora_tls_stream, G_TYPE_IO_STREAM)

static Link *link_of (GIOStream *self) {
  return reinterpret_cast<AgoraTlsStream *>(self)->link.get();
}

static GInputStream *agora_tls_stream_get_input (GIOStream *self) noexcept {
  return reinterpret_cast<AgoraTlsStream *>(self)->input;
}

static GOutputStream *agora_tls_stream_get_output (GIOStream *self) noexcept {
  return reinterpret_cast<AgoraTlsStream *>(self)->output;
}

static gboolean agora_tls_stream_close (GIOStream *self, GCancellable *, GError **) noexcept {
  link_of(self)->close();
  return TRUE;
}

// At once: GIO's own would do it in a thread.
static void agora_tls_stream_close_async (GIOStream *self, int, GCancellable *cancellable,
                                          GAsyncReadyCallback callback, gpointer data) noexcept {
  g_autoptr(GTask) task = g_task_new(self, cancellable, callback, data);
  link_of(self)->close();
  g_task_return_boolean(task, TRUE);
}

static gboolean agora_tls_stream_close_finish (GIOStream *, GAsyncResult *result,
                                               GError **error) noexcept {
  return g_task_propagate_boolean(G_TASK(result), error);
}

static void agora_tls_stream_finalize (GObject *object) noexcept {
  auto *self = reinterpret_cast<AgoraTlsStream *>(object);
  g_object_unref(self->input);
  g_object_unref(self->output);
  self->link.~LinkPtr();
  G_OBJECT_CLASS(agora_tls_stream_parent_class)->finalize(object);
}

static void agora_tls_stream_class_init (AgoraTlsStreamClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = agora_tls_stream_finalize;
  auto *stream = G_IO_STREAM_CLASS(klass);
  stream->get_input_stream = agora_tls_stream_get_input;
  stream->get_output_stream = agora_tls_stream_get_output;
  stream->close_fn = agora_tls_stream_close;
  stream->close_async = agora_tls_stream_close_async;
  stream->close_finish = agora_tls_stream_close_finish;
}

static void agora_tls_stream_init (AgoraTlsStream *self) {
  new (&self->link) LinkPtr();
}

namespace agora::gateway {

ObjectPtr<GIOStream> tls_stream_new (GSocket *socket, const TlsIdentity::Ptr &identity) {
  auto *stream = static_cast<AgoraTlsStream *>(g_object_new(agora_tls_stream_get_type(), nullptr));
  stream->link = std::make_shared<Link>(socket, identity);
  stream->input = static_cast<GInputStream *>(g_object_new(agora_tls_input_get_type(), nullptr));
  reinterpret_cast<AgoraTlsInput *>(stream->input)->link = stream->link;
  stream->output = static_cast<GOutputStream *>(g_object_new(agora_tls_output_get_type(), nullptr));
  reinterpret_cast<AgoraTlsOutput *>(stream->output)->link = stream->link;
  return ObjectPtr<GIOStream>(G_IO_STREAM(stream));
}

TlsStep tls_stream_handshake (GIOStream *stream) {
  auto *link = link_of(stream);
  link->shake_hands();
  if (link->tls().established())
    return TlsStep::established;
  return link->over() ? TlsStep::failed : TlsStep::more;
}

std::string tls_stream_reason (GIOStream *stream) {
  return link_of(stream)->tls().reason();
}

}  // namespace agora::gateway
