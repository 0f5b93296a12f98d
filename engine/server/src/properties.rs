//! Kafka's settings files: Java's `.properties` format.
//!
//! Comments begin with `#` or `!`; a name ends at the first `=`, `:` or blank
//! that is not escaped; a line that ends in an odd number of backslashes goes
//! on in the next one; `\t`, `\n`, `\r`, `\f` and `\uXXXX` are characters and
//! a backslash before any other stands for that one. Source: the documentation
//! of `java.util.Properties.load`.

use std::iter::Peekable;
use std::str::Chars;

/// A setting and the line, from 1, on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it begins.
    pub number: usize,
    /// The property.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A line that is not a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {reason}")]
pub struct BadLine {
    /// Which line, from 1.
    pub number: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The settings of a file, in order.
pub fn parse(text: &str) -> Result<Vec<Line>, BadLine> {
    let mut settings = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let first = line.trim_start_matches(BLANKS);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let number = index + 1;
        let mut logical = first.to_owned();
        while goes_on(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(BLANKS));
        }
        let (name, value) = split(&logical).map_err(|reason| BadLine { number, reason })?;
        if name.is_empty() {
            let reason = "no property name before the separator";
            return Err(BadLine { number, reason });
        }
        settings.push(Line {
            number,
            name,
            value,
        });
    }
    Ok(settings)
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

/// A logical line's name and value.
fn split(line: &str) -> Result<(String, String), &'static str> {
    let mut chars = line.chars().peekable();
    let name = unescape(&mut chars, |c| BLANKS.contains(&c) || c == '=' || c == ':')?;
    let mut separated = false;
    while let Some(&c) = chars.peek() {
        let separator = (c == '=' || c == ':') && !separated;
        if !separator && !BLANKS.contains(&c) {
            break;
        }
        separated |= separator;
        chars.next();
    }
    Ok((name, unescape(&mut chars, |_| false)?))
}

/// Characters up to one that ends the text, escapes resolved.
fn unescape(
    chars: &mut Peekable<Chars<'_>>,
    ends: impl Fn(char) -> bool,
) -> Result<String, &'static str> {
    let mut out = String::new();
    while let Some(c) = chars.next_if(|&c| !ends(c)) {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16)
                    .ok()
                    .filter(|_| digits.len() == 4);
                let escaped = code.and_then(char::from_u32);
                out.push(escaped.ok_or("\\u takes four hexadecimal digits of a character")?);
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_java_reads_them() {
        let check = |text: &str, expected: &[(usize, &str, &str)]| {
            let lines = parse(text).unwrap();
            let lines: Vec<_> = lines
                .iter()
                .map(|l| (l.number, l.name.as_str(), l.value.as_str()))
                .collect();
            assert_eq!(lines, expected, "{text:?}");
        };
        check("", &[]);
        check("# a\n  ! b\n\n \t\n", &[]);
        check("a=1\r\nb = 2 \n", &[(1, "a", "1"), (2, "b", "2 ")]);
        check(
            "a:1\nb 2\nc\nd=\n",
            &[(1, "a", "1"), (2, "b", "2"), (3, "c", ""), (4, "d", "")],
        );
        check("a==b\na : =b", &[(1, "a", "=b"), (2, "a", "=b")]);
        check(
            "a=1,\\\n   2,\\\n\t3\nb=4",
            &[(1, "a", "1,2,3"), (4, "b", "4")],
        );
        check("a\\=b\\:c=d", &[(1, "a=b:c", "d")]);
        check("dir=C\\:\\\\logs\\\\", &[(1, "dir", "C:\\logs\\")]);
        check("a=\\u00e9\\t|", &[(1, "a", "é\t|")]);
        check("a=1 # not a comment", &[(1, "a", "1 # not a comment")]);
        check("a=cut off\\", &[(1, "a", "cut off")]);
    }

    #[test]
    fn what_is_no_setting_is_named_by_its_line() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        };
        check("a=1\n=2", "line 2: no property name before the separator");
        check(
            "a=\\u12",
            "line 1: \\u takes four hexadecimal digits of a character",
        );
        check(
            "a=\\ud800",
            "line 1: \\u takes four hexadecimal digits of a character",
        );
    }
}
