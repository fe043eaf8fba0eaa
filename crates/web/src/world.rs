//! What a peer finds around it in a browser's worker.

use std::rc::Rc;

use futures_channel::mpsc::Receiver;
use peer::{DoneOf, Machine, MachineParts, SocketEvent, WorkOf, World, measure::mean_secs};
use platform::spawn;
use transport::web::WebLink;
use web_sys::RtcDataChannel;

use crate::{
    browser::{bytes_of, memory_bytes},
    folder::Means,
    local::blob_of,
    socket::WebSignaling,
    text::TextModule,
};

/// A worker.
#[derive(Clone, Debug)]
pub struct Worker;

impl World for Worker {
    type Channel = RtcDataChannel;
    type Link = WebLink;
    type Socket = WebSignaling;
    type Files = Means;
    type Reader = TextModule;

    fn link(&self, channel: RtcDataChannel, wake: Rc<dyn Fn()>) -> WebLink {
        WebLink::new(channel, wake)
    }

    fn connect(&self, url: &str, listener: Rc<dyn Fn(SocketEvent)>) -> Option<WebSignaling> {
        WebSignaling::connect(url, listener)
    }

    fn files(&self, me: String, warn: Rc<dyn Fn(String)>) -> Means {
        Means { me, fetched: Rc::default(), picked: Vec::new(), warn }
    }

    fn work(
        &self,
        machine: MachineParts<Self>,
        queue: Receiver<WorkOf<Self>>,
        tell: Rc<dyn Fn(DoneOf<Self>)>,
    ) {
        spawn(Machine::new(machine, tell).work(queue));
    }

    async fn lookup_secs(&self) -> f64 {
        // Where a browser refuses it, loading will say so.
        let Ok(blob) = blob_of(&[0; ROW_BYTES]) else { return 0.0 };
        mean_secs(async || drop(bytes_of(blob.array_buffer()).await)).await
    }

    fn memory_bytes(&self) -> f64 {
        memory_bytes()
    }
}

/// About a row of an embedding.
const ROW_BYTES: usize = 2048;
