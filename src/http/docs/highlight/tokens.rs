//! Splits code into coloured parts. It does not parse: what it does not recognize stays without a colour.

use super::languages::{Language, Style};

/// The colour of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Plain,
    Comment,
    Text,
    Number,
    Keyword,
    /// A member of JSON, an option, the name of a header or a setting.
    Property,
    Variable,
    Call,
}

impl Class {
    /// The class in HTML; `None` for text without a colour.
    pub fn letter(self) -> Option<char> {
        match self {
            Self::Plain => None,
            Self::Comment => Some('c'),
            Self::Text => Some('s'),
            Self::Number => Some('n'),
            Self::Keyword => Some('k'),
            Self::Property => Some('p'),
            Self::Variable => Some('v'),
            Self::Call => Some('f'),
        }
    }
}

struct Scanner<'a> {
    language: &'static Language,
    code: &'a str,
    at: usize,
    parts: Vec<(Class, &'a str)>,
    /// Whether the next word of a shell is a command.
    is_command: bool,
}

/// The parts of the code, which together are all of it.
pub fn split<'a>(language: &'static Language, code: &'a str) -> Vec<(Class, &'a str)> {
    let mut scanner = Scanner { language, code, at: 0, parts: Vec::new(), is_command: true };
    while let Some(c) = scanner.rest().chars().next() {
        scanner.step(c);
    }
    scanner.parts
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.code[self.at..]
    }

    fn before(&self) -> char {
        self.code[..self.at].chars().next_back().unwrap_or('\n')
    }

    /// Takes this many bytes as one part. Neighbouring parts without a colour are joined.
    fn take(&mut self, class: Class, length: usize) {
        let (start, end) = (self.at, self.at + length);
        self.at = end;
        match self.parts.last_mut() {
            Some((last, text)) if *last == class && class == Class::Plain => {
                *text = &self.code[start - text.len()..end];
            }
            _ => self.parts.push((class, &self.code[start..end])),
        }
    }

    fn step(&mut self, c: char) {
        let (style, rest) = (self.language.style, self.rest());
        let begins = self.before().is_whitespace();
        let is_comment = |start: &str| {
            rest.starts_with(start) && (begins || !matches!(style, Style::Shell | Style::Lines))
        };
        if self.language.comments.iter().any(|start| is_comment(start)) {
            self.take(Class::Comment, rest.find('\n').unwrap_or(rest.len()));
        } else if self.language.quotes.contains(&c) {
            self.string(c);
            self.is_command = false;
        } else if c == '$' && matches!(style, Style::Shell | Style::Lines) {
            self.variable();
        } else if c == '[' && style == Style::Lines && self.before() == '\n' {
            self.take(Class::Keyword, rest.find('\n').unwrap_or(rest.len()));
        } else if c.is_alphanumeric() || c == '_' || (c == '-' && begins) || is_negative(rest) {
            self.word();
        } else {
            if style == Style::Shell {
                self.is_command = match c {
                    ' ' | '\t' => self.is_command,
                    '\n' => !self.code[..self.at].ends_with('\\'),
                    _ => "|;&(!{".contains(c),
                };
            }
            self.take(Class::Plain, c.len_utf8());
        }
    }

    /// A string, in which a shell has variables. It ends at its quote, or with the code.
    fn string(&mut self, quote: char) {
        let has_variables = self.language.style == Style::Shell && quote == '"';
        let has_escapes =
            self.language.style != Style::Sql && !(self.language.style == Style::Shell && quote == '\'');
        let mut length = quote.len_utf8();
        while let Some(c) = self.rest()[length..].chars().next() {
            if c == '$' && has_variables {
                self.take(Class::Text, length);
                self.variable();
                length = 0;
                continue;
            }
            length += c.len_utf8();
            if c == quote {
                break;
            }
            if c == '\\' && has_escapes {
                length += self.rest()[length..].chars().next().map_or(0, char::len_utf8);
            }
        }
        let is_name =
            self.language.style == Style::Json && self.rest()[length..].trim_start().starts_with(':');
        if length > 0 {
            self.take(if is_name { Class::Property } else { Class::Text }, length);
        }
    }

    /// A variable: `$name`, `${name...}` or `$1`. `$(` begins a command.
    fn variable(&mut self) {
        let rest = self.rest();
        let name = |text: &str| {
            text.len() - text.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').len()
        };
        let length = match rest[1..].chars().next() {
            Some('{') => rest.find('}').map_or(2, |end| end + 1),
            Some('(') => {
                self.take(Class::Plain, 2);
                self.is_command = true;
                return;
            }
            Some(c) if "?!#@*$".contains(c) => 2,
            _ => 1 + name(&rest[1..]),
        };
        self.is_command = false;
        self.take(Class::Variable, length);
    }

    fn word(&mut self) {
        let rest = self.rest();
        let style = self.language.style;
        let is_number = rest.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        let inside = |c: char| {
            let joins = match style {
                Style::Shell | Style::Lines | Style::Http => "_-.",
                _ if is_number => "._+-",
                _ => "_",
            };
            c.is_alphanumeric() || joins.contains(c)
        };
        let length = rest.len() - rest.trim_start_matches(inside).len();
        let (word, after) = rest.split_at(length.max(1));
        let class = self.class(word, after);
        // After these the shell expects a command.
        let expects = ["then", "else", "do", "if", "while", "until"].contains(&word);
        self.is_command = class == Class::Keyword && expects;
        self.take(class, word.len());
    }

    fn class(&self, word: &str, after: &str) -> Class {
        let (style, is_first) = (self.language.style, self.before() == '\n');
        let is_digits = |word: &str| {
            let digits = word.trim_start_matches('-');
            digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-_".contains(c))
        };
        let is_keyword = match style {
            Style::Sql => self.language.keywords.contains(&word.to_ascii_lowercase().as_str()),
            Style::Shell => self.is_command && self.language.keywords.contains(&word),
            _ => self.language.keywords.contains(&word),
        };
        match style {
            _ if is_keyword || (style == Style::Shell && word == "in") => Class::Keyword,
            Style::Shell if word.starts_with('-') => Class::Property,
            Style::Shell if after.starts_with('=') => Class::Variable,
            Style::Shell if self.is_command => Class::Call,
            Style::Lines if self.code[..self.at].rsplit('\n').next().is_some_and(|l| l.trim().is_empty()) => {
                Class::Property
            }
            Style::Http if is_first && after.starts_with(':') => Class::Property,
            // In a command, digits are parts of addresses and names, unless they stand alone.
            Style::Shell if !self.before().is_whitespace() || after.starts_with([':', '/', '%']) => {
                Class::Plain
            }
            _ if is_digits(word) => Class::Number,
            Style::Program | Style::Sql if after.starts_with('(') => Class::Call,
            _ => Class::Plain,
        }
    }
}

/// Whether a negative number begins here.
fn is_negative(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
