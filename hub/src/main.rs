//! certus-hub: receives, stores, indexes and answers.

fn main() {}
