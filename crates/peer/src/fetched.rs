//! How much of a model's files has come, and whether more of them is wanted.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

/// Counts the bytes of model files that came, from wherever.
#[derive(Default)]
pub struct Fetched {
    bytes: Cell<u64>,
    listener: RefCell<Option<Rc<dyn Fn() -> bool>>>,
    is_over: Cell<bool>,
}

impl Fetched {
    /// All bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// From now on, tells `listener` of every piece. Once it says that no more are wanted, none is asked of a server.
    pub fn listen(&self, listener: Option<Rc<dyn Fn() -> bool>>) {
        *self.listener.borrow_mut() = listener;
        self.is_over.set(false);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Some more came.
    pub fn add(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        let listener = self.listener.borrow().clone();
        if let Some(listener) = listener {
            self.is_over.set(!listener());
        }
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
