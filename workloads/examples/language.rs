//! Writes what describes the workload language: the JSON Schema, or the
//! reference in Markdown.
//!
//! ```text
//! cargo run -p plimsoll-workloads --example language -- schema > workloads/schema.json
//! cargo run -p plimsoll-workloads --example language -- reference
//! ```

use plimsoll_workloads::{Spec, language::reference};
use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("schema") => println!("{}", serde_json::to_string_pretty(&Spec::schema())?),
        Some("reference") => print!("{}", reference()),
        _ => return Err("say what to write: schema or reference".into()),
    }
    Ok(())
}
