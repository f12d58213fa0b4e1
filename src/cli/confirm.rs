//! Asks for confirmation before an action that can't be undone.

use std::io::{self, IsTerminal as _, Write as _};

use super::exit::Failure;

/// Whether standard input is a terminal, where a question can be answered.
pub fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Fails if there is neither `--yes` nor a terminal for a question. Called before anything is changed.
pub fn require(yes: bool, what: &str) -> Result<(), Failure> {
    if yes || can_ask() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{what} can't be undone, and standard input is not a terminal: pass --yes to confirm; nothing was changed"
    )))
}

/// Asks for confirmation on the terminal, unless `--yes` was passed. Only `yes` and the words in `also` confirm.
pub fn ask(yes: bool, question: &str, also: &[&str]) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let cannot_ask =
        |e: io::Error| Failure::Refused(format!("ask for confirmation: {e}; nothing was changed"));
    write!(io::stderr(), "{question} ").and_then(|()| io::stderr().flush()).map_err(cannot_ask)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(cannot_ask)?;
    let answer = answer.trim();
    if answer == "yes" || (!answer.is_empty() && also.contains(&answer)) {
        return Ok(());
    }
    Err(Failure::Refused("not confirmed: nothing was changed".to_owned()))
}
