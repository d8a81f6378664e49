//! Message reading, in MCP and in JSON-RPC.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| polytomic_mcp::fuzzing::messages(data));
