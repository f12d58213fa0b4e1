//! The files that pages load: style, script, font and icon. All are in the program, and nothing is built from them. The URLs of
//! style and script contain a hash of their content, so that a browser loads the new ones right after an upgrade.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// The style of all pages.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let parts = [
        include_str!("style/tokens.css"),
        include_str!("style/base.css"),
        include_str!("style/layout.css"),
        include_str!("style/search.css"),
        include_str!("style/content.css"),
        include_str!("style/code.css"),
        include_str!("style/home.css"),
        include_str!("style/reference.css"),
        include_str!("style/print.css"),
    ];
    // The same URL as in the pages, or a browser would load the font twice.
    let style = parts.concat().replace("/docs/inter.woff2", &FONT.url());
    Asset::new("style.css", "text/css; charset=utf-8", style.into_bytes())
});

/// The script of all pages: the switch between light and dark, search, copy buttons, and marks at the current place. Every page
/// works without it.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let parts = [
        include_str!("script/theme.js"),
        include_str!("script/search.js"),
        include_str!("script/code.js"),
        include_str!("script/place.js"),
    ];
    Asset::new("docs.js", "text/javascript; charset=utf-8", parts.concat().into_bytes())
});

/// Inter 4, latin letters, as a variable font (SIL Open Font License, `inter-license.txt`).
pub static FONT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("inter.woff2", "font/woff2", include_bytes!("inter.woff2").to_vec()));

pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_bytes!("icon.svg").to_vec()));

/// A file of the pages.
pub struct Asset {
    name: &'static str,
    pub media_type: &'static str,
    pub content: Vec<u8>,
    /// The beginning of the content's SHA-256, in hex.
    pub version: String,
}

impl Asset {
    fn new(name: &'static str, media_type: &'static str, content: Vec<u8>) -> Self {
        let version = hex::encode(&Sha256::digest(&content)[..6]);
        Self { name, media_type, content, version }
    }

    /// The URL that pages load it from.
    pub fn url(&self) -> String {
        format!("/docs/{}?v={}", self.name, self.version)
    }

    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}
