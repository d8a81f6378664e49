//! Responses that are not quite JSON, or not quite as documented: one bad character costs one character, one value of
//! another type costs that value.

mod fixtures;

mod limits;
mod text;
mod types;
mod writes;
