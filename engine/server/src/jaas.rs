//! JAAS entries, as `sasl.jaas.config` has them:
//! `MODULE required NAME="VALUE" … ;`. Source: the grammar of
//! `javax.security.auth.login.Configuration`.
//!
//! No error shows a value: most are secrets.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The login module of PLAIN.
pub const PLAIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
/// The login module of SCRAM.
pub const SCRAM_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// One entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The login module's class.
    pub module: String,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

/// Reads an entry.
///
/// # Errors
/// With what is wrong and what would be accepted.
pub fn parse(text: &str) -> Result<Entry, &'static str> {
    let mut chars = text.trim().chars().peekable();
    let module = word(&mut chars)?.ok_or("a login module is missing")?;
    match word(&mut chars)?.as_deref() {
        Some("required" | "requisite" | "sufficient" | "optional") => {}
        _ => return Err("give `required` after the login module"),
    }
    let mut options = BTreeMap::new();
    while let Some(name) = word(&mut chars)? {
        skip_blanks(&mut chars);
        if chars.next_if_eq(&'=').is_none() {
            return Err("an option is not NAME=\"VALUE\"");
        }
        let value = word(&mut chars)?.ok_or("an option is not NAME=\"VALUE\"")?;
        options.insert(name, value);
    }
    if chars.next_if_eq(&';').is_none() {
        return Err("end it with a semicolon");
    }
    skip_blanks(&mut chars);
    match chars.next() {
        None => Ok(Entry { module, options }),
        Some(_) => Err("give one login module"),
    }
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
}

/// The next word, quoted or not; none at the end of the entry.
fn word(chars: &mut Peekable<Chars<'_>>) -> Result<Option<String>, &'static str> {
    skip_blanks(chars);
    let quote = chars.next_if(|c| matches!(c, '"' | '\''));
    let mut out = String::new();
    let Some(quote) = quote else {
        while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, '=' | ';')) {
            out.push(c);
        }
        return Ok((!out.is_empty()).then_some(out));
    };
    loop {
        match chars.next().ok_or("a quote is not closed")? {
            c if c == quote => return Ok(Some(out)),
            '\\' => out.push(chars.next().ok_or("a quote is not closed")?),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_kafka_documents_them() {
        let check = |text: &str, module: &str, options: &[(&str, &str)]| {
            let entry = parse(text).map(|entry| (entry.module, entry.options));
            let owned = options
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            assert_eq!(entry, Ok((module.to_owned(), owned.collect())), "{text}");
        };
        let users = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                     username=\"admin\" password=\"admin-secret\" \\\n user_alice='it\\'s; \"so\"';";
        let users = users.replace("\\\n", "\n");
        check(
            &users,
            PLAIN_MODULE,
            &[
                ("password", "admin-secret"),
                ("user_alice", "it's; \"so\""),
                ("username", "admin"),
            ],
        );
        check("A required;", "A", &[]);
        check("A required x=1 y = 2 ; ", "A", &[("x", "1"), ("y", "2")]);
        check("A optional x=\"\";", "A", &[("x", "")]);
    }

    #[test]
    fn what_is_no_entry_is_refused_without_showing_it() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text).err(), Some(expected), "{text}");
        };
        check("", "a login module is missing");
        check("A x=\"secret\";", "give `required` after the login module");
        check("A required x=\"secret\"", "end it with a semicolon");
        check("A required secret;", "an option is not NAME=\"VALUE\"");
        check("A required x=\"secret;", "a quote is not closed");
        check("A required; B required;", "give one login module");
    }
}
