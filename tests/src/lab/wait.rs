//! Waiting for a condition with a deadline: the only way anything in the lab waits.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(10);

/// Waits until `condition` holds; an error of the condition ends the wait at once.
///
/// `what` completes the sentence "gave up waiting for …".
pub fn until(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = Instant::now();
    while !condition()? {
        if start.elapsed() >= deadline {
            bail!(
                "gave up waiting for {what} after {:.1} s",
                deadline.as_secs_f32()
            );
        }
        thread::sleep(PERIOD);
    }
    Ok(())
}
