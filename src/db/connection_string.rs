//! Connection strings. libpq itself parses them: `?`, `@`, `://` and spaces mean different things in the two forms of a
//! connection string and in the parts of each.

use std::ffi::{CStr, CString};

/// Characters that stand for themselves in a URL. All others are percent-encoded, even where libpq does not require it.
const PLAIN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

/// The options of a connection string. One of them is the password, so this type can't be printed.
#[derive(Clone)]
pub struct ConnectionString(Vec<(String, Vec<u8>)>);

impl ConnectionString {
    /// Parses a connection string; `None` if libpq does not understand it. Called before connecting, because libpq's own
    /// error would contain parts of the string, perhaps the password.
    #[expect(unsafe_code, reason = "diesel has no wrapper for libpq's parser")]
    pub fn parse(text: &str) -> Option<Self> {
        if has_a_plain_at_in_its_password(text) {
            return None;
        }
        let text = CString::new(text).ok()?;
        let mut options = Vec::new();
        // SAFETY: `text` is a C string that lives through the call, and a null pointer requests no error message. The
        // result is null or an array that ends with an option without a keyword. Its keywords and values are C strings
        // that live until the array is freed. It is freed once, after they were copied.
        unsafe {
            let parsed = pq_sys::PQconninfoParse(text.as_ptr(), std::ptr::null_mut());
            if parsed.is_null() {
                return None;
            }
            let mut option = parsed;
            while !(*option).keyword.is_null() {
                if !(*option).val.is_null() {
                    let keyword = CStr::from_ptr((*option).keyword).to_string_lossy().into_owned();
                    options.push((keyword, CStr::from_ptr((*option).val).to_bytes().to_vec()));
                }
                option = option.add(1);
            }
            pq_sys::PQconninfoFree(parsed);
        }
        Some(Self(options))
    }

    /// Returns the same string with this option, unless the option is set already.
    pub(super) fn with_default(self, keyword: &str, value: &str) -> Self {
        if self.get(keyword).is_some() { self } else { self.with(keyword, value.as_bytes()) }
    }

    /// Returns the same string with this option, which replaces one with this keyword.
    pub(super) fn with(mut self, keyword: &str, value: &[u8]) -> Self {
        self.0.retain(|(set, _)| set != keyword);
        self.0.push((keyword.to_owned(), value.to_vec()));
        self
    }

    /// Returns one connection string for each host, in the order in which libpq tries them.
    pub(super) fn each_host(&self) -> Vec<Self> {
        let lists = ["host", "hostaddr", "port"].map(|keyword| (keyword, self.list(keyword)));
        // A single port applies to all hosts.
        let hosts = lists[..2].iter().map(|(_, list)| list.len()).max().unwrap_or_default().max(1);
        let one = |at: usize| {
            lists.iter().fold(self.clone(), |one, (keyword, list)| {
                let value = if list.len() == 1 { list.first() } else { list.get(at) };
                value.map_or(one.clone(), |value| one.with(keyword, value))
            })
        };
        (0..hosts).map(one).collect()
    }

    /// Names the hosts and their ports, for the log.
    pub(super) fn hosts(&self) -> String {
        let name = |one: &Self| {
            let text =
                |keyword| one.get(keyword).map(String::from_utf8_lossy).filter(|text| !text.is_empty());
            let host = text("host").or_else(|| text("hostaddr")).unwrap_or("the default host".into());
            text("port").map_or_else(|| host.clone().into_owned(), |port| format!("{host}:{port}"))
        };
        let names: Vec<_> = self.each_host().iter().map(name).collect();
        names.join(" or ")
    }

    /// Returns a URL that libpq understands. Every option is a query parameter, so no option depends on its position.
    pub(super) fn url(&self) -> String {
        let parameters: Vec<_> =
            self.0.iter().map(|(word, value)| format!("{word}={}", encode(value))).collect();
        format!("postgresql:///?{}", parameters.join("&"))
    }

    fn get(&self, keyword: &str) -> Option<&[u8]> {
        self.0.iter().find(|(set, _)| set == keyword).map(|(_, value)| value.as_slice())
    }

    fn list(&self, keyword: &str) -> Vec<&[u8]> {
        self.get(keyword).map(|value| value.split(|byte| *byte == b',').collect()).unwrap_or_default()
    }
}

/// Whether a URL has an unencoded `@` in its password. libpq takes the text between the first and the last `@` of the authority
/// for a part of the host's name, and would show it in errors.
fn has_a_plain_at_in_its_password(text: &str) -> bool {
    let url = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let authority = url.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    authority.matches('@').count() > 1
}

