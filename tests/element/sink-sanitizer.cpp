// SPDX-License-Identifier: LGPL-2.1-or-later
// GLib has no frame pointers: only with the slow unwinder do suppressions see who allocated.
#if defined(__SANITIZE_ADDRESS__)
extern "C" const char *__asan_default_options ();

const char *__asan_default_options () {
  return "fast_unwind_on_malloc=0";
}
#endif
