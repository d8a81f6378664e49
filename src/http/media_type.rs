//! Media types of bodies, and which ones a client accepts.

use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

/// Whether the body is JSON as this server reads it: in UTF-8 and not compressed.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let encoding = text(CONTENT_ENCODING).unwrap_or_default().trim();
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return false;
    }
    let mut parts = text(CONTENT_TYPE).unwrap_or_default().split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_json = ["application/json", "application/json-rpc"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let value = value.trim().trim_matches('"');
                ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
            }
            _ => true,
        })
}

/// Whether a client accepts a media type. Without the header it accepts all.
///
/// Source: RFC 9110, section 12.5.1. A weight of zero excludes a type; what cannot be read excludes nothing.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
    let ranges = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    // The most specific range decides.
    let best = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let specificity = match name {
            name if name.eq_ignore_ascii_case(media_type) => 2,
            "*/*" => 0,
            name => {
                let (of_range, rest) = name.split_once('/')?;
                (rest == "*" && of_range.eq_ignore_ascii_case(kind)).then_some(1)?
            }
        };
        let is_excluded = parts.any(|parameter| {
            let weight = parameter.strip_prefix(['q', 'Q']).map(str::trim_start);
            let weight = weight.and_then(|rest| rest.strip_prefix('=')).map(str::trim);
            weight.and_then(|weight| weight.parse::<f32>().ok()) == Some(0.0)
        });
        Some((specificity, !is_excluded))
    });
    best.max().is_some_and(|(_, is_accepted)| is_accepted)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn json_is_utf_8_without_an_encoding() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"; x=1", true),
            ("application/json-rpc", true),
            ("application/json; charset=utf-16", false),
            ("application/json; charset=latin1", false),
            ("text/plain", false),
            ("application/jsonp", false),
            ("", false),
        ] {
            assert_eq!(is_json(&headers(CONTENT_TYPE, value)), expected, "{value}");
        }
        for (encoding, expected) in [("identity", true), ("gzip", false), ("br, identity", false)] {
            let mut headers = headers(CONTENT_TYPE, "application/json");
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            assert_eq!(is_json(&headers), expected, "{encoding}");
        }
    }

    #[test]
    fn a_type_is_accepted_by_the_most_specific_range() {
        for (value, expected) in [
            ("application/json, text/event-stream", true),
            ("text/event-stream", false),
            ("*/*", true),
            ("application/*", true),
            ("application/json;q=0, */*", false),
            ("APPLICATION/json; q=0.5", true),
            ("application/json;q=0.0", false),
            ("application/json;q=abc", true),
            ("text/html", false),
            ("", false),
        ] {
            let accepted = accepts(&headers(ACCEPT, value), "application/json");
            assert_eq!(accepted, expected, "{value}");
        }
        assert!(accepts(&HeaderMap::new(), "application/json"));
    }
}
