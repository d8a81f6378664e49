//! The framing of stdin: the line splitter.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| polytomic_mcp::fuzzing::framing(data));
