// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The end of a connection whose peer still sends. A socket that is closed with something unread
// resets the connection, and the reset takes with it what was said last: why it was closed.
#pragma once

namespace agora::gateway {

// Says that nothing more comes, and reads and forgets what the peer still sends: until its end, for
// 2 s and 1 MiB at most. `fd`, a TCP socket, may be closed right after: this keeps its own. Main
// thread only. Where very many connections end so at a time, further ones are reset.
void linger (int fd);

}  // namespace agora::gateway
