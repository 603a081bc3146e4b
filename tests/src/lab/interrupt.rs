//! Ctrl-C for a lab that a person runs: noticed at once, acted upon in order.

use std::process;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};

/// The exit status of a program ended by Ctrl-C.
pub const EXIT_STATUS: u8 = 130;

/// Whether somebody has asked the program to end.
#[derive(Clone, Debug)]
pub struct Interrupt {
    asked: Arc<(Mutex<bool>, Condvar)>,
}

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP. For main, before there is any other thread.
    ///
    /// The first signal is a request; the second ends the process, and what it held goes with it.
    pub fn watch() -> Result<Self> {
        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
            .into_iter()
            .collect();
        signals.thread_block().context("could not block signals")?;
        let interrupt = Self {
            asked: Arc::default(),
        };
        let asked = Arc::clone(&interrupt.asked);
        thread::spawn(move || {
            while signals.wait().is_ok() {
                let mut already = asked.0.lock().unwrap_or_else(PoisonError::into_inner);
                if *already {
                    process::exit(EXIT_STATUS.into());
                }
                *already = true;
                asked.1.notify_all();
            }
        });
        Ok(interrupt)
    }

    /// Whether a signal has arrived.
    pub fn is_asked(&self) -> bool {
        *self.asked.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a signal, but not longer than this; whether one has arrived.
    pub fn wait(&self, at_most: Duration) -> bool {
        let asked = self.asked.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .asked
            .1
            .wait_timeout_while(asked, at_most, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
