//! Prints the JSON Schema of `result.json`:
//! cargo run -p plimsoll-results --example schema > bench/results/schema.json

fn main() {
    println!("{:#}", plimsoll_results::schema());
}
