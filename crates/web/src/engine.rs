//! The export: an engine that takes the page's messages and emits its own.

use std::{cell::RefCell, rc::Rc};

use base::PeerId;
use js_sys::{Array, Function, Reflect};
use peer::{
    Emit, Work,
    messages::{FromWorker, StartConfig, ToWorker, error},
};
use serde::Serialize;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{File, RtcDataChannel};

use crate::{redeem::Redeeming, text::TextModule, world::Worker};

type Driver = peer::Driver<Worker>;

/// One phone's engine. Construct it once in a dedicated worker.
#[wasm_bindgen]
pub struct Engine {
    driver: Rc<RefCell<Option<Driver>>>,
    picked: RefCell<Option<Vec<File>>>,
    redeeming: RefCell<Option<Redeeming>>,
    emit: Emit,
    load_text: Function,
}

#[wasm_bindgen]
impl Engine {
    /// An engine that calls `emit(message)` for everything the page should know, and `load_text()`,
    /// which is to give a promise of `crates/web-text`'s class `ModelText`, where it starts a room.
    #[wasm_bindgen(constructor)]
    pub fn new(emit: Function, load_text: Function) -> Self {
        let emit = Emit::new(move |message| tell(&emit, message));
        Self {
            driver: Rc::default(),
            picked: RefCell::default(),
            redeeming: RefCell::default(),
            emit,
            load_text,
        }
    }

    /// Takes one message of the page.
    ///
    /// # Errors
    /// The message is not one of the contract.
    pub fn handle(&self, message: JsValue) -> Result<(), JsValue> {
        if let Some((peer, channel)) = channel_of(&message) {
            self.with_driver(|driver| driver.add_channel(peer, channel));
            return Ok(());
        }
        if let Some(files) = files_of(&message) {
            self.pick(files);
            return Ok(());
        }
        match serde_wasm_bindgen::from_value(message)? {
            ToWorker::Start { config } => self.start(*config),
            ToWorker::Redeem { signal_url, code } => self.redeem(&signal_url, &code),
            ToWorker::Leave => {
                self.with_driver(Driver::leave);
                self.driver.borrow_mut().take();
            }
            message => self.with_driver(|driver| driver.on_page(message)),
        }
        Ok(())
    }

    fn start(&self, config: StartConfig) {
        let load_text =
            || TextModule::load(&self.load_text).map_err(|error| crate::browser::text(&error));
        match Driver::start(
            Worker,
            config,
            load_text,
            self.emit.clone(),
            Rc::downgrade(&self.driver),
        ) {
            Ok(driver) => {
                *self.driver.borrow_mut() = Some(driver);
                if let Some(files) = self.picked.take() {
                    self.pick(files);
                }
                self.with_driver(Driver::greet);
            }
            Err(view) => self.emit.send(&FromWorker::Failed { ask: None, error: view }),
        }
    }

    /// A code that is still on its way is given up for this one.
    fn redeem(&self, signal_url: &str, code: &str) {
        *self.redeeming.borrow_mut() = None;
        match Redeeming::start(signal_url, code, self.emit.clone()) {
            Ok(redeeming) => *self.redeeming.borrow_mut() = Some(redeeming),
            Err(why) => self.emit.send(&FromWorker::RedeemFailed { why, tried: false }),
        }
    }

    /// Files that were picked before the room is started wait for it.
    fn pick(&self, files: Vec<File>) {
        match self.driver.borrow_mut().as_mut() {
            Some(driver) => driver.queue(Work::Picked(files)),
            None => *self.picked.borrow_mut() = Some(files),
        }
    }

    fn with_driver(&self, act: impl FnOnce(&mut Driver)) {
        match self.driver.borrow_mut().as_mut() {
            Some(driver) => act(driver),
            None => self.emit.send(&FromWorker::Failed {
                ask: None,
                error: error("internal", "The engine was asked before a room was started."),
            }),
        }
    }
}

/// Tells the page something.
fn tell(page: &Function, message: &FromWorker) {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    let value = message.serialize(&serializer).expect("the messages are plain data");
    // A page that throws in its handler has its own error in its own console.
    let _ = page.call1(&JsValue::NULL, &value);
}

/// The channel in a `{type: "rtc", event: {kind: "channel", peer, channel}}`.
fn channel_of(message: &JsValue) -> Option<(PeerId, RtcDataChannel)> {
    let get = |object: &JsValue, key: &str| Reflect::get(object, &key.into()).ok();
    let event = get(message, "event").filter(JsValue::is_object)?;
    if get(&event, "kind")?.as_string()? != "channel" {
        return None;
    }
    let peer = get(&event, "peer")?.as_string()?.parse().ok()?;
    Some((peer, get(&event, "channel")?.unchecked_into()))
}

/// The files in a `{type: "files", files}`.
fn files_of(message: &JsValue) -> Option<Vec<File>> {
    let get = |key: &str| Reflect::get(message, &key.into()).ok();
    if get("type")?.as_string()? != "files" {
        return None;
    }
    let files: Array = get("files")?.dyn_into().ok()?;
    Some(files.iter().filter_map(|file| file.dyn_into().ok()).collect())
}
