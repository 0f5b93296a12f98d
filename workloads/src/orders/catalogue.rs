//! What the shop sells.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How many articles there are.
pub(super) const ARTICLES: u32 = 480;

const KINDS: [(&str, &str, u32, u32); 16] = [
    ("KIT", "Chef's Knife", 2900, 18_900),
    ("KIT", "Cast Iron Pan", 2400, 12_900),
    ("KIT", "Coffee Grinder", 3900, 24_900),
    ("KIT", "Storage Jar Set", 1200, 4900),
    ("GAR", "Pruning Shears", 1400, 6900),
    ("GAR", "Watering Can", 1100, 5900),
    ("GAR", "Seed Tray", 400, 1900),
    ("OFF", "Desk Lamp", 2500, 13_900),
    ("OFF", "Notebook", 300, 1900),
    ("OFF", "Fountain Pen", 1900, 15_900),
    ("OUT", "Trail Backpack", 5900, 21_900),
    ("OUT", "Sleeping Mat", 3500, 16_900),
    ("OUT", "Water Bottle", 900, 3900),
    ("TEX", "Linen Towel", 700, 3500),
    ("TEX", "Wool Blanket", 4900, 19_900),
    ("TEX", "Cotton Apron", 1500, 4500),
];

const MAKES: [&str; 12] = [
    "Arden", "Birkholm", "Caldera", "Dunmore", "Estuary", "Fjell", "Granby", "Harrow", "Isola",
    "Juniper", "Kestrel", "Lumen",
];

const COLOURS: [&str; 10] = [
    "Anthracite",
    "Chalk",
    "Clay",
    "Forest",
    "Ink",
    "Mustard",
    "Natural",
    "Rust",
    "Sage",
    "Slate",
];

/// One article.
pub(super) struct Article {
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) price_cents: u32,
}

/// The article of that number, always the same.
pub(super) fn article(number: u32) -> Article {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(number) << 8 | 0xA5);
    let (line, noun, least, most) = KINDS[rng.random_range(0..KINDS.len())];
    let make = MAKES[rng.random_range(0..MAKES.len())];
    let colour = COLOURS[rng.random_range(0..COLOURS.len())];
    // Prices end in 95 cents.
    let price = rng.random_range(least..=most) / 100 * 100 + 95;
    Article {
        sku: format!(
            "{line}-{:05}-{}",
            10_000 + number * 7,
            &colour[..3].to_uppercase()
        ),
        name: format!("{make} {noun}, {colour}"),
        price_cents: price,
    }
}
