//! The page of the documentation site about the settings.

use std::fmt::Write as _;

use super::pages::{default, described};
use super::settings::GROUPS;

const HEAD: &str = "\
# Settings

Settings are environment variables; under systemd they are in `/etc/strongroom/strongroom.env`. A wrong value stops the start with one
line that names the variable. Values are used exactly as written, because no shell expands them. A change takes effect at a restart.

A size is in bytes, or has a unit: `K`, `M`, `G` and `T` (or `KiB`, `MiB`, `GiB` and `TiB`) are powers of 1024; `kB`, `MB`, `GB` and `TB` are
powers of 1000. A time is in seconds, or has units: `90s`, `5m`, `2h`, `3d`.
";

/// Returns the page as Markdown: a section for each setting.
pub fn settings_page() -> String {
    let mut page = HEAD.to_owned();
    for group in GROUPS {
        let _ = writeln!(page, "\n## {}", group.heading);
        for about in group.settings.iter().map(|setting| setting.about()) {
            let (name, meaning, default) = (about.name, described(about), default(about, "`"));
            let default = match default.strip_prefix("required") {
                Some(when) => format!("Required{when}."),
                None => format!("Default: {default}"),
            };
            let _ = writeln!(page, "\n### `{name}`\n\n{meaning}\n\n{default}");
        }
    }
    page
}
