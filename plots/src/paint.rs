//! Scenes to pixels and to SVG, through plotters' backends.
//!
//! Both are drawn at twice the logical size: plotters counts in whole units,
//! so this gives SVG half-pixel precision and PNG the density of a good
//! screen. The only font is DejaVu Sans, compiled in; no system font is read.

use crate::PlotError;
use crate::palette::{Rgb, SHADES, hex};
use crate::scene::{Align, At, Colour, Mark, Paint, Scene, Text};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, RGBAColor, ShapeStyle, TextStyle, register_font,
};
use std::path::Path;
use std::sync::Once;

/// Backend units per logical pixel.
const SCALE: f64 = 2.0;
/// Backend units by which the bitmap backend sets text higher than SVG does.
const BITMAP_TEXT_DROP: i32 = 4;
const FAMILY: &str = "DejaVu Sans";
/// What a browser without DejaVu takes: faces no wider than it.
const FAMILIES: &str = "DejaVu Sans, Verdana, system-ui, sans-serif";

/// Width of a text in logical pixels.
pub(crate) fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    font(size * SCALE, bold)
        .box_size(text)
        .map_or(0.0, |(width, _)| f64::from(width) / SCALE)
}

/// The scene as a stand-alone SVG document. Colours with a role also carry a
/// class (`f-ROLE` for fills, `s-ROLE` for strokes), so that a page with
/// styles for them can re-colour the picture.
pub(crate) fn svg(scene: &Scene, name: &str) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut text, size(scene));
        draw(&mut backend, scene, 0).map_err(|reason| failed(name, reason))?;
    }
    let (width, height) = size(scene);
    let head = format!("<svg width=\"{width}\" height=\"{height}\"");
    let mut named = format!(
        "<svg role=\"img\" aria-label=\"{}\" width=\"{}\" height=\"{}\"",
        escape(&scene.description),
        scene.width,
        scene.height
    );
    if let Some(rest) = text.strip_prefix(&head) {
        named.push_str(rest);
    }
    let mut themed = named.replace(
        &format!("font-family=\"{FAMILY}\""),
        &format!("font-family=\"{FAMILIES}\""),
    );
    for shade in &SHADES {
        for (attribute, prefix) in [("fill", 'f'), ("stroke", 's')] {
            let plain = format!("{attribute}=\"{}\"", hex(shade.light));
            let classed = format!("class=\"{prefix}-{}\" {plain}", shade.class);
            themed = themed.replace(&plain, &classed);
        }
    }
    Ok(themed.replace(" opacity=\"1\"", ""))
}

/// Writes the scene as a PNG file.
pub(crate) fn png(scene: &Scene, name: &str, path: &Path) -> Result<(), PlotError> {
    let mut backend = BitMapBackend::new(path, size(scene));
    draw(&mut backend, scene, BITMAP_TEXT_DROP).map_err(|reason| failed(name, reason))
}

fn failed(chart: &str, reason: String) -> PlotError {
    PlotError::Draw {
        chart: chart.to_string(),
        reason,
    }
}

fn draw<B: DrawingBackend>(backend: &mut B, scene: &Scene, drop: i32) -> Result<(), String> {
    backend.ensure_prepared().map_err(|e| e.to_string())?;
    for mark in &scene.marks {
        draw_mark(backend, mark, drop)?;
    }
    backend.present().map_err(|e| e.to_string())
}

fn draw_mark<B: DrawingBackend>(backend: &mut B, mark: &Mark, drop: i32) -> Result<(), String> {
    let drawn = match mark {
        Mark::Path {
            points,
            width,
            paint,
        } => backend.draw_path(
            points.iter().map(unit),
            &ShapeStyle {
                color: colour(*paint),
                filled: false,
                stroke_width: (width * SCALE).round().max(1.0) as u32,
            },
        ),
        Mark::Area { points, paint } => {
            backend.fill_polygon(points.iter().map(unit), &colour(*paint).filled())
        }
        Mark::Rect { frame, paint } => backend.draw_rect(
            unit(&At(frame.left, frame.top)),
            unit(&At(frame.right, frame.bottom)),
            &colour(*paint).filled(),
            true,
        ),
        Mark::Dot { at, radius, paint } => {
            let radius = (radius * SCALE).round().max(1.0) as u32;
            backend.draw_circle(unit(at), radius, &colour(*paint).filled(), true)
        }
        Mark::Text(text) => {
            let (x, y) = unit(&text.at);
            backend.draw_text(&text.text, &style(text), (x, y + drop))
        }
    };
    drawn.map_err(|e| e.to_string())
}

fn style(text: &Text) -> TextStyle<'static> {
    let h_pos = match text.align {
        Align::Start => HPos::Left,
        Align::Middle => HPos::Center,
        Align::End => HPos::Right,
    };
    TextStyle {
        font: font(text.size * SCALE, text.bold),
        color: colour(text.paint).to_backend_color(),
        pos: Pos::new(h_pos, VPos::Center),
    }
}

fn font(size: f64, bold: bool) -> FontDesc<'static> {
    /// DejaVu's line is 1.164 em; plotters takes a font's size as the line.
    const LINE_PER_EM: f64 = 1.24;
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        for (style, bytes) in [
            (FontStyle::Normal, dejavu::sans::regular()),
            (FontStyle::Bold, dejavu::sans::bold()),
        ] {
            let registered = register_font(FAMILY, style, bytes);
            assert!(registered.is_ok(), "the compiled-in font must parse");
        }
    });
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    FontDesc::new(FontFamily::Name(FAMILY), size * LINE_PER_EM, style)
}

fn colour(paint: Paint) -> RGBAColor {
    let (r, g, b): Rgb = match paint.colour {
        Colour::Role(role) => role.shade().light,
        Colour::Fixed(rgb) => rgb,
    };
    RGBAColor(r, g, b, paint.opacity)
}

fn unit(at: &At) -> (i32, i32) {
    let whole = |v: f64| (v * SCALE).round() as i32;
    (whole(at.0), whole(at.1))
}

fn size(scene: &Scene) -> (u32, u32) {
    let whole = |v: f64| (v * SCALE).round().max(1.0) as u32;
    (whole(scene.width), whole(scene.height))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
