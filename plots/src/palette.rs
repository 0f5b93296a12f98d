//! The one palette: colours by their role, in a light and a dark variant.
//!
//! The series colours follow Okabe and Ito's set, which stays distinct under
//! the common forms of colour blindness; neighbours also differ in lightness.
//! The light values are all different, because the SVG writer tells roles
//! apart by them. Heat-map shades are fixed: each carries its own ink.

/// Red, green, blue.
pub(crate) type Rgb = (u8, u8, u8);

/// What a colour is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The card that a chart lies on.
    Card,
    /// Titles and values.
    Ink,
    /// Labels of axes, captions.
    Muted,
    /// Grid lines.
    Grid,
    /// The axis lines.
    Axis,
    /// A series, by index; wraps.
    Series(usize),
}

/// One role's colours.
pub(crate) struct Shade {
    /// Name in CSS.
    pub class: &'static str,
    /// On a light card.
    pub light: Rgb,
    /// On a dark card.
    pub dark: Rgb,
}

const fn shade(class: &'static str, light: u32, dark: u32) -> Shade {
    Shade {
        class,
        light: rgb(light),
        dark: rgb(dark),
    }
}

const fn rgb(hex: u32) -> Rgb {
    let [_, r, g, b] = hex.to_be_bytes();
    (r, g, b)
}

/// Number of different series colours.
pub(crate) const SERIES: usize = 8;

const BASE: usize = 5;

/// All roles: the five named ones, then the series.
pub(crate) const SHADES: [Shade; BASE + SERIES] = [
    shade("card", 0xFFFFFF, 0x171C22),
    shade("ink", 0x1A232E, 0xE8EDF2),
    shade("muted", 0x5A6775, 0x9FACB9),
    shade("grid", 0xE4E9EE, 0x2A323B),
    shade("axis", 0x9AA6B2, 0x5C6874),
    shade("s0", 0x0072B2, 0x58B0F0),
    shade("s1", 0xD55E00, 0xFF9255),
    shade("s2", 0x009E73, 0x35CFA3),
    shade("s3", 0xB8578F, 0xEBA0CD),
    shade("s4", 0xC48800, 0xF2BE4A),
    shade("s5", 0x4A9FD8, 0x9ED8FA),
    shade("s6", 0x6B7480, 0xB4BEC9),
    shade("s7", 0x7A4F2B, 0xC99B74),
];

impl Role {
    /// The role's shade.
    pub(crate) const fn shade(self) -> &'static Shade {
        let at = match self {
            Self::Card => 0,
            Self::Ink => 1,
            Self::Muted => 2,
            Self::Grid => 3,
            Self::Axis => 4,
            Self::Series(n) => BASE + n % SERIES,
        };
        &SHADES[at]
    }
}

/// The colour that a parameter's value always has: codecs and acks keep theirs
/// from chart to chart, other values go by their position in the sweep.
pub(crate) fn series_of(param: &str, value: &str, position: usize) -> Role {
    let known = match (param.rsplit('.').next().unwrap_or(param), value) {
        ("compression", "none") => Some(6),
        ("compression", "lz4") => Some(0),
        ("compression", "zstd") => Some(1),
        ("compression", "snappy") => Some(2),
        ("compression", "gzip") => Some(3),
        ("acks", "0") => Some(4),
        ("acks", "1") => Some(0),
        ("acks", "all" | "-1") => Some(1),
        _ => None,
    };
    Role::Series(known.unwrap_or(position))
}

/// The shade of a heat-map cell at `share` in 0..=1, and its ink.
pub(crate) fn heat(share: f64) -> (Rgb, Rgb) {
    const STOPS: [Rgb; 5] = [
        rgb(0xEEF4FA),
        rgb(0xBBD8EE),
        rgb(0x74B2DC),
        rgb(0x2B7FBD),
        rgb(0x0B3C6F),
    ];
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let at = share * (STOPS.len() - 1) as f64;
    let below = (at.floor() as usize).min(STOPS.len() - 2);
    let mix = at - below as f64;
    let (from, to) = (STOPS[below], STOPS[below + 1]);
    let blend = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * mix).round() as u8;
    let fill = (
        blend(from.0, to.0),
        blend(from.1, to.1),
        blend(from.2, to.2),
    );
    let ink = if share > 0.71 {
        rgb(0xFDFEFF)
    } else {
        rgb(0x0C2033)
    };
    (fill, ink)
}

/// `#RRGGBB`, in capitals as the SVG backend writes it.
pub(crate) fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG relative luminance.
    fn luminance((r, g, b): Rgb) -> f64 {
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.040_45 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[track_caller]
    fn check_contrast(role: Role, least: f64) {
        let (shade, card) = (role.shade(), Role::Card.shade());
        for (colour, card) in [(shade.light, card.light), (shade.dark, card.dark)] {
            let got = contrast(colour, card);
            assert!(got >= least, "{role:?} {colour:?} on {card:?}: {got:.2}");
        }
    }

    #[test]
    fn text_and_lines_stand_out_in_light_and_dark() {
        check_contrast(Role::Ink, 7.0);
        check_contrast(Role::Muted, 4.5);
        for n in 0..SERIES {
            check_contrast(Role::Series(n), 2.8);
        }
        for step in 0..=20 {
            let (fill, ink) = heat(f64::from(step) / 20.0);
            assert!(contrast(fill, ink) >= 3.9, "{fill:?} under {ink:?}");
        }
    }

    #[test]
    fn light_values_tell_roles_apart() {
        for (i, a) in SHADES.iter().enumerate() {
            assert!(SHADES[i + 1..].iter().all(|b| a.light != b.light));
        }
    }
}
