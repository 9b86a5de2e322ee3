//! The rendering thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::sync::mpsc;

use crate::{
    order::{Order, Report},
    workshop::Workshop,
};

/// What the template engine is proven on; touched only as far as a template needs it.
const STACK: usize = 2 * 1024 * 1024;

/// How long an owner waits that ends it: a disk may hang, and the owner may be PID 1.
const FAREWELL: Duration = Duration::from_secs(1);

/// Whoever carries out orders, one at a time.
pub(crate) trait Worker {
    /// Begins. To be called only when there is no other order.
    fn begin(&mut self, order: Order);

    /// Waits for the report. Cancel safe.
    fn report(&mut self) -> impl Future<Output = Report>;

    /// Ends: takes no more orders. The report of the one that is under way, if that comes soon.
    fn finish(&mut self) -> Option<Report>;
}

/// A [`Workshop`] on a thread of its own. Dropping it ends the thread: the order that is under way
/// is finished, and no candidate stays behind.
pub(crate) struct Thread {
    orders: Option<SyncSender<Order>>,
    reports: mpsc::Receiver<Report>,
    ended: Receiver<()>,
    /// Before its first order it has nothing in hand, and need not be waited for.
    has_begun: bool,
    /// It was not waited for to the end.
    is_left: Arc<AtomicBool>,
}

impl Thread {
    /// Starts the thread, which opens the workshop (it cannot leave its thread) and tells what has
    /// come of that.
    ///
    /// # Errors
    /// There can be no thread.
    pub(crate) fn start(
        open: impl FnOnce() -> Result<Workshop, String> + Send + 'static,
        opened: Box<dyn FnOnce(Result<(), String>) + Send>,
    ) -> Result<Thread, String> {
        let (orders, to_do) = sync_channel::<Order>(1);
        let (tell, reports) = mpsc::channel(1);
        let (end, ended) = sync_channel(0);
        let is_left = Arc::new(AtomicBool::new(false));
        let heeded = Arc::clone(&is_left);
        let body = move || {
            let _ended_with_the_thread = end;
            let mut workshop = match open() {
                Ok(workshop) => workshop,
                Err(error) => return opened(Err(error)),
            };
            opened(Ok(()));
            workshop.heed(heeded);
            let mut is_tidy = false;
            while let Ok(order) = to_do.recv() {
                // Not before: without an order nobody wants us any more, and what looks left behind
                // may be our successor's.
                if !std::mem::replace(&mut is_tidy, true) {
                    workshop.tidy();
                }
                let report = workshop.perform(order);
                // One order, one report: there is room, unless nobody wants it any more.
                if tell.try_send(report).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("render".to_owned())
            .stack_size(STACK)
            .spawn(body)
            .map_err(|error| format!("cannot start a thread for rendering: {error}"))?;
        Ok(Thread { orders: Some(orders), reports, ended, has_begun: false, is_left })
    }
}

impl Worker for Thread {
    fn begin(&mut self, order: Order) {
        self.has_begun = true;
        if let Some(orders) = &self.orders
            && orders.try_send(order).is_err()
        {
            log::error!("the rendering thread has ended: files are not rendered any more");
        }
    }

    async fn report(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }

    fn finish(&mut self) -> Option<Report> {
        // Once: nobody waits twice.
        self.orders.take()?;
        if !self.has_begun {
            return None;
        }
        if self.ended.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            self.is_left.store(true, Ordering::SeqCst);
            log::warn!("a file takes long to be written; it stays as it is");
        }
        self.reports.try_recv().ok()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.finish();
    }
}
