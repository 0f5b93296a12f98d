//! A chart as a list of marks in page coordinates, before any pixel.
//!
//! Charts compute scenes; painters turn one scene into SVG and PNG, so both
//! show the same picture. Coordinates are logical pixels from the top left.

use crate::palette::{Rgb, Role};

/// A colour by role, which follows the page's theme, or a fixed one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Colour {
    Role(Role),
    Fixed(Rgb),
}

/// A colour and how opaque it is, 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Paint {
    pub colour: Colour,
    pub opacity: f64,
}

impl From<Role> for Paint {
    fn from(role: Role) -> Self {
        Self {
            colour: Colour::Role(role),
            opacity: 1.0,
        }
    }
}

impl From<Rgb> for Paint {
    fn from(rgb: Rgb) -> Self {
        Self {
            colour: Colour::Fixed(rgb),
            opacity: 1.0,
        }
    }
}

impl Paint {
    /// The same colour, this opaque.
    pub(crate) const fn opacity(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }
}

/// A point in logical pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct At(pub f64, pub f64);

/// A rectangle in logical pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Frame {
    pub(crate) const fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) const fn middle(&self) -> At {
        At(
            f64::midpoint(self.left, self.right),
            f64::midpoint(self.top, self.bottom),
        )
    }
}

/// Where a text's anchor lies along it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Start,
    Middle,
    End,
}

/// A line of text, vertically centred on its point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub at: At,
    pub text: String,
    pub size: f64,
    pub bold: bool,
    pub align: Align,
    pub paint: Paint,
}

impl Text {
    /// Regular ink-coloured text that starts at its point.
    pub(crate) fn new(at: At, size: f64, text: impl Into<String>) -> Self {
        Self {
            at,
            text: text.into(),
            size,
            bold: false,
            align: Align::Start,
            paint: Role::Ink.into(),
        }
    }

    pub(crate) const fn align(mut self, align: Align) -> Self {
        self.align = align;
        self
    }

    pub(crate) const fn bold(mut self) -> Self {
        self.bold = true;
        self
    }

    pub(crate) fn paint(mut self, paint: impl Into<Paint>) -> Self {
        self.paint = paint.into();
        self
    }
}

/// One thing to draw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    Path {
        points: Vec<At>,
        width: f64,
        paint: Paint,
    },
    Area {
        points: Vec<At>,
        paint: Paint,
    },
    Rect {
        frame: Frame,
        paint: Paint,
    },
    Dot {
        at: At,
        radius: f64,
        paint: Paint,
    },
    Text(Text),
}

/// A finished drawing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scene {
    /// What the picture shows, for those who cannot see it.
    pub description: String,
    pub width: f64,
    pub height: f64,
    pub marks: Vec<Mark>,
}

impl Scene {
    /// An empty card.
    pub(crate) fn new(width: f64, height: f64, description: impl Into<String>) -> Self {
        let mut scene = Self {
            description: description.into(),
            width,
            height,
            marks: Vec::new(),
        };
        let whole = Frame {
            left: 0.0,
            top: 0.0,
            right: width,
            bottom: height,
        };
        scene.rect(whole, Role::Card);
        scene
    }

    pub(crate) fn path(&mut self, points: Vec<At>, width: f64, paint: impl Into<Paint>) {
        if points.len() > 1 {
            let paint = paint.into();
            self.marks.push(Mark::Path {
                points,
                width,
                paint,
            });
        }
    }

    pub(crate) fn line(&mut self, from: At, to: At, width: f64, paint: impl Into<Paint>) {
        self.path(vec![from, to], width, paint);
    }

    pub(crate) fn area(&mut self, points: Vec<At>, paint: impl Into<Paint>) {
        if points.len() > 2 {
            let paint = paint.into();
            self.marks.push(Mark::Area { points, paint });
        }
    }

    pub(crate) fn rect(&mut self, frame: Frame, paint: impl Into<Paint>) {
        let paint = paint.into();
        self.marks.push(Mark::Rect { frame, paint });
    }

    pub(crate) fn dot(&mut self, at: At, radius: f64, paint: impl Into<Paint>) {
        let paint = paint.into();
        self.marks.push(Mark::Dot { at, radius, paint });
    }

    /// A dot with the card showing through.
    pub(crate) fn ring(&mut self, at: At, radius: f64, paint: impl Into<Paint>) {
        self.dot(at, radius, paint);
        self.dot(at, radius - 1.8, Role::Card);
    }

    pub(crate) fn text(&mut self, text: Text) {
        if !text.text.is_empty() {
            self.marks.push(Mark::Text(text));
        }
    }

    /// A vertical whisker with caps.
    pub(crate) fn whisker(&mut self, x: f64, low: f64, high: f64, paint: impl Into<Paint>) {
        const CAP: f64 = 3.5;
        let paint = paint.into();
        self.line(At(x, low), At(x, high), 1.5, paint);
        for y in [low, high] {
            self.line(At(x - CAP, y), At(x + CAP, y), 1.5, paint);
        }
    }

    /// A horizontal whisker with caps.
    pub(crate) fn whisker_across(&mut self, y: f64, low: f64, high: f64, paint: impl Into<Paint>) {
        const CAP: f64 = 3.5;
        let paint = paint.into();
        self.line(At(low, y), At(high, y), 1.5, paint);
        for x in [low, high] {
            self.line(At(x, y - CAP), At(x, y + CAP), 1.5, paint);
        }
    }
}
