//! The `plimsoll` command. Everything it does is in the library beside it.

fn main() -> std::process::ExitCode {
    plimsoll::main()
}
