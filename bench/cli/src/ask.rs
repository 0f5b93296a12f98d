//! Questions on a terminal: `plimsoll size disk` without arguments asks for
//! what it needs, then shows the command line that says the same.
//!
//! What is asked comes from the command line's own description, so a calculator
//! has no code for it. Nothing is asked unless both ends are a terminal; scripts
//! get the usual error.

use clap::builder::ValueRange;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};
use inquire::validator::Validation;
use inquire::{MultiSelect, Text};
use std::ffi::OsString;
use std::io::IsTerminal as _;

/// One thing to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The option's long name.
    pub name: String,
    /// What it is.
    pub help: String,
    /// What holds when it is left alone.
    pub default: Option<String>,
    /// Whether it is a switch, which takes no value.
    switch: bool,
}

/// Who answers.
pub trait Answers {
    /// The text for a question; `check` refuses what the option does not take.
    /// None when the person has had enough.
    fn text(
        &mut self,
        question: &Question,
        check: &dyn Fn(&str) -> Result<(), String>,
    ) -> Option<String>;
    /// Which of the optional ones to answer too.
    fn choose(&mut self, optional: &[Question]) -> Option<Vec<usize>>;
}

/// Arguments without an option but whose command needs some, completed by
/// asking; none when there is nothing to ask or nobody to be asked.
pub fn complete(command: &Command, words: &[OsString]) -> Option<Vec<OsString>> {
    let asked = find(command, words)?;
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return None;
    }
    let told = ask(asked, &mut Terminal)?;
    let line: Vec<String> = told.iter().map(|word| quoted(word)).collect();
    let start: Vec<String> = words
        .iter()
        .skip(1)
        .map(|w| w.to_string_lossy().into_owned())
        .collect();
    eprintln!(
        "\nthe same without questions:\n  plimsoll {} {}\n",
        start.join(" "),
        line.join(" ")
    );
    Some(
        words
            .iter()
            .cloned()
            .chain(told.into_iter().map(OsString::from))
            .collect(),
    )
}

/// The command that `words` name and leave without any argument, if it needs
/// some and may ask for them.
fn find<'c>(command: &'c Command, words: &[OsString]) -> Option<&'c Command> {
    let named: Vec<&str> = words
        .iter()
        .skip(1)
        .map(|w| w.to_str())
        .collect::<Option<_>>()?;
    let found = match named.as_slice() {
        ["size", name] => command.find_subcommand("size")?.find_subcommand(name)?,
        ["plan"] => command.find_subcommand("plan")?,
        _ => return None,
    };
    let positional = found.get_positionals().next().is_some();
    (!positional && !required(found).is_empty()).then_some(found)
}

/// Names of the options that the command complains about when it gets none.
fn required(command: &Command) -> Vec<String> {
    let alone = command.clone().no_binary_name(true);
    let Err(error) = alone.try_get_matches_from(std::iter::empty::<OsString>()) else {
        return Vec::new();
    };
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(usages)) => usages.iter().filter_map(|u| long_name(u)).collect(),
        Some(ContextValue::String(usage)) => long_name(usage).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// `rate` from `--rate <RATE>`.
fn long_name(usage: &str) -> Option<String> {
    let name = usage.strip_prefix("--")?.split_whitespace().next()?;
    Some(name.to_owned())
}

fn ask(command: &Command, answers: &mut dyn Answers) -> Option<Vec<String>> {
    let needed = required(command);
    let of = |required: bool| -> Vec<Question> {
        let asked = command.get_arguments().filter_map(question);
        asked
            .filter(|q| needed.contains(&q.name) == required)
            .collect()
    };
    let mut told = Vec::new();
    for question in of(true) {
        answer(command, &question, answers, &mut told)?;
    }
    let optional = of(false);
    for at in answers.choose(&optional)? {
        let question = optional.get(at)?;
        match question.switch {
            true => told.push(format!("--{}", question.name)),
            false => answer(command, question, answers, &mut told)?,
        }
    }
    Some(told)
}

/// An empty text leaves an optional one alone.
fn answer(
    command: &Command,
    question: &Question,
    answers: &mut dyn Answers,
    told: &mut Vec<String>,
) -> Option<()> {
    let check = |text: &str| try_value(command, &question.name, text);
    let text = answers.text(question, &check)?;
    if !text.is_empty() {
        told.extend([format!("--{}", question.name), text]);
    }
    Some(())
}

fn question(arg: &Arg) -> Option<Question> {
    let name = arg.get_long()?.to_owned();
    if arg.is_hide_set()
        || matches!(
            arg.get_action(),
            ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort | ArgAction::Version
        )
    {
        return None;
    }
    let default = arg
        .get_default_values()
        .first()
        .map(|v| v.to_string_lossy().into_owned());
    let switch = arg.get_num_args() == Some(ValueRange::EMPTY)
        || matches!(arg.get_action(), ArgAction::SetTrue);
    Some(Question {
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        default: default.filter(|_| !switch),
        switch,
        name,
    })
}

