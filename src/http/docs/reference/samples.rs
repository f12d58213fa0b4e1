//! Requests to copy, in several languages. The tabs are radio buttons, so they need no script.

use std::fmt::Write as _;

use super::{Operation, text};
use crate::http::docs::highlight::highlight;
use crate::http::docs::html::escape;

/// Shows the samples of an operation (`x-codeSamples`).
pub fn show(main: &mut String, operation: Operation) {
    let Some(samples) = operation.value["x-codeSamples"].as_array() else { return };
    let name = escape(operation.id());
    let (mut tabs, mut panels) = (String::new(), String::new());
    for (index, sample) in samples.iter().enumerate() {
        let language = text(sample, "lang");
        let label = sample["label"].as_str().unwrap_or(language);
        let checked = if index == 0 { " checked" } else { "" };
        let _ = write!(
            tabs,
            "<label><input type=\"radio\" name=\"sample-{name}\" value=\"{index}\" data-tab=\"{value}\"{checked}>\
             <span>{}</span></label>",
            escape(label),
            value = escape(&label.to_lowercase()),
        );
        let _ = write!(
            panels,
            "<div class=\"panel panel{index} code\"><pre><code>{}</code></pre></div>",
            highlight(language, text(sample, "source"))
        );
    }
    let _ = write!(
        main,
        "<div class=\"card samples\"><fieldset><legend class=\"hidden\">Language of the example</legend>\
         <span class=\"label\">Request</span>{tabs}</fieldset>{panels}</div>"
    );
}
