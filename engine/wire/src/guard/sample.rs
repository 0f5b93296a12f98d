//! Bodies that a shape allows, for tests and fuzzing.

use super::shape::{Field, Kind, Struct};
use crate::api::ApiSpec;
use crate::write::{Tags, Writer};
use bytes::BytesMut;

const ELEMENTS_MAX: u32 = 3;
const STRING_LEN_MAX: u32 = 12;

/// A body that is exactly what `spec` says a request of `version` looks like,
/// with contents that `choose` picks: it is asked for a number below its
/// argument, over and over. The same choices give the same body.
pub fn sample(spec: &ApiSpec, version: i16, choose: &mut dyn FnMut(u32) -> u32) -> BytesMut {
    let mut body = BytesMut::new();
    let mut sampler = Sampler {
        version,
        flexible: spec.is_flexible(version),
        choose,
    };
    let mut writer = Writer::new(&mut body, sampler.flexible);
    sampler.structure(&spec.shape().root, &mut writer);
    body
}

struct Sampler<'c> {
    version: i16,
    flexible: bool,
    choose: &'c mut dyn FnMut(u32) -> u32,
}

impl Sampler<'_> {
    fn one_in(&mut self, times: u32) -> bool {
        (self.choose)(times) == 0
    }

    fn structure(&mut self, shape: &Struct, writer: &mut Writer<'_>) {
        for field in &shape.fields {
            if field.is_in(self.version) {
                self.field(field, writer);
            }
        }
        if self.flexible {
            let tags = self.tags(&shape.tagged);
            writer.tags(&tags);
        }
    }

    fn tags(&mut self, known: &[Field]) -> Tags {
        let mut tags = Tags::default();
        for field in known {
            if let Some(tag) = field.tag.filter(|_| field.is_in(self.version))
                && self.one_in(2)
            {
                tags.add(tag, |writer| self.field(field, writer));
            }
        }
        if self.one_in(8) {
            let tag = 100 + (self.choose)(1 << 20);
            tags.add(tag, |writer| self.value(&Kind::Str, writer));
        }
        tags
    }

    fn field(&mut self, field: &Field, writer: &mut Writer<'_>) {
        let nullable = field.is_nullable(self.version);
        let null = nullable && self.one_in(4);
        match &field.kind {
            Kind::Struct(_) if null => writer.i8(-1),
            Kind::Struct(inner) => {
                if nullable {
                    writer.i8(1);
                }
                self.structure(inner, writer);
            }
            Kind::Str if null => writer.nullable_str(None),
            _ if null => writer.null_length(),
            kind => self.value(kind, writer),
        }
    }

    fn value(&mut self, kind: &Kind, writer: &mut Writer<'_>) {
        match kind {
            Kind::Fixed(len) => {
                for _ in 0..*len {
                    // Small bytes keep booleans and enumerations in range.
                    writer.i8((self.choose)(2) as i8);
                }
            }
            Kind::Str => {
                let len = (self.choose)(STRING_LEN_MAX);
                let letters = (0..len).map(|_| char::from(b'a' + (self.choose)(26) as u8));
                writer.str(&letters.collect::<String>());
            }
            Kind::Bytes => {
                let len = (self.choose)(STRING_LEN_MAX);
                writer.length(len as usize);
                for _ in 0..len {
                    writer.i8((self.choose)(256) as u8 as i8);
                }
            }
            Kind::Array(element) => {
                let count = (self.choose)(ELEMENTS_MAX + 1);
                writer.length(count as usize);
                for _ in 0..count {
                    self.value(element, writer);
                }
            }
            Kind::Struct(inner) => self.structure(inner, writer),
        }
    }
}
