//! The type of a setting, and the macro that declares settings.

/// A setting with a value of type `T`.
pub struct Setting<T> {
    pub about: About,
    /// Parses and checks the text. The error is one line for the operator. It does not repeat a secret.
    pub parse: fn(&str) -> Result<T, String>,
}

/// The description of a setting in `--help`, in the README and in the env file.
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
    /// Returns the text that is used when the variable is not set; `None` if there is none.
    pub const fn default_text(&self) -> Option<&'static str> {
        match self.default {
            Default::Is(text) | Default::IsOrOfUnit(text, _) => Some(text),
            Default::Required { .. } | Default::Unset { .. } => None,
        }
    }

    /// Returns the names of the variables that set this setting.
    pub fn variables(&self) -> impl Iterator<Item = String> + use<> {
        let file = (self.kind == Kind::Secret).then(|| format!("{}_FILE", self.name));
        std::iter::once(self.name.to_owned()).chain(file)
    }

    /// Returns the first paragraph of the setting's doc comment, on one line.
    pub fn meaning(&self) -> String {
        let lines: Vec<_> =
            self.doc.iter().map(|line| line.trim()).take_while(|line| !line.is_empty()).collect();
        lines.join(" ")
    }
}

/// The value of a setting whose variable is not set.
#[derive(Clone, Copy)]
pub enum Default {
    /// The value is this text, as if it were in the env file.
    Is(&'static str),
    /// The value is the first text. The systemd unit sets the second one.
    IsOrOfUnit(&'static str, &'static str),
    /// The setting is required: the service does not start without it.
    Required { example: &'static str },
    /// There is no value. Pages show `means` as the default.
    Unset { means: &'static str, example: &'static str },
}

/// The kind of a value. It determines which mistakes are checked for (`literal`), and which unit is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Address,
    Bytes,
    BytesPerSecond,
    /// A number of things. The setting's meaning names them.
    Count,
    Flag,
    Networks,
    Path,
    Seconds,
    /// A secret. It may also be in the file that `NAME_FILE` names, or in a systemd credential called `NAME`.
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

/// Declares the settings of a group: each as a constant with the setting's name, and all of them in `GROUP`.
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
