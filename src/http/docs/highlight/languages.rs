//! What the tokenizer has to know about each language.

/// The rules of a language.
pub struct Language {
    /// The names after the fence of a code block.
    pub names: &'static [&'static str],
    pub title: &'static str,
    /// What begins a comment that ends with the line.
    pub comments: &'static [&'static str],
    pub quotes: &'static [char],
    pub keywords: &'static [&'static str],
    pub style: Style,
}

/// What else distinguishes a language.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Words before `(` are calls.
    Program,
    /// The first word of a command is a call; words with `-` are options; `$` begins a variable.
    Shell,
    /// Strings before `:` are names.
    Json,
    /// The same as `Program`, and keywords may be in upper case.
    Sql,
    /// The first word of a line is a name; `[...]` at its start is a section; `$` begins a variable.
    Lines,
    /// A word before `:` at the start of a line is a name.
    Http,
}

pub const LANGUAGES: &[Language] = &[
    Language {
        names: &["sh", "bash", "shell", "curl", "console"],
        title: "Shell",
        comments: &["#"],
        quotes: &['"', '\''],
        keywords: &[
            "if", "then", "else", "elif", "fi", "for", "in", "do", "done", "while", "until", "case", "esac",
            "function", "return", "exit", "set", "local", "export", "break", "continue",
        ],
        style: Style::Shell,
    },
    Language {
        names: &["json"],
        title: "JSON",
        comments: &[],
        quotes: &['"'],
        keywords: &["true", "false", "null"],
        style: Style::Json,
    },
    Language {
        names: &["python", "py"],
        title: "Python",
        comments: &["#"],
        quotes: &['"', '\''],
        keywords: &[
            "import", "from", "as", "with", "def", "return", "if", "elif", "else", "for", "in", "while",
            "not", "and", "or", "is", "None", "True", "False", "try", "except", "raise", "class", "lambda",
            "yield", "pass", "assert", "break", "continue",
        ],
        style: Style::Program,
    },
    Language {
        names: &["javascript", "js"],
        title: "JavaScript",
        comments: &["//"],
        quotes: &['"', '\'', '`'],
        keywords: &[
            "import",
            "from",
            "export",
            "const",
            "let",
            "function",
            "return",
            "if",
            "else",
            "for",
            "of",
            "in",
            "while",
            "await",
            "async",
            "new",
            "throw",
            "try",
            "catch",
            "null",
            "undefined",
            "true",
            "false",
            "class",
            "typeof",
        ],
        style: Style::Program,
    },
    Language {
        names: &["sql"],
        title: "SQL",
        comments: &["--"],
        quotes: &['\''],
        keywords: &[
            "select", "from", "where", "and", "or", "not", "in", "is", "null", "order", "group", "by",
            "limit", "insert", "into", "values", "update", "set", "delete", "create", "alter", "drop",
            "role", "database", "table", "view", "grant", "revoke", "on", "to", "with", "as", "join", "left",
            "using", "begin", "commit", "rollback", "login", "password", "owner", "desc", "asc", "interval",
            "now",
        ],
        style: Style::Sql,
    },
    Language {
        names: &["nginx", "ini", "toml", "systemd", "conf", "env", "properties"],
        title: "Configuration",
        comments: &["#", ";"],
        quotes: &['"', '\''],
        keywords: &[],
        style: Style::Lines,
    },
    Language {
        names: &["http"],
        title: "HTTP",
        comments: &[],
        quotes: &[],
        keywords: &["GET", "HEAD", "POST", "PUT", "DELETE"],
        style: Style::Http,
    },
    Language {
        names: &["text", "txt", ""],
        title: "",
        comments: &[],
        quotes: &[],
        keywords: &[],
        style: Style::Json,
    },
];
