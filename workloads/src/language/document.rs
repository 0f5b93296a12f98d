//! From TOML text, or from `--set`, to leaves: a dotted path, the text of one
//! value or of several, and where it was written.

use super::faults::{FAULTS_MAX, FaultSpec};
use super::problem::{Origin, Problem};
use super::several::{self, WORKLOAD, WORKLOADS_MAX};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Values that one list may have.
const LIST_MAX: usize = 1000;

/// Tables that may lie within each other.
const DEPTH_MAX: usize = 16;

/// Sections that may be written several times, as `[[section]]`. Their settings
/// are numbered from 1: `section.1.name`.
const REPEATED: [&str; 1] = [FaultSpec::SECTION];

/// One setting as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) path: String,
    pub(super) written: Written,
    pub(super) origin: Origin,
}

/// The text of one value, or of each value of a list; or a workload begins, of
/// several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    One(String),
    List(Vec<String>),
    Workload(String),
}

/// Reads a workload file's leaves in the order of the file.
pub(super) fn leaves(text: &str, file: &str) -> Result<Vec<Leaf>, Vec<Problem>> {
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let number = line_of(text, at);
        let line = text.lines().nth(number - 1).unwrap_or_default().trim();
        let reason = error.message().trim().replace('\n', "; ");
        vec![Problem {
            origin: Origin::Line(file.to_owned(), number),
            path: String::new(),
            message: format!("`{line}` is not TOML: {reason}"),
        }]
    })?;
    let mut walk = Walk {
        text,
        file,
        leaves: Vec::new(),
        problems: Vec::new(),
    };
    walk.table("", document.get_ref(), 0);
    if walk.problems.is_empty() {
        walk.leaves.sort_by_key(|(at, _)| *at);
        return Ok(walk.leaves.into_iter().map(|(_, leaf)| leaf).collect());
    }
    walk.problems.sort_by_key(|(at, _)| *at);
    Err(walk
        .problems
        .into_iter()
        .map(|(_, problem)| problem)
        .collect())
}

struct Walk<'t> {
    text: &'t str,
    file: &'t str,
    leaves: Vec<(usize, Leaf)>,
    problems: Vec<(usize, Problem)>,
}

