//! Cursors of lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::registry::ErrorCode;
use crate::tools::Cursor;

/// A cursor is accepted if it is one, and is then the same when it is returned.
pub fn cursors(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for text in [text.into_owned(), URL_SAFE_NO_PAD.encode(data)] {
        let decode = |text: &str| Cursor::decode(text, "list_models", &json!({}), None);
        match decode(&text) {
            Ok(cursor) => {
                let again = decode(&cursor.encode());
                assert!(again.is_ok_and(|again| again == cursor));
            }
            Err(error) => {
                assert!(error.code == ErrorCode::InvalidArgument && error.message.len() < 1_000);
            }
        }
    }
}
