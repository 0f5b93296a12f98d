//! The page's styles, with the palette's colours as variables, and charts made
//! ready to be inlined.

use crate::palette::{Rgb, SHADES, Shade, hex};
use std::fmt::Write as _;

const BASE: &str = include_str!("../../templates/report.css");

/// The style sheet: colours by role for light, dark and print, then the rest.
pub(super) fn style() -> String {
    let light = variables(|shade| shade.light);
    let dark = variables(|shade| shade.dark);
    let mut css = format!(
        ":root{{color-scheme:light dark;{light}--page:#F3F5F7;--edge:#DDE3E9;--good:#00734F;\
         --bad:#B3261E;--open:#8A5A00}}\n\
         @media (prefers-color-scheme:dark){{:root{{{dark}--page:#0E1216;--edge:#2A323B;\
         --good:#4CD3A5;--bad:#FF8A80;--open:#F2BE4A}}}}\n\
         @media print{{:root{{color-scheme:light;{light}--page:#FFFFFF;--edge:#C9D1D9;\
         --good:#00734F;--bad:#B3261E;--open:#8A5A00}}}}\n"
    );
    for Shade { class, .. } in &SHADES {
        let _ = writeln!(
            css,
            ".f-{class}{{fill:var(--{class})}}.s-{class}{{stroke:var(--{class})}}"
        );
    }
    css.push_str(BASE);
    css
}

fn variables(colour: impl Fn(&Shade) -> Rgb) -> String {
    let mut text = String::new();
    for shade in &SHADES {
        let _ = write!(text, "--{}:{};", shade.class, hex(colour(shade)));
    }
    text
}

/// A chart without the fixed size of a stand-alone file and without the
/// attributes that its classes replace.
pub(super) fn inline(svg: &str) -> String {
    let mut text = svg.to_string();
    for shade in &SHADES {
        for (attribute, prefix) in [("fill", 'f'), ("stroke", 's')] {
            let class = format!("class=\"{prefix}-{}\"", shade.class);
            let classed = format!("{class} {attribute}=\"{}\"", hex(shade.light));
            text = text.replace(&classed, &class);
        }
    }
    let Some((head, rest)) = text.split_once('>') else {
        return text;
    };
    let kept: Vec<&str> = head
        .split("\" ")
        .filter(|part| !part.starts_with("width=") && !part.starts_with("height="))
        .collect();
    let body = rest.replace(
        " font-family=\"DejaVu Sans, Verdana, system-ui, sans-serif\"",
        "",
    );
    format!("{}>{body}", kept.join("\" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_inline(svg: &str, expected: &str) {
        assert_eq!(inline(svg), expected);
    }

    #[test]
    fn inlined_charts_scale_and_take_the_pages_colours() {
        check_inline(
            "<svg role=\"img\" aria-label=\"a, b\" width=\"8\" height=\"4\" viewBox=\"0 0 16 8\">\
             <rect class=\"f-card\" fill=\"#FFFFFF\"/></svg>",
            "<svg role=\"img\" aria-label=\"a, b\" viewBox=\"0 0 16 8\"><rect class=\"f-card\"/></svg>",
        );
    }

    #[test]
    fn every_role_has_its_rules_in_light_dark_and_print() {
        let css = style();
        for shade in &SHADES {
            assert_eq!(css.matches(&format!("--{}:", shade.class)).count(), 3);
            assert!(css.contains(&format!(".f-{}{{", shade.class)));
        }
    }
}
