//! What a setting is, and the macro that puts settings into the table.

/// A setting, and how its text becomes a `T`.
pub struct Setting<T> {
    pub about: About,
    /// The error is one line for the operator. It does not repeat a secret.
    pub parse: fn(&str) -> Result<T, String>,
}

/// What `--help`, the README and the env file say about a setting.
#[derive(Clone, Copy)]
pub struct About {
    /// The environment variable.
    pub name: &'static str,
    pub default: Default,
    pub kind: Kind,
    /// The lines of the doc comment. The first paragraph is the meaning; the env file shows all of them.
    pub doc: &'static [&'static str],
}

impl About {
    /// The text that holds when the variable is not set; `None`: there is none.
    pub const fn default_text(&self) -> Option<&'static str> {
        match self.default {
            Default::Is(text) | Default::IsOrOfUnit(text, _) => Some(text),
            Default::Required { .. } | Default::Unset { .. } => None,
        }
    }

    /// The variables that set it.
    pub fn variables(&self) -> impl Iterator<Item = String> + use<> {
        let file = (self.kind == Kind::Secret).then(|| format!("{}_FILE", self.name));
        std::iter::once(self.name.to_owned()).chain(file)
    }

    /// The first paragraph of its doc comment, on one line.
    pub fn meaning(&self) -> String {
        let lines: Vec<_> =
            self.doc.iter().map(|line| line.trim()).take_while(|line| !line.is_empty()).collect();
        lines.join(" ")
    }
}

/// What holds when the variable is not set.
#[derive(Clone, Copy)]
pub enum Default {
    /// This text, as if it stood in the env file.
    Is(&'static str),
    /// The systemd unit sets it; without the unit it is the first text.
    IsOrOfUnit(&'static str, &'static str),
    /// The service does not start.
    Required { example: &'static str },
    /// There is no value. `means` is what pages show as the default.
    Unset { means: &'static str, example: &'static str },
}

/// What a value is. It decides which mistakes are looked for (`literal`) and which unit is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Address,
    Bytes,
    BytesPerSecond,
    /// A whole number of things that the meaning names.
    Count,
    Flag,
    Networks,
    Path,
    Seconds,
    /// Also read from the file that `NAME_FILE` names, and from a systemd credential called `NAME`.
    Secret,
    Text,
    Url,
}

impl Kind {
    pub fn unit(self) -> Option<&'static str> {
        match self {
            Self::Bytes => Some("bytes"),
            Self::BytesPerSecond => Some("bytes a second"),
            Self::Seconds => Some("seconds"),
            _ => None,
        }
    }
}

/// A setting without its type.
pub trait Entry {
    fn about(&self) -> &About;
    fn check(&self, text: &str) -> Result<(), String>;
}

impl<T> Entry for Setting<T> {
    fn about(&self) -> &About {
        &self.about
    }

    fn check(&self, text: &str) -> Result<(), String> {
        (self.parse)(text).map(drop)
    }
}

/// Settings under one heading.
pub struct Group {
    pub heading: &'static str,
    pub settings: &'static [&'static dyn Entry],
}

/// Declares the settings of a group: each as a constant of its own name, and all of them in `GROUP`.
macro_rules! settings {
    (
        $heading:literal;
        $($(#[doc = $doc:literal])+ $name:ident: $value:ty { $default:expr, $kind:expr, $parse:expr $(,)? })+
    ) => {
        $(
            $(#[doc = $doc])+
            pub const $name: Setting<$value> = Setting {
                about: About { name: stringify!($name), default: $default, kind: $kind, doc: &[$($doc),+] },
                parse: $parse,
            };
        )+
        pub const GROUP: Group = Group { heading: $heading, settings: &[$(&$name),+] };
    };
}
pub(super) use settings;
