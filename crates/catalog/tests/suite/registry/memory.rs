//! The registry in memory.

use std::sync::Arc;

use catalog::memory::{self, Mood};
use catalog::{Catalog, Error, Registration, Status};

use super::{Fault, Registry};

pub(crate) struct Memory(Arc<memory::Memory>);

impl Memory {
    pub(crate) fn start() -> Memory {
        Memory(Arc::new(memory::Memory::new()))
    }
}

impl Registry for Memory {
    fn connect(&self) -> Arc<dyn Catalog> {
        Arc::clone(&self.0) as _
    }

    fn retag(&self, registration: &Registration, tags: &[&str]) {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        self.0.put(Registration { tags, ..registration.clone() }, Status::Passing);
    }

    fn set(&self, key: &str, value: &[u8]) {
        self.0.set(key, value);
    }

    fn unset(&self, key: &str) {
        self.0.unset(key);
    }

    fn fail(&self, fault: Fault) {
        self.0.set_mood(match fault {
            Fault::Frozen => Mood::Frozen,
            Fault::Emptied => Mood::Failing(Error::Unreachable("killed".to_owned())),
        });
    }

    fn mend(&self, fault: Fault) {
        if fault == Fault::Emptied {
            self.0.wipe();
        }
        self.0.set_mood(Mood::Well);
    }
}
