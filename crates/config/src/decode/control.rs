//! `control`.

use std::path::PathBuf;

use super::Object;

/// Where a 3.x program listens if its file does not say so.
pub const SOCKET: &str = "/var/run/containerpilot.socket";

/// `control: {socket}`.
pub(crate) fn socket(root: &mut Object<'_>) -> Option<PathBuf> {
    let mut object = root.take("control")?.object()?;
    let socket = object.take("socket").and_then(|field| field.text());
    object.finish();
    socket.map(PathBuf::from)
}
