//! Bands behind a chart's lines: what the document claims, what the machine can
//! do at best, and what somebody asked for.
//!
//! A band never stretches an axis beyond what was measured unless it is told to;
//! what of it lies outside is cut off.

use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{At, Frame, Paint, Scene};

/// Steps in which a band that follows the horizontal axis is drawn.
const STEPS: u32 = 40;

/// How far below the end of a band that begins at nothing the axis reaches.
const ROOM: f64 = 0.5;

/// Where a band lies; an infinite end is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edges {
    /// Between two values of the vertical axis.
    Level(f64, f64),
    /// Between two multiples of the horizontal axis's value.
    PerX(f64, f64),
    /// Between two values of the horizontal axis.
    Across(f64, f64),
}

/// One band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Band {
    pub edges: Edges,
    pub role: Role,
    /// Whether the vertical axis has to reach its closed end.
    pub shown: bool,
}

impl Band {
    /// What the document claims.
    pub(crate) const fn claim(edges: Edges) -> Self {
        Self {
            edges,
            role: Role::Series(4),
            shown: false,
        }
    }

    /// What nothing on this machine can beat.
    pub(crate) const fn floor(edges: Edges) -> Self {
        Self {
            edges,
            role: Role::Series(6),
            shown: true,
        }
    }

    /// What the vertical axis must reach.
    pub(crate) fn reach(&self) -> Option<f64> {
        let ends = match self.edges {
            Edges::Level(low, high) => [low, high],
            Edges::PerX(..) | Edges::Across(..) => return None,
        };
        let mut closed = ends.into_iter().filter(|end| end.is_finite() && *end > 0.0);
        // A band from nothing needs some room to be seen on a logarithmic axis.
        let room = if ends[0] > 0.0 { 1.0 } else { ROOM };
        let end = closed.next_back().filter(|_| self.shown)?;
        Some(end * room)
    }

    /// Draws it into a panel whose data spans `span` across.
    pub(crate) fn draw(
        &self,
        scene: &mut Scene,
        frame: Frame,
        (x, y): (&Scale, &Scale),
        span: (f64, f64),
    ) {
        let paint = Paint::from(self.role).opacity(0.15);
        match self.edges {
            Edges::Level(low, high) => {
                let (bottom, top) = (height(y, low, frame), height(y, high, frame));
                let whole = Frame {
                    top,
                    bottom,
                    ..frame
                };
                if bottom - top > 0.5 {
                    scene.rect(whole, paint);
                }
            }
            Edges::Across(low, high) => {
                let whole = Frame {
                    left: x.at(low),
                    right: x.at(high),
                    ..frame
                };
                if whole.width() > 0.5 {
                    scene.rect(whole, paint);
                }
            }
            Edges::PerX(low, high) => {
                let edge = |times: f64| {
                    steps(span).map(move |at| At(x.at(at), height(y, times * at, frame)))
                };
                let back: Vec<At> = edge(low).collect();
                scene.area(edge(high).chain(back.into_iter().rev()).collect(), paint);
            }
        }
    }
}

fn height(y: &Scale, value: f64, frame: Frame) -> f64 {
    match value.is_finite() {
        true => y.at(value),
        false if value > 0.0 => frame.top,
        false => frame.bottom,
    }
}

/// Values from one end of the axis to the other, denser where it starts.
fn steps((low, high): (f64, f64)) -> impl Iterator<Item = f64> {
    let step = move |i: u32| low + (high - low) * (f64::from(i) / f64::from(STEPS)).powi(2);
    (0..=STEPS).map(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Mark;

    const FRAME: Frame = Frame {
        left: 0.0,
        top: 0.0,
        right: 100.0,
        bottom: 100.0,
    };

    #[track_caller]
    fn check(edges: Edges, drawn: bool) {
        let mut scene = Scene::new(100.0, 100.0, "");
        let (x, y) = (
            Scale::linear(0.0, 10.0, 0.0, 100.0),
            Scale::linear(0.0, 50.0, 100.0, 0.0),
        );
        Band::claim(edges).draw(&mut scene, FRAME, (&x, &y), (1.0, 10.0));
        assert_eq!(scene.marks.len(), 1 + usize::from(drawn), "{edges:?}");
        for mark in &scene.marks {
            if let Mark::Area { points, .. } = mark {
                assert!(points.iter().all(|at| (0.0..=100.0).contains(&at.1)));
            }
        }
    }

    #[test]
    fn a_band_is_cut_off_at_the_frame_and_left_out_beyond_it() {
        check(Edges::Level(10.0, 20.0), true);
        check(Edges::Level(40.0, f64::INFINITY), true);
        check(Edges::Level(60.0, f64::INFINITY), false);
        check(Edges::Across(2.0, 4.0), true);
        check(Edges::PerX(2.0, 1e6), true);
    }
}
