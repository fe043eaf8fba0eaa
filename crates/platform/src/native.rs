//! Time and timers of a thread of a program.

use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::task::{JoinHandle, spawn_local};

/// Seconds since the program first asked.
pub fn now_secs() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Seconds since 1970, as this device's clock says.
pub fn unix_secs() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Does `work`. Who wants to know how long it takes has a profiler.
pub fn timed<T>(_name: &str, work: impl FnOnce() -> T) -> T {
    work()
}

/// A call to come. Dropping it cancels the call.
#[derive(Debug)]
pub struct Timer(JoinHandle<()>);

impl Timer {
    /// Calls `call` once, `delay_secs` from now.
    pub fn after(delay_secs: f64, call: impl FnOnce() + 'static) -> Self {
        Self(spawn_local(async move {
            sleep(delay_secs).await;
            call();
        }))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits so long.
pub async fn sleep(secs: f64) {
    tokio::time::sleep(Duration::from_secs_f64(secs.clamp(0.0, LONGEST_SECS))).await;
}

/// Lets a task run beside this one.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    // It goes on by itself.
    drop(spawn_local(task));
}

/// Longer than any program runs.
const LONGEST_SECS: f64 = 1e9;

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;

    #[test]
    fn a_dropped_timer_calls_nothing() {
        let called = in_a_thread(async {
            let called = Rc::new(Cell::new(""));
            let late = Rc::clone(&called);
            drop(Timer::after(0.0, move || late.set("dropped")));
            sleep(0.01).await;
            called.get()
        });
        assert_eq!(called, "");
    }

    /// As a driver does it that sets its next alarm while the last one rings.
    #[test]
    fn a_timer_may_be_dropped_by_its_own_call() {
        let called = in_a_thread(async {
            let (called, place) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)));
            let (count, own) = (Rc::clone(&called), Rc::clone(&place));
            place.set(Some(Timer::after(0.001, move || {
                drop(own.take());
                count.set(count.get() + 1);
            })));
            sleep(0.05).await;
            called.get()
        });
        assert_eq!(called, 1);
    }

    fn in_a_thread<T>(task: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        tokio::task::LocalSet::new().block_on(&runtime.expect("a test has a runtime"), task)
    }
}
