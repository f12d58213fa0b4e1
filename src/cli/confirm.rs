//! Asks before what can't be undone.

use std::io::{self, IsTerminal as _, Write as _};

use super::exit::Failure;

/// Whether there is a terminal at which to ask.
pub fn is_possible() -> bool {
    io::stdin().is_terminal()
}

/// Refuses to go on where nobody can be asked and `--yes` was not said either. Called before anything is done.
pub fn possible(yes: bool, what: &str) -> Result<(), Failure> {
    if yes || is_possible() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{what} can't be undone, and standard input is not a terminal: pass --yes to confirm; nothing was changed"
    )))
}

/// Asks at the terminal, unless `--yes` was said. Only `yes` and the words of `also` are a yes.
pub fn ask(yes: bool, question: &str, also: &[&str]) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let trouble = |e: io::Error| Failure::Refused(format!("ask: {e}; nothing was changed"));
    eprint!("{question} ");
    io::stderr().flush().map_err(trouble)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(trouble)?;
    let answer = answer.trim();
    if answer == "yes" || (!answer.is_empty() && also.contains(&answer)) {
        return Ok(());
    }
    Err(Failure::Refused("not confirmed: nothing was changed".to_owned()))
}
