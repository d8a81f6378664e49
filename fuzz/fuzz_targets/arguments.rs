//! Argument coercion against every tool's schema. An independent validator checks what it accepts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    polytomic_mcp::fuzzing::arguments(data, |schema| {
        let validator = jsonschema::validator_for(schema).expect("the schema is valid");
        move |value| validator.is_valid(value)
    });
});
