//! The image that the tests' containers run.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::engine::{docker_quietly, timed};

/// The image of the tests that are running now: removed with the last of them.
static CURRENT: Mutex<Weak<Image>> = Mutex::new(Weak::new());

/// An image, removed on drop.
pub(crate) struct Image {
    name: String,
}

impl Image {
    /// The image that the running tests share; the first one builds it.
    ///
    /// # Panics
    /// If it cannot be built, saying what is missing.
    #[track_caller]
    pub(crate) fn shared() -> Arc<Image> {
        // A test that failed to build it has poisoned nothing: there is none, and we try again.
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        current.upgrade().unwrap_or_else(|| {
            let image = Arc::new(Image::build());
            *current = Arc::downgrade(&image);
            image
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[track_caller]
    fn build() -> Image {
        assert!(
            std::env::var_os("CONTAINERPILOT_STATIC").is_some(),
            "this test needs the static program: run `make build` and set CONTAINERPILOT_STATIC \
             to the path that it prints"
        );
        let image = Image { name: unique("containerpilot-test:run") };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/build-test-image");
        let built = timed(&script, &[&image.name]).unwrap_or_else(|error| panic!("{error}"));
        let errors = String::from_utf8_lossy(&built.stderr);
        assert_eq!(built.code, 0, "scripts/build-test-image: {errors}");
        image
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // There is none if building it has failed.
        docker_quietly(&["rmi", "--force", &self.name]);
    }
}

/// A name that no other run of the tests uses, on this machine at this time.
pub(crate) fn unique(prefix: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{prefix}-{}-{}", std::process::id(), since.as_nanos())
}
