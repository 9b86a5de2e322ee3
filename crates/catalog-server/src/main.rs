//! `catalog-server`: the development catalog as a program.

mod cli;

use std::io::Write;
use std::process::ExitCode;

use catalog_server::{Error, Server};
use cli::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    let options = match cli::parse(lexopt::Parser::from_env()) {
        Ok(Command::Serve(options)) => options,
        Ok(Command::Print(text)) => return print(&text),
        Err(error) => {
            complain(&format!("catalog-server: {error} (-help lists the flags)"));
            return ExitCode::from(2);
        }
    };
    raise_descriptor_limit();
    let served = Server::bind(options).and_then(|server| {
        if let Some(address) = server.dns_address() {
            print(&format!("answering DNS on {address}"));
        }
        print(&format!("listening on http://{}", server.address()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(Error::Start)?.block_on(async {
            let terminate = signal(SignalKind::terminate()).map_err(Error::Start)?;
            let interrupt = signal(SignalKind::interrupt()).map_err(Error::Start)?;
            server.run(either(terminate, interrupt)).await
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("catalog-server: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn either(mut one: Signal, mut two: Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = two.recv() => {}
    }
}

/// A reader that has had enough (`| head`) is no failure.
fn print(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Each blocked query holds a descriptor, and a login's usual limit is 1024.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(65_536).max(soft), hard);
    }
}
