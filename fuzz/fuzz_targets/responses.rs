//! Responses of the API, valid or damaged: read strictly and leniently.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| polytomic_mcp::fuzzing::responses(data));
