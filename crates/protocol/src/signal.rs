//! Signaling: invitations, messages to and from the server, and their seal.
