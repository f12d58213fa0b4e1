//! Parses the text of an env file by the rules of systemd's `EnvironmentFile=` (systemd.exec(5)), so that the unit and the
//! command line read the same values from the same file.
//!
//! Where systemd would skip a part of the file silently, or where its versions differ, the text is refused.

/// A line that sets a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The number of the line on which it begins.
    pub line: usize,
    pub name: String,
    pub value: String,
}

/// A line that cannot be read. The text does not repeat the line: it may have a secret in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
    pub problem: String,
}

const NO_ASSIGNMENT: &str = "it has no `=`: write NAME=VALUE, and `#` in front of a comment";
const OPEN_QUOTE: &str = "the quote that begins here does not end";
const COMMENT_ESCAPE: &str = "it is a comment that ends in a backslash: remove the backslash, because some versions of systemd \
     would skip the next line";

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    BeforeName,
    Name,
    BeforeValue,
    Value,
    Escape,
    SingleQuotes,
    DoubleQuotes,
    EscapeInQuotes,
    Comment,
    EscapeInComment,
}

/// Returns the assignments in the order of the file. A later one of the same name replaces an earlier one.
pub fn parse(text: &str) -> Result<Vec<Assignment>, Malformed> {
    let mut parser = Parser::default();
    let mut line = 1;
    // A line end that the last line may lack changes nothing, except in quotes, which are refused.
    for c in text.chars().chain(['\n']) {
        parser.next(c, line)?;
        line += usize::from(c == '\n');
    }
    match parser.state {
        State::SingleQuotes | State::DoubleQuotes | State::EscapeInQuotes => {
            Err(Malformed { line: parser.quote_line, problem: OPEN_QUOTE.to_owned() })
        }
        // The last line ends in a backslash.
        State::Value | State::Escape => {
            parser.assign();
            Ok(parser.assignments)
        }
        _ => Ok(parser.assignments),
    }
}

struct Parser {
    state: State,
    line: usize,
    quote_line: usize,
    name: String,
    value: String,
    /// How much of the value stays when white space at its end is removed: what was escaped or quoted stays.
    kept: usize,
    assignments: Vec<Assignment>,
}

impl Default for Parser {
    fn default() -> Self {
        let (name, value) = (String::new(), String::new());
        Self {
            state: State::BeforeName,
            line: 1,
            quote_line: 1,
            name,
            value,
            kept: 0,
            assignments: Vec::new(),
        }
    }
}

impl Parser {
    fn next(&mut self, c: char, line: usize) -> Result<(), Malformed> {
        let ends_line = matches!(c, '\n' | '\r');
        let blank = ends_line || matches!(c, ' ' | '\t');
        self.state = match self.state {
            State::BeforeName if matches!(c, '#' | ';') => State::Comment,
            State::BeforeName if blank => State::BeforeName,
            State::BeforeName => {
                self.line = line;
                self.name.push(c);
                State::Name
            }
            State::Name if ends_line => {
                return Err(Malformed { line: self.line, problem: NO_ASSIGNMENT.to_owned() });
            }
            State::Name if c == '=' => State::BeforeValue,
            State::Name => {
                self.name.push(c);
                State::Name
            }
            State::BeforeValue | State::Value if ends_line => {
                self.assign();
                State::BeforeName
            }
            State::BeforeValue if matches!(c, '\'' | '"') => {
                self.quote_line = line;
                if c == '"' { State::DoubleQuotes } else { State::SingleQuotes }
            }
            State::BeforeValue | State::Value if c == '\\' => State::Escape,
            State::BeforeValue if blank => State::BeforeValue,
            State::BeforeValue | State::Value => {
                self.value.push(c);
                if !blank {
                    self.kept = self.value.len();
                }
                State::Value
            }
            State::Escape => {
                if !ends_line {
                    self.keep(c);
                }
                State::Value
            }
            State::SingleQuotes if c == '\'' => State::BeforeValue,
            State::DoubleQuotes if c == '"' => State::BeforeValue,
            State::DoubleQuotes if c == '\\' => State::EscapeInQuotes,
            State::SingleQuotes | State::DoubleQuotes => {
                self.keep(c);
                self.state
            }
            State::EscapeInQuotes => {
                if c != '\n' {
                    if !matches!(c, '"' | '\\' | '`' | '$') {
                        self.keep('\\');
                    }
                    self.keep(c);
                }
                State::DoubleQuotes
            }
            State::Comment if ends_line => State::BeforeName,
            State::Comment if c == '\\' => State::EscapeInComment,
            State::EscapeInComment if ends_line => {
                return Err(Malformed { line, problem: COMMENT_ESCAPE.to_owned() });
            }
            State::Comment | State::EscapeInComment => State::Comment,
        };
        Ok(())
    }

    /// Adds a character that stays even if it is white space at the end of the value.
    fn keep(&mut self, c: char) {
        self.value.push(c);
        self.kept = self.value.len();
    }

    fn assign(&mut self) {
        self.value.truncate(self.kept);
        self.kept = 0;
        let name = self.name.trim_end_matches([' ', '\t']).to_owned();
        self.name.clear();
        self.assignments.push(Assignment { line: self.line, name, value: std::mem::take(&mut self.value) });
    }
}
