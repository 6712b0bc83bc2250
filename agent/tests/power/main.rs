//! The spool on a disk that forgets what was not synced: the power is cut, and the disk fails, at every single step.
#![expect(clippy::unwrap_used, reason = "a failure ends the test")]

mod history;
mod world;

use certus_agent::spool::disk::model::{Fault, Unsynced};
use certus_protocol::ids::Lane;
use history::{Step, dropping, histories};
use world::World;

/// How a crash may leave what was not synced.
fn leavings() -> impl Iterator<Item = Unsynced> {
    [Unsynced::Kept, Unsynced::Lost].into_iter().chain((0..4).map(Unsynced::Diced))
}

#[test]
fn a_power_cut_at_any_step_loses_and_repeats_nothing() {
    let mut cuts = 0u64;
    for (name, history) in histories() {
        let mut whole = World::new(&history);
        whole.run();
        let steps = whole.disk.steps();
        for at in 0..steps {
            let mut world = World::new(&history);
            world.disk.fail(at, Fault::PowerCut);
            world.run();
            for unsynced in leavings() {
                let mut after = world.crashed(unsynced);
                after.check(&format!("{name}, cut at step {at} of {steps}, {unsynced:?}"));
                cuts += 1;
            }
        }
    }
    println!("{cuts} crashes");
    assert!(cuts > 2_000, "only {cuts} crashes were tried");
}

#[test]
fn a_power_cut_while_recovering_from_one_loses_and_repeats_nothing() {
    let mut cuts = 0u64;
    for (name, history) in histories().into_iter().take(2) {
        let mut whole = World::new(&history);
        whole.run();
        for at in (0..whole.disk.steps()).step_by(3) {
            let mut world = World::new(&history);
            world.disk.fail(at, Fault::PowerCut);
            world.run();
            for unsynced in [Unsynced::Lost, Unsynced::Diced(9)] {
                for again in 0.. {
                    let mut second = world.crashed(unsynced);
                    second.disk.fail(again, Fault::PowerCut);
                    if second.open() {
                        break;
                    }
                    let mut third = second.crashed(Unsynced::Diced(again));
                    third.check(&format!(
                        "{name}, cut at step {at}, {unsynced:?}, then at {again} of recovery"
                    ));
                    cuts += 1;
                }
            }
        }
    }
    println!("{cuts} crashes of a recovery");
    assert!(cuts > 500, "only {cuts} crashes were tried");
}

#[test]
fn a_failure_at_any_step_is_waited_out_and_loses_nothing() {
    let mut failures = 0u64;
    for (name, history) in histories() {
        let mut whole = World::new(&history);
        whole.run();
        for at in 0..whole.disk.steps() {
            for length in [1, 5] {
                let mut world = World::new(&history);
                (at..at + length).for_each(|at| world.disk.fail(at, Fault::Error));
                world.run();
                world.settle();
                let what = format!("{name}, {length} failures from step {at}");
                world.all_answered(&what);
                // What was written over a failed sync would be gone now.
                world.crashed(Unsynced::Lost).check(&what);
                failures += 1;
            }
        }
    }
    println!("{failures} failures");
    assert!(failures > 500, "only {failures} failures were tried");
}

/// What the tests above are worth: on a disk that only says that it synced, they see that something is gone.
#[test]
fn a_sync_that_does_nothing_is_seen() {
    let (_, history) = histories().swap_remove(0);
    let mut world = World::new(&history);
    world.disk.pretend_to_sync();
    world.run();
    let check = || world.crashed(Unsynced::Lost).check("no sync");
    let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
    assert!(lost.is_err());
}

/// How many of the last steps of [`dropping`] have to do with it.
const DROPPING_STEPS: u64 = 400;

/// Room is made by dropping what was never sent; the rest arrives, and gaps tell of what does not.
#[test]
fn what_is_dropped_to_make_room_is_told_at_any_crash() {
    let (drops, history) = dropping();
    let mut whole = World::bounded(&history, drops);
    whole.run();
    let dropped = whole.dropped();
    assert!(dropped > 0, "nothing was dropped");
    let steps = whole.disk.steps();
    // The steps at which it drops, and those after.
    for at in (steps - DROPPING_STEPS..steps).rev().step_by(5) {
        let mut world = World::bounded(&history, drops);
        world.disk.fail(at, Fault::PowerCut);
        world.run();
        for unsynced in [Unsynced::Kept, Unsynced::Lost, Unsynced::Diced(at)] {
            world.crashed(unsynced).check(&format!("dropping, cut at step {at} of {steps}, {unsynced:?}"));
        }
    }
}

#[test]
fn a_full_disk_is_waited_out_and_acks_still_count() {
    let history: Vec<Step> = (0..30).map(|_| Step::Accept(Lane::Bulk, 700)).collect();
    let mut whole = World::new(&history);
    whole.run();
    for at in 0..whole.disk.steps() {
        let mut world = World::new(&history);
        world.disk.fail(at, Fault::Full);
        world.run();
        world.deliver(Lane::Bulk, usize::MAX);
        world.disk.make_room();
        world.settle();
        world.all_answered(&format!("full from step {at}"));
        world.crashed(Unsynced::Lost).check(&format!("full from step {at}"));
    }
}
