//! Why the server could not start.

use std::{io, path::PathBuf};

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder with the built app.
    #[error("the app's folder {} has no index.html: build the app first, or name its folder with --app", .folder.display())]
    App {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder with models.
    #[error("the models' folder {} cannot be read ({source}): correct --models", .folder.display())]
    Models {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The access log.
    #[error("the access log {} cannot be written ({source}): correct --access-log", .file.display())]
    AccessLog {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of the certificate.
    #[error("the certificate's file {} cannot be used ({source}): check its permissions, or name another folder with --state", .file.display())]
    IdentityFile {
        /// The file or its folder.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A key that is not its owner's alone.
    #[error(
        "others may read or change {}, and with its key pose as this server: delete the folder that it is in, and new keys are made; or, where nobody has read it, say `chmod 600` of it", .file.display()
    )]
    OpenKey {
        /// The file.
        file: PathBuf,
    },
    /// What stands in the certificate's files.
    #[error("the certificate in {} is not usable ({reason}): delete that folder, and a new one is made", .folder.display())]
    Identity {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A public authority.
    #[error(
        "no certificate from {directory} ({reason}): it must reach this server as port 443 of each --domain"
    )]
    Acme {
        /// The URL of its directory.
        directory: String,
        /// What went wrong.
        reason: String,
    },
    /// A certificate that is old when it is new.
    #[error("the new certificate is to be renewed already: is this machine's clock right?")]
    Clock,
    /// The way to other servers.
    #[error(
        "no way to NATS at {url} ({reason}): is it there, and are --nats and its credentials right?"
    )]
    Nats {
        /// Its address, without user and password.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The address of TURN.
    #[error("TURN cannot listen on {address} ({source}): choose another with --turn")]
    Turn {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The key for TURN servers elsewhere.
    #[error("the TURN secret in {} cannot be used ({reason}): correct --turn-secret", .file.display())]
    TurnSecret {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A TURN server without credentials.
    #[error("{url} needs credentials: give the server's static-auth-secret with --turn-secret")]
    TurnCredentials {
        /// Its URL.
        url: String,
    },
    /// TURN for the phones of one server, where rooms are of several.
    #[error(
        "phones of other servers cannot use this TURN: with --nats give --turn-secret to all servers, and name the TURN of one to the others with --ice-server"
    )]
    TurnOfOne,
    /// Credentials that are told anew too late: they are with a ping, when half of their life is over.
    #[error(
        "TURN credentials would end before newer ones come: --turn-life-secs must be at least twice --ping-interval-secs"
    )]
    TurnLife,
    /// The address to listen on.
    #[error("cannot listen on {address} ({source}): choose another with --listen")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
}
