//! `Retry-After`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| polytomic_mcp::fuzzing::retry_after(data));
