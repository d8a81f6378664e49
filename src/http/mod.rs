//! What servers that listen on a port share.

pub(crate) mod oauth;
