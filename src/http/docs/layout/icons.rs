//! Icons as inline SVG, in the colour of the text around them.

macro_rules! icon {
    ($($shape:literal)+) => {
        concat!(
            "<svg viewBox=\"0 0 24 24\" width=\"20\" height=\"20\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.8\" \
             stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">",
            $($shape,)+
            "</svg>"
        )
    };
}

pub const LOGO: &str = concat!(
    "<svg class=\"logo\" viewBox=\"0 0 32 32\" width=\"28\" height=\"28\" aria-hidden=\"true\">",
    "<rect width=\"32\" height=\"32\" rx=\"8\" fill=\"var(--brand)\"/>",
    "<g fill=\"none\" stroke=\"#fff\" stroke-width=\"2.4\"><circle cx=\"16\" cy=\"16\" r=\"8.2\"/>",
    "<path d=\"M16 7.8v5.6M16 18.6v5.6M7.8 16h5.6M18.6 16h5.6\"/></g>",
    "<circle cx=\"16\" cy=\"16\" r=\"2.6\" fill=\"#fff\"/></svg>",
);
pub const MENU: &str = icon!("<path d=\"M4 7h16M4 12h16M4 17h16\"/>");
pub const CLOSE: &str = icon!("<path d=\"M6 6l12 12M18 6L6 18\"/>");
pub const MAGNIFIER: &str = icon!("<circle cx=\"11\" cy=\"11\" r=\"6.5\"/><path d=\"M16 16l4.5 4.5\"/>");
/// All three states; the style shows the chosen one.
pub const THEME: &str = concat!(
    icon!("<g class=\"light\"><circle cx=\"12\" cy=\"12\" r=\"4\"/><path d=\"M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4\"/></g>"
        "<path class=\"dark\" d=\"M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z\"/>"
        "<g class=\"system\"><rect x=\"3\" y=\"4.5\" width=\"18\" height=\"12\" rx=\"2\"/><path d=\"M9 20h6M12 16.5V20\"/></g>"),
);
pub const APPLIANCE: &str = icon!(
    "<rect x=\"3\" y=\"4\" width=\"18\" height=\"7\" rx=\"2\"/><rect x=\"3\" y=\"13\" width=\"18\" height=\"7\" rx=\"2\"/><path d=\"M7 7.5h.01M7 16.5h.01M11 7.5h6M11 16.5h6\"/>"
);
pub const PORTAL: &str = icon!(
    "<rect x=\"3\" y=\"4\" width=\"18\" height=\"16\" rx=\"2.5\"/><path d=\"M3 9h18M6.5 6.5h.01M9 6.5h.01M7 13h4M7 16h7\"/>"
);
pub const OPERATOR: &str = icon!(
    "<path d=\"M4 6h9M17 6h3M4 12h3M11 12h9M4 18h7M15 18h5\"/><circle cx=\"15\" cy=\"6\" r=\"2\"/><circle cx=\"9\" cy=\"12\" r=\"2\"/><circle cx=\"13\" cy=\"18\" r=\"2\"/>"
);
pub const SUPPORT: &str = icon!(
    "<circle cx=\"12\" cy=\"12\" r=\"8.5\"/><circle cx=\"12\" cy=\"12\" r=\"3.5\"/><path d=\"M6 6l3.5 3.5M14.5 14.5 18 18M18 6l-3.5 3.5M9.5 14.5 6 18\"/>"
);
