//! The language of shapes: what a request's body looks like in every version.
//!
//! A shape is a list of fields in the order of the wire:
//!
//! ```text
//! group_id str                 a field in every version
//! instance_id str? 3+          nullable, from version 3 on
//! retention_ms i64 2-4         in versions 2 to 4
//! partitions [i32]             an array of scalars
//! topics [ name str ]?1+       an array of structures, nullable from version 1 on
//! cursor { name str }?         a structure behind a presence byte
//! #1 state { id i32 } 15+      a tagged field, in flexible versions
//! ```
//!
//! Scalars are `bool i8 i16 u16 i32 u32 i64 f64 uuid str bytes`. Whether lengths
//! are compact is no matter of the shape: a version is flexible or it is not.

use std::str::SplitAsciiWhitespace;

/// What a request's body looks like, parsed.
#[derive(Debug)]
pub struct Shape {
    pub(super) root: Struct,
}

#[derive(Debug, Default)]
pub(super) struct Struct {
    pub fields: Vec<Field>,
    pub tagged: Vec<Field>,
    /// What the library's struct takes in memory, by an upper estimate.
    pub decoded_len: usize,
}

#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub tag: Option<u32>,
    /// The first version in which it may be null.
    nullable_since: Option<i16>,
    since: i16,
    until: i16,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string: its length takes 16 bits where lengths are not compact.
    Str,
    /// Bytes: their length takes 32 bits where lengths are not compact.
    Bytes,
    Array(Box<Kind>),
    Struct(Struct),
}

/// A handle on shared bytes: four words.
const HANDLE_LEN: usize = 32;
/// A vector, or a map that is empty: three words.
const VECTOR_LEN: usize = 24;

impl Field {
    /// Whether the field is there in `version`.
    pub const fn is_in(&self, version: i16) -> bool {
        self.since <= version && version <= self.until
    }

    /// Whether the field may be null in `version`.
    pub const fn is_nullable(&self, version: i16) -> bool {
        matches!(self.nullable_since, Some(since) if version >= since)
    }
}

impl Kind {
    /// What one of them takes in memory within a vector.
    pub const fn decoded_len(&self) -> usize {
        match self {
            Self::Fixed(len) => *len,
            Self::Str | Self::Bytes => HANDLE_LEN,
            Self::Array(_) => VECTOR_LEN,
            Self::Struct(inner) => inner.decoded_len,
        }
    }

    fn scalar(token: &str) -> Self {
        match token {
            "bool" | "i8" => Self::Fixed(1),
            "i16" | "u16" => Self::Fixed(2),
            "i32" | "u32" => Self::Fixed(4),
            "i64" | "f64" => Self::Fixed(8),
            "uuid" => Self::Fixed(16),
            "str" => Self::Str,
            "bytes" => Self::Bytes,
            other => panic!("shape: `{other}` is no type"),
        }
    }
}

impl Struct {
    fn push(&mut self, field: Field) {
        // Alignment may pad a small field to a word.
        self.decoded_len += field.kind.decoded_len().next_multiple_of(8);
        match field.tag {
            Some(_) => self.tagged.push(field),
            None => self.fields.push(field),
        }
    }
}

impl Shape {
    /// Parses a shape of the API table.
    ///
    /// # Panics
    /// When the text is not a shape: the table is part of the program.
    pub(crate) fn parse(text: &'static str) -> Self {
        let mut tokens = Tokens {
            rest: text.split_ascii_whitespace(),
            next: None,
        };
        let (root, _) = tokens.fields_until("");
        Self { root }
    }
}

struct Tokens {
    rest: SplitAsciiWhitespace<'static>,
    next: Option<&'static str>,
}

