//! `cargo ci`: everything that must hold before a change lands, step by step, with the seconds of each.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::process::{Command, ExitCode};
use std::time::Instant;

/// Name, program, arguments, environment of each step.
const STEPS: [(&str, &str, &[&str]); 4] = [
    ("format", "cargo", &["fmt", "--all", "--check"]),
    ("lints", "cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("docs", "cargo", &["doc", "--workspace", "--no-deps"]),
    ("tests", "cargo", &["test", "--workspace"]),
];

fn main() -> ExitCode {
    let mut times = Vec::new();
    for (name, program, arguments) in STEPS {
        println!("== {name}");
        let began = Instant::now();
        let status = Command::new(program).args(arguments).env("RUSTDOCFLAGS", "-D warnings").status();
        times.push((name, began.elapsed().as_secs()));
        if !status.is_ok_and(|status| status.success()) {
            println!("== {name} failed");
            return ExitCode::FAILURE;
        }
    }
    for (name, seconds) in times {
        println!("{seconds:>6} s  {name}");
    }
    ExitCode::SUCCESS
}