/// Whether the option takes `text`, as the command line itself would say.
fn try_value(command: &Command, name: &str, text: &str) -> Result<(), String> {
    let alone = command
        .clone()
        .mut_args(|arg| arg.required(false))
        .no_binary_name(true);
    match alone.try_get_matches_from([format!("--{name}={text}")]) {
        Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
            let shown = error.to_string();
            let line = shown.lines().next().unwrap_or_default();
            let reason = line.rsplit_once(": ").map_or(line, |(_, reason)| reason);
            Err(reason.to_owned())
        }
        _ => Ok(()),
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:%,=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A person at a terminal.
struct Terminal;

impl Answers for Terminal {
    fn text(
        &mut self,
        question: &Question,
        check: &dyn Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        loop {
            let prompt = format!("{}?", question.name.replace('-', " "));
            let mut asked = Text::new(&prompt).with_help_message(&question.help);
            if let Some(default) = &question.default {
                asked = asked.with_default(default);
            } else {
                asked = asked.with_validator(|text: &str| {
                    Ok(match text.trim().is_empty() {
                        true => Validation::Invalid("a value is needed; Esc gives up".into()),
                        false => Validation::Valid,
                    })
                });
            }
            let text = asked.prompt().ok()?.trim().to_owned();
            match check(&text) {
                Ok(()) => return Some(text),
                Err(reason) => eprintln!("  {reason}"),
            }
        }
    }

    fn choose(&mut self, optional: &[Question]) -> Option<Vec<usize>> {
        if optional.is_empty() {
            return Some(Vec::new());
        }
        let shown = |question: &Question| {
            let help = question.help.lines().next().unwrap_or_default();
            let default = question
                .default
                .as_ref()
                .map_or_else(String::new, |d| format!(" [{d}]"));
            format!("{}{default}: {help}", question.name)
        };
        let lines = optional.iter().map(shown).collect();
        let asked = MultiSelect::new(
            "change any of the rest? (space marks, enter goes on)",
            lines,
        );
        let marked = asked.raw_prompt().ok()?;
        Some(marked.into_iter().map(|line| line.index).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers from a list: a text is tried until it is accepted.
    struct Script {
        texts: Vec<&'static str>,
        marked: Vec<&'static str>,
        refused: Vec<String>,
    }

    impl Answers for Script {
        fn text(
            &mut self,
            _: &Question,
            check: &dyn Fn(&str) -> Result<(), String>,
        ) -> Option<String> {
            while !self.texts.is_empty() {
                let text = self.texts.remove(0);
                match check(text) {
                    Ok(()) => return Some(text.to_owned()),
                    Err(reason) => self.refused.push(reason),
                }
            }
            None
        }

        fn choose(&mut self, optional: &[Question]) -> Option<Vec<usize>> {
            let at = |name: &&str| optional.iter().position(|q| q.name == *name);
            Some(self.marked.iter().filter_map(at).collect())
        }
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn told(
        line: &str,
        texts: &[&'static str],
        marked: &[&'static str],
    ) -> (Option<Vec<String>>, Vec<String>) {
        let command = crate::command();
        let mut script = Script {
            texts: texts.to_vec(),
            marked: marked.to_vec(),
            refused: Vec::new(),
        };
        let found = find(&command, &words(line)).expect("it asks");
        (ask(found, &mut script), script.refused)
    }

    #[test]
    fn what_is_required_is_asked_until_it_is_right() {
        let texts = ["fast", "50K/s", "1K", "1KB", "7d", "6"];
        let (told, refused) = told("plimsoll size disk", &texts, &["replication"]);
        let told = told.expect("answered").join(" ");
        assert_eq!(
            told,
            "--rate 50K/s --size 1KB --retention 7d --replication 6"
        );
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(refused[1].contains("KB counts in 1000"), "{refused:?}");
    }

    #[test]
    fn switches_take_no_value_and_giving_up_asks_no_more() {
        let (answered, _) = told("plimsoll size choose", &["50K/s"], &["replay"]);
        assert_eq!(
            answered.expect("answered").join(" "),
            "--rate 50K/s --replay"
        );
        let (given_up, _) = told("plimsoll size disk", &["50K/s"], &[]);
        assert_eq!(given_up, None);
    }

    /// What the answers make is a command line that parses.
    #[test]
    fn the_completed_command_line_is_one_that_parses() {
        let (told, _) = told("plimsoll size lag", &["50K/s", "60K/s", "1h"], &["outage"]);
        let line = words("plimsoll size lag").into_iter();
        let line = line.chain(told.expect("answered").into_iter().map(OsString::from));
        assert!(crate::command().try_get_matches_from(line).is_ok());
    }

    #[test]
    fn only_bare_calculators_ask() {
        let command = crate::command();
        let asks = |line: &str| find(&command, &words(line)).is_some();
        assert!(asks("plimsoll size disk") && asks("plimsoll plan"));
        for line in [
            "plimsoll size disk --rate 1/s",
            "plimsoll size schema",
            "plimsoll size weather",
            "plimsoll run quickstart",
            "plimsoll",
        ] {
            assert!(!asks(line), "{line}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let check = |word: &str, expected: &str| assert_eq!(quoted(word), expected);
        check("50K/s", "50K/s");
        check("a b", "'a b'");
        check("it's", "'it'\\''s'");
    }
}
