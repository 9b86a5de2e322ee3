//! Where the control socket is, for the commands that talk to a running program.
//!
//! They must work when the file does not: whoever has broken it wants to ask the program that
//! still runs with the last good one. So only what leads to the socket is looked at.

use std::path::PathBuf;

use crate::{
    Errors, Generation, Host, Source,
    decode::{Field, Keys, Report, control},
    generation,
    json5::{self, Value},
    keys,
    render::render,
    secrets::Secrets,
};

/// The path of the control socket that a file names: its `control.socket`, else the default of
/// 3.x. Nothing else needs to be right; if the text is not even JSON5, the default is the best
/// guess.
///
/// # Errors
/// `control` is wrong, or the file is one of 2.x and has none.
pub fn control_socket(source: &Source, host: &Host) -> Result<PathBuf, Errors> {
    let text = render(&source.text, &host.environment).unwrap_or_else(|_| source.text.clone());
    let default = || Ok(PathBuf::from(control::SOCKET));
    let Ok(node) = json5::parse(&text) else { return default() };
    let Value::Object(members) = &node.value else { return default() };
    // Mixed generations are no hindrance here.
    let nobody = Report::new(&text, &host.environment);
    let generation = generation::detect(members, false, &nobody).unwrap_or(Generation::V3);
    let report = Report::new(&text, &host.environment);
    if generation == Generation::V3 {
        report.compare_keys(Keys::Exact);
    }
    // Both generations spell it alike.
    let socket = Field::root(&report, &node, &keys::ROOT_V3).object().and_then(|mut root| {
        let socket = control::socket(&mut root);
        if socket.is_none() && generation == Generation::V2 {
            let rule = format!(
                "want \"control\": {{ \"socket\": \"{}\" }} in it when the program starts",
                control::SOCKET
            );
            root.problem("the program has no control socket: a 1.x/2.x file must name one", &rule);
        }
        socket
    });
    let (problems, _) = report.finish();
    match socket {
        Some(socket) => Ok(socket),
        None if problems.is_empty() => default(),
        None => {
            let secrets = Secrets::of(&host.environment);
            Err(Errors::new(&source.name, text != source.text, problems, &secrets))
        }
    }
}
