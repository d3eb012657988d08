// SPDX-License-Identifier: LGPL-2.1-or-later
// chat GATEWAY APP CHANNEL [VOICE [EAR]]: an audio chat, as chat.cpp. An empty line on standard input
// mutes the microphone, another one opens it again.
//
//   rustc --edition 2021 chat.rs -l gstreamer-1.0 -l gobject-2.0 -l glib-2.0
//
// With the crate `gstreamer` all of `mod gst` goes: agorasink and agorasrc are elements as any. Here it
// is written out, so that nothing but rustc is needed.
use std::ffi::{c_char, c_int, c_uint, CStr, CString};
use std::io::BufRead;
use std::sync::atomic::{AtomicBool, Ordering};

mod gst {
    use std::ffi::{c_char, c_int, c_uint, c_void};

    pub type Object = *mut c_void;
    pub const NULL: c_int = 1;
    pub const PLAYING: c_int = 4;
    pub const ERROR: c_uint = 1 << 1;

    pub type OnUid = extern "C" fn(Object, c_uint, Object);

    // GError.
    #[repr(C)]
    pub struct Error {
        pub domain: u32,
        pub code: c_int,
        pub message: *const c_char,
    }

    extern "C" {
        pub fn gst_init(argc: *mut c_int, argv: *mut c_void);
        pub fn gst_parse_launch(text: *const c_char, error: *mut *mut Error) -> Object;
        pub fn gst_bin_get_by_name(bin: Object, name: *const c_char) -> Object;
        pub fn gst_element_set_state(element: Object, state: c_int) -> c_int;
        pub fn gst_element_get_bus(element: Object) -> Object;
        pub fn gst_bus_timed_pop_filtered(bus: Object, timeout: u64, types: c_uint) -> Object;
        pub fn gst_message_parse_error(
            message: Object,
            error: *mut *mut Error,
            debug: *mut *mut c_char,
        );
        pub fn gst_mini_object_unref(object: Object);
        pub fn gst_object_unref(object: Object);
        pub fn g_object_set(object: Object, first: *const c_char, ...);
        pub fn g_signal_connect_data(
            object: Object,
            name: *const c_char,
            handler: OnUid,
            data: Object,
            destroy: Object,
            flags: c_int,
        ) -> u64;
        pub fn g_error_free(error: *mut Error);
        pub fn signal(number: c_int, handler: extern "C" fn(c_int)) -> usize;
    }
}

const VOICE: &str =
    "autoaudiosrc ! audioconvert ! audioresample ! audio/x-raw,rate=48000 ! webrtcdsp";
const EAR: &str =
    "audioconvert ! audioresample ! audio/x-raw,rate=48000 ! webrtcechoprobe ! autoaudiosink";
const LOOK: u64 = 100_000_000; // ns between two looks at whether it is to end

static ENDED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_number: c_int) {
    ENDED.store(true, Ordering::Relaxed);
}

fn text(value: &str) -> CString {
    CString::new(value).expect("no text has a zero in it")
}

fn owned(value: *const c_char) -> String {
    unsafe { CStr::from_ptr(value) }
        .to_string_lossy()
        .into_owned()
}

// A pointer that may go to another thread: GStreamer's objects may be used from any.
struct Shared(gst::Object);
unsafe impl Send for Shared {}

impl Shared {
    fn set(&self, name: &str, value: &str) {
        unsafe {
            gst::g_object_set(
                self.0,
                text(name).as_ptr(),
                text(value).as_ptr(),
                std::ptr::null::<c_char>(),
            )
        }
    }
    fn set_bool(&self, name: &str, value: bool) {
        unsafe {
            gst::g_object_set(
                self.0,
                text(name).as_ptr(),
                c_int::from(value),
                std::ptr::null::<c_char>(),
            )
        }
    }
    fn connect(&self, name: &str, handler: gst::OnUid) {
        let none = std::ptr::null_mut();
        unsafe { gst::g_signal_connect_data(self.0, text(name).as_ptr(), handler, none, none, 0) };
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        unsafe { gst::gst_object_unref(self.0) }
    }
}