impl Walk<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>, depth: usize) {
        for (key, value) in table {
            let at = key.span().start;
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Array(list) if REPEATED.contains(&path.as_str()) => {
                    self.repeated(at, path, list);
                }
                _ if REPEATED.contains(&path.as_str()) => {
                    let advice = format!("write it as [[{path}]], once for each");
                    self.refuse(at, path, &advice);
                }
                DeValue::Table(_) if depth >= DEPTH_MAX => {
                    self.refuse(at, path, "sections lie too deep within each other");
                }
                DeValue::Table(table) => self.table(&path, table, depth + 1),
                DeValue::Array(list)
                    if path == WORKLOAD && list.iter().all(|item| item.get_ref().is_table()) =>
                {
                    self.workloads(at, list);
                }
                DeValue::Array(list) if list.iter().any(|item| item.get_ref().is_table()) => {
                    let advice = "a section is written once, as [section] and not [[section]]";
                    self.refuse(at, path, advice);
                }
                DeValue::Array(list) => self.list(at, path, list),
                value => match scalar(value) {
                    Some(text) => self.leaf(at, path, Written::One(text)),
                    None => self.refuse(at, path, NOT_A_VALUE),
                },
            }
        }
    }

    /// Reads every `[[workload]]`, whose settings get its name into their paths.
    fn workloads(&mut self, at: usize, list: &[Spanned<DeValue<'_>>]) {
        if list.len() > WORKLOADS_MAX {
            let message = format!("{} are too many; at most {WORKLOADS_MAX}", list.len());
            return self.refuse(at, WORKLOAD.to_owned(), &message);
        }
        let mut names: Vec<String> = Vec::new();
        for (number, item) in list.iter().enumerate() {
            let (at, DeValue::Table(table)) = (item.span().start, item.get_ref()) else {
                continue;
            };
            let named = table.iter().find(|(key, _)| key.get_ref() == "name");
            let name = match named.map(|(_, value)| scalar(value.get_ref())) {
                None => (number + 1).to_string(),
                Some(name) => name.unwrap_or_default(),
            };
            if let Some(message) = several::bad_name(&name, &names) {
                self.refuse(at, format!("{WORKLOAD}.name"), &message);
                continue;
            }
            let path = format!("{WORKLOAD}.{name}");
            self.leaf(at, path.clone(), Written::Workload(name.clone()));
            let rest = table
                .iter()
                .filter(|(key, _)| key.get_ref() != "name")
                .map(|(key, value)| (key.clone(), value.clone()));
            self.table(&path, &rest.collect(), 1);
            names.push(name);
        }
    }

    fn repeated(&mut self, at: usize, path: String, list: &[Spanned<DeValue<'_>>]) {
        if list.len() > FAULTS_MAX {
            let advice = format!(
                "{} are too many; at most {FAULTS_MAX} are taken",
                list.len()
            );
            return self.refuse(at, path, &advice);
        }
        for (number, item) in (1..).zip(list) {
            match item.get_ref() {
                DeValue::Table(table) => self.table(&format!("{path}.{number}"), table, 1),
                _ => {
                    let advice = format!("write it as [[{path}]], once for each");
                    self.refuse(item.span().start, path.clone(), &advice);
                }
            }
        }
    }

    fn list(&mut self, at: usize, path: String, list: &[Spanned<DeValue<'_>>]) {
        let texts: Option<Vec<_>> = list.iter().map(|item| scalar(item.get_ref())).collect();
        match texts {
            Some(texts) if (1..=LIST_MAX).contains(&texts.len()) => {
                self.leaf(at, path, Written::List(texts));
            }
            Some(_) => self.refuse(at, path, LIST_LENGTH),
            None => self.refuse(at, path, NOT_A_VALUE),
        }
    }

    fn leaf(&mut self, at: usize, path: String, written: Written) {
        let origin = self.origin(at);
        let leaf = Leaf {
            path,
            written,
            origin,
        };
        self.leaves.push((at, leaf));
    }

    fn refuse(&mut self, at: usize, path: String, message: &str) {
        let problem = Problem {
            origin: self.origin(at),
            path,
            message: message.to_owned(),
        };
        self.problems.push((at, problem));
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::Line(self.file.to_owned(), line_of(self.text, at))
    }
}

const NOT_A_VALUE: &str = "a value is a text, a number, true or false, or a list of these";
const LIST_LENGTH: &str = "a list is a sweep and has 1 to 1000 values";

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

/// The text of a value, spelt without TOML's freedoms; `None` for dates and
/// for nested lists.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            let number = i128::from_str_radix(number.as_str(), number.radix());
            number.ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => {
            let number = number.as_str().parse::<f64>();
            number.ok().map(|number| number.to_string())
        }
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Reads one `--set KEY=VALUE`. A value in square brackets is a list; quotes
/// around texts may be left out.
pub(super) fn set_leaf(argument: &str) -> Result<Leaf, Problem> {
    let refuse = |path: &str, message: &str| Problem {
        origin: Origin::Set,
        path: path.to_owned(),
        message: message.to_owned(),
    };
    let Some((path, value)) = argument.split_once('=') else {
        return Err(refuse(
            argument,
            "write KEY=VALUE, such as producer.acks=all",
        ));
    };
    let (path, value) = (path.trim(), value.trim());
    let inside = value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let written = match inside {
        None => Written::One(bare(value)),
        Some(inside) => {
            let texts: Vec<_> = split_list(inside).iter().map(|item| bare(item)).collect();
            if texts.is_empty() || texts.len() > LIST_MAX {
                return Err(refuse(path, LIST_LENGTH));
            }
            Written::List(texts)
        }
    };
    Ok(Leaf {
        path: path.to_owned(),
        written,
        origin: Origin::Set,
    })
}

/// Reads an item as TOML would, or else takes it as it stands.
fn bare(item: &str) -> String {
    let item = item.trim();
    let value = DeValue::parse(item).ok();
    let text = value.and_then(|value| scalar(value.get_ref()));
    text.unwrap_or_else(|| item.to_owned())
}

/// Splits at commas that are outside of quotes and brackets.
pub(super) fn split_list(inside: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0_usize, None);
    for (at, letter) in inside.char_indices() {
        match letter {
            '"' | '\'' if quote.is_none() => quote = Some(letter),
            _ if quote == Some(letter) => quote = None,
            _ if quote.is_some() => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&inside[start..]);
    items.retain(|item| !item.trim().is_empty());
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_argument_reads_like_toml_with_the_quotes_left_out() {
        let check = |argument: &str, path: &str, written: Written| {
            let leaf = set_leaf(argument).expect(argument);
            assert_eq!((leaf.path.as_str(), leaf.written), (path, written));
        };
        let one = |text: &str| Written::One(text.to_owned());
        let list = |texts: &[&str]| Written::List(texts.iter().map(|&t| t.to_owned()).collect());
        check("producer.acks=all", "producer.acks", one("all"));
        check("producer.acks = \"all\"", "producer.acks", one("all"));
        check("a=1_000", "a", one("1000"));
        check("a=x=y", "a", one("x=y"));
        check("a=", "a", one(""));
        check("a=[0, 1, all]", "a", list(&["0", "1", "all"]));
        check("a=['x, y', \"z\"]", "a", list(&["x, y", "z"]));
        check(
            "a=[zipf(9, 1.1), none,]",
            "a",
            list(&["zipf(9, 1.1)", "none"]),
        );
        assert!(set_leaf("a=[]").is_err());
        assert!(set_leaf("a").is_err());
    }
}