fn encode(value: &[u8]) -> String {
    let encoded = |byte: &u8| {
        if PLAIN.contains(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
    };
    value.iter().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::ConnectionString;

    fn parse(text: &str) -> ConnectionString {
        ConnectionString::parse(text).unwrap_or_else(|| panic!("libpq does not understand {text}"))
    }

    /// Returns the options as sorted text, for comparisons.
    fn options(of: &ConnectionString) -> Vec<(String, String)> {
        let mut all: Vec<_> =
            of.0.iter()
                .map(|(word, value)| (word.clone(), String::from_utf8_lossy(value).into_owned()))
                .collect();
        all.sort();
        all
    }

    #[test]
    fn what_libpq_does_not_understand_is_seen() {
        for (text, right) in [
            ("postgres://u:p@h/db", true),
            ("host=h dbname=db", true),
            ("", true),
            ("postgres://u:pa%zzword@h/db", false),
            ("postgres://u:pass@word@h/db", false),
            ("postgres://u:pass%40word@h/db?application_name=me@home", true),
            ("postgres://h/db?no_such_option=1", false),
            ("host='h", false),
            ("nonsense", false),
            ("host=h\0", false),
        ] {
            assert_eq!(ConnectionString::parse(text).is_some(), right, "{text}");
        }
    }

    /// Each is read, written, and read again: libpq has to see the same, and the default beside it.
    #[test]
    fn every_form_keeps_its_meaning() {
        let cases: [(&str, &[(&str, &str)]); 16] = [
            (
                "postgres://u:secret@h:1/db",
                &[("user", "u"), ("password", "secret"), ("host", "h"), ("port", "1"), ("dbname", "db")],
            ),
            (
                "postgresql://u:p?x@h/db",
                &[("user", "u"), ("password", "p?x"), ("host", "h"), ("dbname", "db")],
            ),
            (
                "postgres://u:a%3Fb%40c%3A%2F%2Fd%25%26%3D@h/db",
                &[("user", "u"), ("password", "a?b@c://d%&="), ("host", "h"), ("dbname", "db")],
            ),
            ("postgres://h/db?", &[("host", "h"), ("dbname", "db")]),
            ("postgres://h/db?sslmode=disable", &[("host", "h"), ("dbname", "db"), ("sslmode", "disable")]),
            ("postgres:///db?host=/run/pg&user=u", &[("host", "/run/pg"), ("dbname", "db"), ("user", "u")]),
            ("postgres://%2Frun%2Fpg/db", &[("host", "/run/pg"), ("dbname", "db")]),
            (
                "postgres://a:1,b,c:3/db?target_session_attrs=read-write",
                &[
                    ("host", "a,b,c"),
                    ("port", "1,,3"),
                    ("dbname", "db"),
                    ("target_session_attrs", "read-write"),
                ],
            ),
            ("postgres://[::1]:5/db", &[("host", "::1"), ("port", "5"), ("dbname", "db")]),
            ("postgres://", &[]),
            ("service=strongroom", &[("service", "strongroom")]),
            ("host=h password=a?b://c@d", &[("host", "h"), ("password", "a?b://c@d")]),
            (
                r"host=h password='two words \'quoted\' \\ back' dbname=db",
                &[("host", "h"), ("password", r"two words 'quoted' \ back"), ("dbname", "db")],
            ),
            ("host=h password='' dbname=db", &[("host", "h"), ("password", ""), ("dbname", "db")]),
            ("  host = h   dbname = db  ", &[("host", "h"), ("dbname", "db")]),
            ("password=connect_timeout=9 host=h", &[("password", "connect_timeout=9"), ("host", "h")]),
        ];
        for (text, expected) in cases {
            let given = parse(text).with_default("connect_timeout", "2");
            let mut expected: Vec<_> = expected
                .iter()
                .chain(&[("connect_timeout", "2")])
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect();
            expected.sort();
            assert_eq!(options(&given), expected, "{text}");
            assert_eq!(options(&parse(&given.url())), expected, "{text}, written as {}", given.url());
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let read = parse("postgres://u:%FF%20@h/db");
        assert_eq!(parse(&read.url()).get("password"), Some(&b"\xFF "[..]));
    }

    #[test]
    fn what_is_set_is_not_set_again() {
        for text in ["host=h connect_timeout=9", "postgres://h/db?connect_timeout=9"] {
            let given = parse(text).with_default("connect_timeout", "2");
            assert_eq!(given.get("connect_timeout"), Some(&b"9"[..]), "{text}");
        }
    }

    #[test]
    fn hosts_are_named_without_credentials() {
        for (text, names) in [
            ("postgres://u:p@a:1,b:2/db", "a:1 or b:2"),
            ("host=a user=u", "a"),
            ("host=/run/pg port=7", "/run/pg:7"),
            ("hostaddr=192.0.2.1 port=7", "192.0.2.1:7"),
            ("dbname=db", "the default host"),
        ] {
            assert_eq!(parse(text).hosts(), names, "{text}");
        }
    }

    #[test]
    fn each_host_is_addressed_alone() {
        for (text, expected) in [
            ("postgres://a:1,b:2/db", vec![("a", "1"), ("b", "2")]),
            ("postgres://a,b/db?port=7", vec![("a", "7"), ("b", "7")]),
            ("host=a,,/c port=1,2,3", vec![("a", "1"), ("", "2"), ("/c", "3")]),
            ("host=a port=1", vec![("a", "1")]),
        ] {
            let text_of = |one: &ConnectionString, word| {
                String::from_utf8_lossy(one.get(word).unwrap_or_default()).into_owned()
            };
            let hosts = parse(text).each_host();
            let found: Vec<_> =
                hosts.iter().map(|one| (text_of(one, "host"), text_of(one, "port"))).collect();
            let expected: Vec<_> = expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(parse("hostaddr=127.0.0.1,127.0.0.2 dbname=db").each_host().len(), 2);
        assert_eq!(parse("dbname=db").each_host().len(), 1);
    }
}
