//! Who buys, and where it is sent.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

const FIRST: [&str; 24] = [
    "Aino",
    "Amira",
    "Anders",
    "Beatriz",
    "Chiara",
    "Daan",
    "Eilidh",
    "Emil",
    "Fatima",
    "Femke",
    "Giulia",
    "Hannah",
    "Ines",
    "Jakub",
    "Katarzyna",
    "Leon",
    "Maud",
    "Nadia",
    "Oskar",
    "Paula",
    "Rasmus",
    "Sofia",
    "Tomasz",
    "Yusuf",
];

const LAST: [&str; 24] = [
    "Andersen", "Bakker", "Bianchi", "Carvalho", "Dubois", "Eriksson", "Fischer", "Garcia",
    "Hansen", "Ivanova", "Jansen", "Kowalski", "Laine", "Moreau", "Nowak", "O'Brien", "Petrov",
    "Ricci", "Schmidt", "Silva", "Svensson", "Virtanen", "Weber", "Yilmaz",
];

const STREETS: [&str; 16] = [
    "Abbey Road",
    "Bahnhofstraße",
    "Calle Mayor",
    "Dorpsstraat",
    "Elm Grove",
    "Hauptstraße",
    "Kirkegade",
    "Linden Avenue",
    "Mühlenweg",
    "Prinsengracht",
    "Rue de la Gare",
    "Rue Victor Hugo",
    "Strandvägen",
    "Ulica Polna",
    "Via Garibaldi",
    "Via Roma",
];

/// City, postcode prefix, country, currency.
const CITIES: [(&str, &str, &str, &str); 16] = [
    ("Aarhus", "80", "DK", "DKK"),
    ("Amsterdam", "10", "NL", "EUR"),
    ("Barcelona", "080", "ES", "EUR"),
    ("Bologna", "401", "IT", "EUR"),
    ("Dublin", "D0", "IE", "EUR"),
    ("Göteborg", "41", "SE", "SEK"),
    ("Hamburg", "20", "DE", "EUR"),
    ("Helsinki", "00", "FI", "EUR"),
    ("Köln", "50", "DE", "EUR"),
    ("Kraków", "30-", "PL", "PLN"),
    ("Lisboa", "11", "PT", "EUR"),
    ("Lyon", "690", "FR", "EUR"),
    ("München", "80", "DE", "EUR"),
    ("Utrecht", "35", "NL", "EUR"),
    ("Warszawa", "00-", "PL", "PLN"),
    ("Wien", "10", "AT", "EUR"),
];

const SEGMENTS: [&str; 4] = ["new", "regular", "loyal", "business"];

/// Who placed an order.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) segment: &'static str,
    pub(super) email: String,
}

/// Where an order goes.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub(super) struct Address {
    pub(super) name: String,
    pub(super) street: String,
    pub(super) city: &'static str,
    pub(super) postcode: String,
    pub(super) country: &'static str,
}

/// The customer of that number with their address and currency, always the
/// same.
pub(super) fn customer(number: u32) -> (Customer, Address, &'static str) {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(number) << 8 | 0x5A);
    let first = FIRST[rng.random_range(0..FIRST.len())];
    let last = LAST[rng.random_range(0..LAST.len())];
    let (city, prefix, country, currency) = CITIES[rng.random_range(0..CITIES.len())];
    let street = STREETS[rng.random_range(0..STREETS.len())];
    let mailbox: String = last.chars().filter(char::is_ascii_alphabetic).collect();
    let customer = Customer {
        id: format!("cus_{number:06}"),
        segment: SEGMENTS[rng.random_range(0..SEGMENTS.len())],
        email: format!("{}.{}{number}@example.com", first, mailbox).to_lowercase(),
    };
    let address = Address {
        name: format!("{first} {last}"),
        street: format!("{street} {}", rng.random_range(1..=180)),
        city,
        postcode: format!("{prefix}{:03}", rng.random_range(0..1000)),
        country,
    };
    (customer, address, currency)
}
