//! Every member's part in measuring: its device, then its links, and telling the coordinator.

use base::Estimate;
use protocol::peer::{DeviceMeasured, Measure, MeasureFailed, Prepare, Prepared, clip};

use crate::{Output, Room, frames::Verdict};

impl Room {
    /// From the coordinator.
    pub(crate) fn take_prepare(&mut self, prepare: Prepare) -> Verdict {
        self.prepare(prepare);
        Ok(())
    }

    pub(crate) fn prepare(&mut self, prepare: Prepare) {
        self.stage.holds_weights = true;
        self.outputs.push_back(Output::Prepare { model: prepare.model });
    }

    /// Our driver has made our device ready.
    pub(crate) fn prepared(&mut self, url: String) {
        if self.config.coordinator {
            self.record_prepared(self.config.me, &url);
        } else if let Some(coordinator) = self.coordinator {
            self.transmit(coordinator, Prepared { url });
        }
    }

    /// From the coordinator: it is our turn.
    pub(crate) fn take_measure(&mut self, measure: Measure) -> Verdict {
        self.measure(measure);
        Ok(())
    }

    pub(crate) fn measure(&mut self, measure: Measure) {
        self.outputs.push_back(Output::Measure { model: measure.model });
        self.prober.links_after_device = measure.peers;
    }

    /// Our driver has measured our device.
    pub(crate) fn device_measured(&mut self, device: DeviceMeasured) {
        let Estimate { mean, spread } = device.flops_per_sec;
        let is_sound = |figure: f64| figure.is_finite() && figure >= 0.0;
        if mean <= 0.0 || ![mean, spread, device.overhead_secs].into_iter().all(is_sound) {
            let figure = format!("{mean} operations a second");
            return self.measure_failed(format!("its measurement makes no sense: {figure}"));
        }
        self.record_device(self.config.me, &device);
        if let Some(coordinator) = self.coordinator.filter(|_| !self.config.coordinator) {
            self.transmit(coordinator, device);
        }
        self.probe_next();
    }

    /// Our device cannot run a stage.
    pub(crate) fn measure_failed(&mut self, message: String) {
        let message = clip(&message, MESSAGE_CHARS);
        if self.config.coordinator {
            self.unfit(self.config.me, &message);
        } else if let Some(coordinator) = self.coordinator {
            self.transmit(coordinator, MeasureFailed { message });
        }
        self.probe_next();
    }

    /// Links come after the device, so that the two do not measure each other.
    fn probe_next(&mut self) {
        let peers = std::mem::take(&mut self.prober.links_after_device);
        if !peers.is_empty() {
            self.probe(&peers);
        }
    }
}

/// Room for the phone's name and our own words in a frame's message.
pub(crate) const MESSAGE_CHARS: usize = 500;
