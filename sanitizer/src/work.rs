//! Counts bytes that are looked at, so that tests can hold the work against the input; outside of tests it is nothing.
//!
//! What takes time in proportion to something counts it: a pass over a text, a window of an expression, a value that is
//! decoded. What is bounded by a small number at each place counts that number.

/// Counts bytes that are looked at.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn count(_bytes: usize) {}

#[cfg(test)]
pub(crate) use counted::{count, of};

#[cfg(test)]
mod counted {
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn count(bytes: usize) {
        BYTES.with(|sum| sum.set(sum.get().saturating_add(bytes)));
    }

    /// What `work` gives, and the bytes that it looked at.
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = BYTES.with(Cell::get);
        let made = work();
        (made, BYTES.with(Cell::get) - before)
    }
}
