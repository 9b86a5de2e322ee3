//! Sends.
use super::*;
pub(super) async fn run(shared: Arc<Shared>) {
    shared.changed.notified().await;
}
