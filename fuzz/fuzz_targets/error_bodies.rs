//! Bodies of error responses, and the errors made from them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| polytomic_mcp::fuzzing::error_bodies(data));
