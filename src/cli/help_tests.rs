//! Every command and every argument has a help text, and the examples in the help are right.

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, Command, CommandFactory};

use super::Cli;

/// Calls `check` with each command and the words that name it.
fn visit(command: &Command, path: &str, check: &mut impl FnMut(&Command, &str)) {
    check(command, path);
    for sub in command.get_subcommands() {
        visit(sub, &format!("{path} {}", sub.get_name()), check);
    }
}

fn visit_all(mut check: impl FnMut(&Command, &str)) {
    visit(&Cli::command(), "strongroom", &mut check);
}

/// Returns what an argument's help lacks.
fn problem(argument: &Arg) -> Option<&'static str> {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    let names = argument.get_value_names().unwrap_or_default();
    if help.trim().is_empty() {
        Some("it has no help")
    } else if help.ends_with('.') || !help.starts_with(char::is_uppercase) {
        Some("its help is one phrase: a capital first, and no full stop")
    } else if takes_value
        && names.iter().any(|name| ["ID", "VALUE", "TEXT", "OUTPUT"].contains(&name.as_str()))
    {
        Some("the name of its value does not say what it is")
    } else {
        None
    }
}

#[test]
fn every_command_and_argument_has_help() {
    let mut arguments = 0;
    visit_all(|command, path| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.trim().is_empty(), "{path} has no help");
        for argument in command.get_arguments() {
            arguments += 1;
            let problem = problem(argument);
            assert!(problem.is_none(), "{path} {}: {}", argument.get_id(), problem.unwrap_or_default());
        }
    });
    assert!(arguments > 30, "the arguments are found: {arguments}");
    assert!(problem(&Arg::new("x")).is_some(), "an argument without help is found");
    assert!(problem(&Arg::new("id").help("Id of it").value_name("ID")).is_some());
}

#[test]
fn examples_in_the_help_are_valid_commands() {
    let mut examples = 0;
    visit_all(|command, path| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines().filter(|line| line.trim_start().starts_with("strongroom ")) {
            examples += 1;
            assert!(line.trim_start().starts_with(path), "{path}: {line}");
            let parsed = Cli::command().try_get_matches_from(words(line));
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|e| e.to_string()).unwrap_or_default());
        }
    });
    assert!(examples > 15, "the examples are found: {examples}");
    assert!(Cli::command().try_get_matches_from(words("strongroom request --nonsense | x")).is_err());
}

/// Returns the words of a shell's command, up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut quoted = None;
    let mut begins = true;
    for c in line.chars() {
        match (quoted, c) {
            (Some(quote), c) if c == quote => quoted = None,
            (None, '"' | '\'') => {
                if std::mem::take(&mut begins) {
                    words.push(String::new());
                }
                quoted = Some(c);
            }
            (None, '#') if begins => break,
            (None, '|' | '>' | ';' | '&' | ')') => break,
            (None, c) if c.is_whitespace() => begins = true,
            (_, c) => {
                if std::mem::take(&mut begins) {
                    words.push(String::new());
                }
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words
}

/// Returns the commands in a Markdown page: lines of its code, and `spans` in its text.
fn commands(page: &str) -> Vec<String> {
    let (mut found, mut text, mut fenced) = (vec![], String::new(), false);
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            let line = line.split_once("$(").map_or(line, |(_, substituted)| substituted).trim_start();
            found.extend(line.starts_with("strongroom ").then(|| line.to_owned()));
        } else {
            text.push_str(line.trim());
            text.push(' ');
        }
    }
    let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("strongroom "));
    found.extend(spans.map(str::to_owned));
    found
}

/// Returns what is wrong with a command in the documentation. Words may be missing, and a word in capitals stands for any.
fn problem_of_command(line: &str) -> Option<String> {
    let line = line.replace(['[', ']'], "").replace("...", "");
    let error = Cli::command().try_get_matches_from(words(&line)).err()?;
    let placeholder = |error: &clap::Error| {
        let kinds = [ContextKind::InvalidValue, ContextKind::InvalidSubcommand];
        let value =
            kinds.iter().find_map(|kind| error.get(*kind)).map(ToString::to_string).unwrap_or_default();
        !value.is_empty() && value.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    match error.kind() {
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => None,
        ErrorKind::ValueValidation | ErrorKind::InvalidSubcommand if placeholder(&error) => None,
        _ => Some(error.to_string()),
    }
}

#[test]
fn commands_in_the_documentation_exist() {
    let checkout = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let docs = std::fs::read_dir(checkout.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.chain([checkout.join("README.md"), checkout.join("CHANGELOG.md")]);
    let (mut count, mut problems) = (0, vec![]);
    for page in pages.filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        for command in commands(&std::fs::read_to_string(&page).unwrap()) {
            count += 1;
            let problem = problem_of_command(&command);
            problems.extend(problem.map(|problem| format!("{}: {command}: {problem}", page.display())));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 40, "the commands are found: {count}");
    for wrong in ["strongroom org remove acme", "strongroom sweep --orphan", "strongroom backup delete 5"] {
        assert!(problem_of_command(wrong).is_some(), "{wrong}");
    }
}
