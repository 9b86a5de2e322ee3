//! The rendering thread.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
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
}

impl Thread {
    /// Starts the thread and opens the workshop there, since it cannot leave its thread.
    ///
    /// # Errors
    /// There can be no thread, or what the workshop says.
    pub(crate) fn start(
        open: impl FnOnce() -> Result<Workshop, String> + Send + 'static,
    ) -> Result<Thread, String> {
        let (orders, to_do) = sync_channel::<Order>(1);
        let (tell, reports) = mpsc::channel(1);
        let (opened, is_open) = sync_channel(1);
        let (end, ended) = sync_channel(0);
        let body = move || {
            let _ended_with_the_thread = end;
            let mut workshop = match open() {
                Ok(workshop) => workshop,
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            workshop.tidy();
            let _ = opened.send(Ok(()));
            while let Ok(order) = to_do.recv() {
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
        is_open.recv().unwrap_or_else(|_| Err("the rendering thread has ended".to_owned()))?;
        Ok(Thread { orders: Some(orders), reports, ended })
    }
}

impl Worker for Thread {
    fn begin(&mut self, order: Order) {
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
        if self.ended.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            log::warn!("a file that is being written takes long; leaving it to its thread");
        }
        self.reports.try_recv().ok()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.finish();
    }
}
