//! Numbers with every digit: parsed, written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| polytomic_mcp::fuzzing::numbers(data));