impl Tokens {
    fn take(&mut self) -> Option<&'static str> {
        self.next.take().or_else(|| self.rest.next())
    }

    fn expect(&mut self, what: &str) -> &'static str {
        match self.take() {
            Some(token) => token,
            None => panic!("shape: ends where {what} is expected"),
        }
    }

    /// The fields up to the closing bracket, and what follows that at once.
    fn fields_until(&mut self, close: &str) -> (Struct, &'static str) {
        let mut fields = Struct {
            // Every struct of the library has a map of unknown tagged fields.
            decoded_len: VECTOR_LEN,
            ..Struct::default()
        };
        while let Some(token) = self.take() {
            if let Some(mark) = token.strip_prefix(close).filter(|_| !close.is_empty()) {
                return (fields, mark);
            }
            let field = self.field(token);
            fields.push(field);
        }
        assert!(close.is_empty(), "shape: ends where `{close}` is expected");
        (fields, "")
    }

    fn field(&mut self, first: &'static str) -> Field {
        let tag = first.strip_prefix('#').map(parse);
        let name = match tag {
            Some(_) => self.expect("a tagged field's name"),
            None => first,
        };
        let (kind, nullable_since) = self.kind();
        let (since, until) = self.versions();
        Field {
            name,
            kind,
            tag,
            nullable_since,
            since,
            until,
        }
    }

    fn kind(&mut self) -> (Kind, Option<i16>) {
        let token = self.expect("a type");
        let (kind, mark) = match token {
            "[" => {
                let (element, mark) = self.fields_until("]");
                (Kind::Array(Box::new(Kind::Struct(element))), mark)
            }
            "{" => {
                let (inner, mark) = self.fields_until("}");
                (Kind::Struct(inner), mark)
            }
            _ => {
                let (bare, mark) = token.split_at(token.find('?').unwrap_or(token.len()));
                match bare.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
                    Some(element) => (Kind::Array(Box::new(Kind::scalar(element))), mark),
                    None => (Kind::scalar(bare), mark),
                }
            }
        };
        let since = mark.strip_prefix('?');
        let nullable_since = since.map(|since| match since.strip_suffix('+') {
            Some(since) => parse(since),
            None => 0,
        });
        (kind, nullable_since)
    }

    fn versions(&mut self) -> (i16, i16) {
        let Some(token) = self.take() else {
            return (0, i16::MAX);
        };
        if !token.starts_with(|first: char| first.is_ascii_digit()) {
            self.next = Some(token);
            return (0, i16::MAX);
        }
        match (token.strip_suffix('+'), token.split_once('-')) {
            (Some(since), _) => (parse(since), i16::MAX),
            (None, Some((since, until))) => (parse(since), parse(until)),
            (None, None) => panic!("shape: `{token}`, expected versions as `3+` or `1-4`"),
        }
    }
}

fn parse<T: std::str::FromStr>(number: &str) -> T {
    match number.parse() {
        Ok(number) => number,
        Err(_) => panic!("shape: `{number}`, expected a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_reads_as_it_is_documented() {
        let shape = Shape::parse(
            "a str? 3+  b [ c i32 1-2 #7 d [i64] ]?2+ 1+  e { f bool }  #1 g { h uuid } 15+",
        );
        let names = |fields: &[Field]| fields.iter().map(|field| field.name).collect::<Vec<_>>();
        assert_eq!(names(&shape.root.fields), ["a", "b", "e"]);
        assert_eq!(names(&shape.root.tagged), ["g"]);
        let [a, b, e] = &shape.root.fields[..] else {
            panic!("three fields");
        };
        assert!(a.is_nullable(3) && !b.is_nullable(1) && b.is_nullable(2) && !e.is_nullable(9));
        assert!(!a.is_in(2) && a.is_in(3) && a.is_in(99));
        let Kind::Array(element) = &b.kind else {
            panic!("an array");
        };
        let Kind::Struct(element) = &**element else {
            panic!("of structures");
        };
        assert_eq!(element.tagged[0].tag, Some(7));
        assert!(element.fields[0].is_in(2) && !element.fields[0].is_in(3));
        assert_eq!(element.decoded_len, 24 + 8 + 24);
    }

    #[test]
    #[should_panic(expected = "`in32` is no type")]
    fn a_misspelt_type_is_a_programmers_error() {
        Shape::parse("a in32");
    }
}
