//! certus-agent: collects, sanitizes, spools and ships, inside the customer's network.

fn main() {}
