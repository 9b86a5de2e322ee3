//! The sub-commands: what is asked of a running program through its control socket.

use std::{
    io::{IsTerminal as _, Write as _, stdout},
    path::Path,
    time::SystemTime,
};

use control::{
    Client, News, live,
    table::{Style, render},
};

use crate::cli::{Format, Order};

/// Does what was asked, in this order, until something fails.
///
/// # Errors
/// In words: the program cannot be reached, or does not do it.
pub(crate) fn talk(socket: &Path, orders: &[Order]) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let client = Client::new(socket);
    runtime.block_on(async {
        for order in orders {
            carry_out(&client, order).await?;
        }
        Ok(0)
    })
}

async fn carry_out(client: &Client, order: &Order) -> Result<(), String> {
    let words = |error: control::Error| error.to_string();
    match order {
        Order::Ping => {
            client.ping().await.map_err(words)?;
            say("ok\n");
        }
        Order::Reload => client.reload().await.map_err(words)?,
        Order::Maintenance(switch) => client.maintenance(*switch).await.map_err(words)?,
        Order::PutEnv(pairs) => client.putenv(pairs).await.map_err(words)?,
        Order::PutMetric(pairs) => client.putmetric(pairs).await.map_err(words)?,
        Order::Status(Format::Live) => {
            live::run(client).await.map_err(|error| format!("-status -watch: {error}"))?;
        }
        Order::Status(format) => {
            let status = client.status().await.map_err(words)?;
            say(&match format {
                Format::Json => serde_json::to_string_pretty(&status)
                    .map_or_else(|error| error.to_string(), |json| json + "\n"),
                _ => table(&status),
            });
        }
        Order::Events(filter, format) => {
            let hear = |news: News| say(&event(&news, *format));
            client.events(filter, hear).await.map_err(words)?;
        }
    }
    Ok(())
}

fn table(status: &control::wire::Status) -> String {
    let terminal = stdout().is_terminal();
    let plain = !terminal || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let style = if plain { Style::Plain } else { Style::Colour };
    render(status, live::width(), style, SystemTime::now())
}

fn event(news: &News, format: Format) -> String {
    match (news, format) {
        (News::Event(event), Format::Json) => {
            serde_json::to_string(event).unwrap_or_default() + "\n"
        }
        (News::Event(event), _) if event.source == event.event => {
            format!("{} {}\n", event.time, event.event)
        }
        (News::Event(event), _) => format!("{} {} {}\n", event.time, event.source, event.event),
        (News::Missed(missed), Format::Json) => format!("{{\"missed\":{missed}}}\n"),
        (News::Missed(missed), _) => format!("({missed} events are missing here)\n"),
    }
}

/// Writes to stdout. Whoever reads it may have enough (`| head`): then there is nothing left to do.
#[allow(
    clippy::disallowed_methods,
    reason = "this is a command, not the program that runs as PID 1"
)]
fn say(text: &str) {
    let mut out = stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