fn taken(error: *mut gst::Error) -> String {
    let message = owned(unsafe { (*error).message });
    unsafe { gst::g_error_free(error) };
    message
}

fn launch(description: &str) -> Result<Shared, String> {
    let mut error = std::ptr::null_mut();
    let pipeline = unsafe { gst::gst_parse_launch(text(description).as_ptr(), &mut error) };
    if error.is_null() {
        Ok(Shared(pipeline))
    } else {
        Err(taken(error))
    }
}

fn child(pipeline: &Shared, name: &str) -> Shared {
    Shared(unsafe { gst::gst_bin_get_by_name(pipeline.0, text(name).as_ptr()) })
}

// Each line turns the microphone on or off. This thread waits in a read when the program ends.
fn read_lines(mouth: Shared) {
    let mut muted = false;
    for _ in std::io::stdin().lock().lines() {
        muted = !muted;
        mouth.set_bool("muted", muted);
        println!("{}", if muted { "muted" } else { "open" });
    }
}

// On the signalling thread.
extern "C" fn on_added(_ears: gst::Object, uid: c_uint, _data: gst::Object) {
    println!("{uid} speaks");
}
extern "C" fn on_removed(_ears: gst::Object, uid: c_uint, _data: gst::Object) {
    println!("{uid} has stopped");
}
extern "C" fn on_muted(_ears: gst::Object, uid: c_uint, _data: gst::Object) {
    println!("{uid} is muted");
}
extern "C" fn on_open(_ears: gst::Object, uid: c_uint, _data: gst::Object) {
    println!("{uid} is open");
}

// Until an error, or a signal of the system's.
fn follow(pipeline: &Shared) -> Result<(), String> {
    let bus = Shared(unsafe { gst::gst_element_get_bus(pipeline.0) });
    while !ENDED.load(Ordering::Relaxed) {
        let message = unsafe { gst::gst_bus_timed_pop_filtered(bus.0, LOOK, gst::ERROR) };
        if !message.is_null() {
            let mut error = std::ptr::null_mut();
            unsafe {
                gst::gst_message_parse_error(message, &mut error, std::ptr::null_mut());
                gst::gst_mini_object_unref(message);
            }
            return Err(taken(error));
        }
    }
    Ok(())
}

fn chat(words: &[String]) -> Result<(), String> {
    let voice = words.get(3).map_or(VOICE, String::as_str);
    let ear = words.get(4).map_or(EAR, String::as_str);
    let pipeline = launch(&format!(
        "{voice} ! agorasink name=mouth  agorasrc name=ears latency=60 ! {ear}"
    ))?;
    for name in ["mouth", "ears"] {
        let element = child(&pipeline, name);
        element.set("gateway", &words[0]);
        element.set("app-id", &words[1]);
        element.set("channel", &words[2]);
    }
    let ears = child(&pipeline, "ears");
    ears.connect("stream-added", on_added);
    ears.connect("stream-removed", on_removed);
    ears.connect("mute-audio", on_muted);
    ears.connect("unmute-audio", on_open);
    let mouth = child(&pipeline, "mouth");
    std::thread::spawn(move || read_lines(mouth));
    unsafe { gst::gst_element_set_state(pipeline.0, gst::PLAYING) };
    let ended = follow(&pipeline);
    unsafe { gst::gst_element_set_state(pipeline.0, gst::NULL) }; // leaves the channel
    ended
}

fn main() {
    unsafe {
        gst::gst_init(std::ptr::null_mut(), std::ptr::null_mut());
        gst::signal(2, on_signal); // SIGINT
        gst::signal(15, on_signal); // SIGTERM
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !(3..=5).contains(&words.len()) {
        eprintln!("usage: chat GATEWAY APP CHANNEL [VOICE [EAR]]");
        std::process::exit(2);
    }
    if let Err(error) = chat(&words) {
        eprintln!("chat: {error}");
        std::process::exit(1);
    }
}
