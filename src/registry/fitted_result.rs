//! Fits results to the tools that are served: what a result advises to call is there.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::fitted_text::{Hidden, fit};
use super::notice::{NOTICE, Properties, add_notice, object};

/// The property with the call that continues.
const NEXT: &str = "next";
/// Stands in a notice in place of a call that continues.
pub(crate) const NO_NEXT: &str =
    "The job goes on in Polytomic; no tool of this server gets its result.";

/// A [`NextCall`](super::job::NextCall) as it is written.
#[derive(Deserialize)]
struct WrittenCall<'a> {
    #[serde(borrow)]
    tool: Cow<'a, str>,
}

/// The result without the calls of hidden tools; none if it names none.
pub(super) fn fit_result(
    result: &RawValue,
    hidden: &Hidden,
) -> serde_json::Result<Option<Box<RawValue>>> {
    // Most results have neither, and reading one takes longer than searching it.
    static NAMES: LazyLock<[Finder<'_>; 2]> =
        LazyLock::new(|| [Finder::new("\"next\":"), Finder::new("\"notice\":")]);
    let may_have = |name: &Finder<'_>| name.find(result.get().as_bytes()).is_some();
    if hidden.is_empty() || !NAMES.iter().any(may_have) {
        return Ok(None);
    }
    let Properties(properties) = serde_json::from_str(result.get())?;
    let value = |name: &str| properties.iter().find(|(known, _)| known == name).map(|(_, v)| *v);
    let next =
        value(NEXT).and_then(|next| serde_json::from_str::<WrittenCall<'_>>(next.get()).ok());
    let leads_nowhere = next.is_some_and(|next| hidden.contains(&*next.tool));
    let notice = value(NOTICE).and_then(|text| serde_json::from_str::<String>(text.get()).ok());
    let fitted = notice.as_ref().map(|notice| fit(notice, hidden));
    let is_fitted = matches!(fitted, Some(Cow::Owned(_)));
    if !leads_nowhere && !is_fitted {
        return Ok(None);
    }
    let fitted = fitted.filter(|text| !text.is_empty()).map(|text| to_raw_value(&text));
    let fitted = fitted.transpose()?;
    let kept = properties.iter().filter_map(|(name, value)| match name.as_str() {
        NEXT if leads_nowhere => None,
        NOTICE if is_fitted => Some((NOTICE, &**fitted.as_ref()?)),
        name => Some((name, *value)),
    });
    let result = object(kept)?;
    let result = if leads_nowhere { add_notice(&result, NO_NEXT)? } else { result };
    Ok(Some(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_names_no_hidden_tool() {
        let hidden = Hidden::from(["get_job", "get_model"]);
        for (result, expected) in [
            (r#"{"a":1}"#, None),
            (r#"{"next":{"tool":"list_models","arguments":{}}}"#, None),
            (r#"{"next":4,"notice":"Read it."}"#, None),
            (r#"{"notice":"Call get_model."}"#, Some("{}".to_owned())),
            (
                r#"{"notice":"A. Call get_model.","b":1.50}"#,
                Some(r#"{"notice":"A.","b":1.50}"#.to_owned()),
            ),
            (
                r#"{"job":{"job_id":"get_job"},"next":{"tool":"get_job","arguments":{}}}"#,
                Some(format!(r#"{{"job":{{"job_id":"get_job"}},"notice":"{NO_NEXT}"}}"#)),
            ),
        ] {
            let fitted = fit_result(&RawValue::from_string(result.to_owned()).unwrap(), &hidden);
            assert_eq!(fitted.unwrap().map(|result| result.get().to_owned()), expected, "{result}");
        }
    }
}
