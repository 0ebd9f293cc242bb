//! How threads and tasks may end: when they are asked to. Any other end ends the process, so that systemd starts it again; a box
//! that goes on without its core or its uploads would look healthy and be none.
#![allow(unsafe_code)]

use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kerbside_domain::panics;
use tokio::task::AbortHandle;

/// Between two looks at tasks that other crates run.
const LOOK: Duration = Duration::from_secs(1);
/// How sled names its threads. A panic of theirs comes back as an error of the next call, and the index can be made again.
const SLED: &str = "sled-";

/// From here on a panic anywhere in the process ends it with exit code 70, after it was logged with the name of its thread or
/// task. Panics that are caught where they happen are logged and end nothing.
pub(crate) fn end_with_a_panic() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name =
            panics::task().map_or_else(|| thread.name().unwrap_or("unnamed").to_owned(), |t| t.to_string());
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = text_of(info);
        if panics::is_contained() || name.starts_with(SLED) {
            tracing::warn!(name, place, text, "a panic, which is caught");
        } else {
            tracing::error!(name, place, text, "a panic: the program ends, to be started again");
            end();
        }
    }));
}

fn text_of(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

/// At once: the destructors of C++ libraries must not run beside threads that still use them. What is durable is durable.
fn end() {
    // SAFETY: it ends the process and touches nothing.
    unsafe { libc::_exit(i32::from(crate::cli::exit::FAILED)) }
}

/// Whether the program is up, which is when no thread and no task may end. A start that fails has its own error.
#[derive(Clone)]
pub(crate) struct Ends {
    is_up: Arc<AtomicBool>,
    unexpected: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Ends {
    fn default() -> Self {
        Ends::with(|name| {
            tracing::error!(
                name,
                "it ended though nobody asked it to: the program ends, to be started again"
            );
            end();
        })
    }
}

impl std::fmt::Debug for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ends(is up: {:?})", self.is_up)
    }
}

impl Ends {
    /// `unexpected` is called with the name of what ended.
    fn with(unexpected: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Ends { is_up: Arc::default(), unexpected: Arc::new(unexpected) }
    }

    /// From here on everything stays.
    pub(crate) fn up(&self) {
        self.is_up.store(true, Ordering::Release);
    }

    /// From here on everything may end.
    pub(crate) fn stopping(&self) {
        self.is_up.store(false, Ordering::Release);
    }

    fn ended(&self, name: &str) {
        if self.is_up.load(Ordering::Acquire) {
            (self.unexpected)(name);
        }
    }

    /// Held by a thread, or by a closure that is its own, for as long as it runs.
    pub(crate) fn stays(&self, name: impl Into<String>) -> Stays {
        Stays { name: name.into(), ends: self.clone() }
    }

    /// Looks after tasks that only their handles are known of, for ever.
    pub(crate) async fn watch(self, tasks: Vec<(&'static str, AbortHandle)>) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            for (name, _) in tasks.iter().filter(|(_, task)| task.is_finished()) {
                self.ended(name);
            }
        }
    }
}

/// Whoever holds this promises to go on until the program is stopped.
#[derive(Debug)]
pub(crate) struct Stays {
    name: String,
    ends: Ends,
}

impl Drop for Stays {
    fn drop(&mut self) {
        // A panic was said by its own name.
        if !std::thread::panicking() {
            self.ends.ended(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    fn ends() -> (Ends, Arc<Mutex<Vec<String>>>) {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let into = seen.clone();
        let ends = Ends::with(move |name| into.lock().push(name.to_owned()));
        ends.up();
        (ends, seen)
    }

    #[test]
    fn what_ends_before_it_is_asked_to_is_named() {
        let (ends, seen) = ends();
        let (core, review) = (ends.stays("core"), ends.stays("review"));
        drop(core);
        assert_eq!(*seen.lock(), ["core"]);
        ends.stopping();
        drop(review);
        assert_eq!(*seen.lock(), ["core"], "now everything may end");
    }

    #[tokio::test]
    async fn a_task_of_another_crate_that_ends_is_named() {
        let (ends, seen) = ends();
        let done = tokio::spawn(async {});
        let goes_on = tokio::spawn(std::future::pending::<()>());
        let handles = vec![("uploads", done.abort_handle()), ("link", goes_on.abort_handle())];
        done.await.unwrap();
        // Its first look comes at once.
        let _ = tokio::time::timeout(Duration::ZERO, ends.watch(handles)).await;
        assert_eq!(*seen.lock(), ["uploads"]);
    }
}
