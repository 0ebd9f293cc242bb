//! Panics: which are expected and caught where they happen, and what was running.
//!
//! The running agent ends with any other panic (`health::ends`), so that nothing in it dies unnoticed. Where a panic costs less
//! than the process, the place says so here: a library that panics on damaged files, an upload that ends its own grant.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    static TASK: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// A panic on this thread, now, is caught where it happens.
#[must_use]
pub fn is_contained() -> bool {
    CONTAINED.with(Cell::get)
}

/// The task that this thread works on, if it was given a name.
#[must_use]
pub fn task() -> Option<Arc<str>> {
    TASK.with(|task| task.borrow().clone())
}

/// Does some work; its panic is an `Err` and ends nothing else.
pub fn contained<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    let before = CONTAINED.with(|contained| contained.replace(true));
    let done = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.with(|contained| contained.set(before));
    done
}

/// A task with a name, for whoever reads of its panic.
#[must_use]
pub fn named<F: Future>(name: impl Into<Arc<str>>, work: F) -> Task<F> {
    Task { name: Some(name.into()), contained: false, work: Box::pin(work) }
}

/// A task whose panic only ends itself: whoever waits for it hears of it.
#[must_use]
pub fn contained_task<F: Future>(work: F) -> Task<F> {
    Task { name: None, contained: true, work: Box::pin(work) }
}

/// See [`named`] and [`contained_task`].
#[derive(Debug)]
pub struct Task<F> {
    name: Option<Arc<str>>,
    contained: bool,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _marks = Marks::set(self.name.clone(), self.contained);
        self.work.as_mut().poll(context)
    }
}

/// What was true before, put back when this goes, also by a panic.
struct Marks {
    contained: bool,
    task: Option<Arc<str>>,
}

impl Marks {
    fn set(name: Option<Arc<str>>, contained: bool) -> Marks {
        let before = CONTAINED.with(|now| now.replace(contained || now.get()));
        let task = TASK.with(|task| {
            let name = name.or_else(|| task.borrow().clone());
            task.replace(name)
        });
        Marks { contained: before, task }
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        CONTAINED.with(|contained| contained.set(self.contained));
        TASK.with(|task| task.replace(self.task.take()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls once; what it sees is done by then.
    fn polled<F: Future>(work: F) -> F::Output {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(work).poll(&mut context) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn a_panic_is_contained_where_it_is_said_and_nowhere_else() {
        assert!(!is_contained());
        assert!(contained(is_contained).unwrap());
        let died = contained(|| {
            assert!(is_contained());
            panic!("inside");
        });
        assert!(died.is_err() && !is_contained());
        assert!(polled(contained_task(async { is_contained() })));
        assert!(!is_contained());
    }

    #[test]
    fn a_task_has_its_name_while_it_is_polled() {
        let seen = polled(named("uploads", async { (task(), is_contained()) }));
        assert_eq!(seen, (Some("uploads".into()), false));
        let inner = polled(named("uploads", contained_task(async { (task(), is_contained()) })));
        assert_eq!(inner, (Some("uploads".into()), true));
        assert_eq!(task(), None);
    }
}
