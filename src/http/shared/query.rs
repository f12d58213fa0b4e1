//! The query of a request. A parameter that the operation does not have is refused: a misspelt filter would find everything.

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::http::errors::ApiError;

/// How many entries a page has if the request does not say.
pub const DEFAULT_LIMIT: usize = 50;
/// The most entries of a page.
pub const MAX_LIMIT: usize = 200;
/// The most characters of a parameter's name that an error repeats.
const MAX_NAME: usize = 64;
/// The most characters of a text to search for.
const MAX_TEXT: usize = 200;

/// The parameters of a request, each once at most.
#[derive(Debug)]
pub struct QueryParameters(Vec<(String, String)>);

impl QueryParameters {
    /// Reads the query, which may have these parameters.
    ///
    /// # Errors
    /// 400 with the name of the parameter that is unknown or is there twice.
    pub fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, ApiError> {
        Self::parse(request.query_string(), known)
    }

    fn parse(text: &str, known: &[&str]) -> Result<Self, ApiError> {
        let read = Query::<Vec<(String, String)>>::from_query(text);
        let parameters = read.map_err(|_| ApiError::invalid("query", "malformed"))?.into_inner();
        for (at, (name, _)) in parameters.iter().enumerate() {
            let shortened = || name.chars().take(MAX_NAME).collect::<String>();
            if !known.contains(&name.as_str()) {
                return Err(ApiError::invalid(shortened(), "unknown"));
            }
            if parameters[..at].iter().any(|(other, _)| other == name) {
                return Err(ApiError::invalid(shortened(), "must be there only once"));
            }
        }
        Ok(Self(parameters))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the parameter; `None` also if it is empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns `limit`: how many entries the page may have.
    pub fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else { return Ok(DEFAULT_LIMIT) };
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_number { text.parse().ok() } else { None };
        let limit = number.filter(|number| (1..=MAX_LIMIT).contains(number));
        limit.ok_or_else(|| ApiError::invalid("limit", format!("must be 1 to {MAX_LIMIT}")))
    }

    /// Returns a text to search for; `None` also if it is empty.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        let Some(text) = self.given(name) else { return Ok(None) };
        if text.chars().count() > MAX_TEXT {
            return Err(ApiError::invalid(name, format!("must be at most {MAX_TEXT} characters")));
        }
        if text.contains(char::is_control) {
            return Err(ApiError::invalid(name, "must not have control characters"));
        }
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> QueryParameters {
        QueryParameters::parse(text, &["limit", "q"]).unwrap()
    }

    fn error_of<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (String, String) {
        match result {
            Err(ApiError::Validation(error)) => (error.key.into_owned(), error.message.into_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_decoded_and_unknown_ones_are_refused() {
        let query = parse("q=a%20b%2Bc+d&limit=7");
        assert_eq!((query.get("q"), query.limit().unwrap()), (Some("a b+c d"), 7));
        assert_eq!(parse("").get("q"), None);
        for (text, name, message) in [
            ("Q=x", "Q", "unknown"),
            ("q=x&limits=7", "limits", "unknown"),
            ("q=x&q=x", "q", "must be there only once"),
            ("=x", "", "unknown"),
        ] {
            let expected = (name.to_owned(), message.to_owned());
            assert_eq!(error_of(QueryParameters::parse(text, &["limit", "q"])), expected, "{text}");
        }
    }

    #[test]
    fn limit_is_1_to_200_and_50_without_one() {
        for (text, limit) in [("", 50), ("limit=1", 1), ("limit=200", 200), ("limit=007", 7)] {
            assert_eq!(parse(text).limit().unwrap(), limit, "{text}");
        }
        for text in ["0", "201", "-1", "%2B1", "1.5", "x", "", "99999999999999999999999"] {
            assert_eq!(error_of(parse(&format!("limit={text}")).limit()).0, "limit", "{text}");
        }
    }

    #[test]
    fn text_to_search_for_has_no_control_characters() {
        assert_eq!(parse("q=%C3%A4%25").text("q").unwrap(), Some("ä%"));
        assert_eq!(parse("q=").text("q").unwrap(), None);
        for text in ["%00", "a%0A", &"x".repeat(201)] {
            assert_eq!(error_of(parse(&format!("q={text}")).text("q")).0, "q", "{text}");
        }
    }
}
