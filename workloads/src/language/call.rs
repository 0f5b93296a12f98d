//! Values with arguments, written as a call: `zipf(10K, 1.1)`,
//! `hot(1000, 50%, salt=8)`.
//!
//! Positional arguments come first, named ones after them. There is no nesting
//! and there are no quotes: an argument ends at the next comma.

/// A name and its arguments, borrowed from the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call<'t> {
    pub(super) name: &'t str,
    pub(super) args: Vec<&'t str>,
    pub(super) named: Vec<(&'t str, &'t str)>,
}

impl<'t> Call<'t> {
    /// Reads `name` or `name(…)`; `None` when the brackets do not match or a
    /// positional argument follows a named one.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let text = text.trim();
        let Some((name, rest)) = text.split_once('(') else {
            return (!text.is_empty() && !text.contains(')')).then(|| Self::bare(text));
        };
        let inside = rest.strip_suffix(')')?;
        if name.trim().is_empty() || inside.contains(['(', ')']) {
            return None;
        }
        let mut call = Self::bare(name.trim());
        for argument in inside.split(',').map(str::trim) {
            match argument.split_once('=') {
                Some((name, value)) => call.named.push((name.trim(), value.trim())),
                None if !call.named.is_empty() || argument.is_empty() => return None,
                None => call.args.push(argument),
            }
        }
        Some(call)
    }

    fn bare(name: &'t str) -> Self {
        Self {
            name,
            args: Vec::new(),
            named: Vec::new(),
        }
    }

    /// The arguments in order when there are `N` of them and none is named.
    pub(super) fn exactly<const N: usize>(&self) -> Option<[&'t str; N]> {
        if !self.named.is_empty() {
            return None;
        }
        <[&str; N]>::try_from(self.args.as_slice()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_split_into_positional_and_named_arguments() {
        let check = |text: &str, expected: Option<Call<'_>>| {
            assert_eq!(Call::parse(text), expected, "{text}");
        };
        let call = |name, args: &[&'static str], named: &[(&'static str, &'static str)]| {
            Some(Call {
                name,
                args: args.to_vec(),
                named: named.to_vec(),
            })
        };
        check("none", call("none", &[], &[]));
        check(" zipf( 10K , 1.1 ) ", call("zipf", &["10K", "1.1"], &[]));
        check(
            "hot(9, 50%, salt = 8)",
            call("hot", &["9", "50%"], &[("salt", "8")]),
        );
        check("a()", None);
        check("a(1", None);
        check("a)", None);
        check("a(b(1))", None);
        check("a(x=1, 2)", None);
        check("(1)", None);
        check("", None);
    }
}
