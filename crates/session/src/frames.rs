//! Where every frame goes, and who may send it.

use base::PeerId;
use protocol::peer::{Frame, ProbeDone};

use crate::{Event, LinkState, Room};

/// Whether a frame was taken, or why it was refused.
pub(crate) type Verdict = Result<(), &'static str>;

impl Room {
    pub(crate) fn take_frame(&mut self, peer: PeerId, frame: Frame) {
        let Some(member) = self.members.get(&peer) else { return };
        let link = member.link;
        if link == LinkState::Lost {
            return;
        }
        let bytes = frame.encoded_len();
        self.my_facts().counters.bytes_received += bytes as u64;
        self.time_taken(peer, bytes);
        let name = frame.name();
        let verdict = match frame {
            Frame::Hello(hello) => self.take_hello(peer, hello),
            _ if link == LinkState::Connecting => Err("it has not introduced itself"),
            Frame::Admission(admission) => {
                self.heard(peer);
                self.take_admission(peer, admission)
            }
            frame if link == LinkState::Waiting => self.take_from_outside(peer, &frame),
            frame => {
                self.heard(peer);
                self.dispatch(peer, frame)
            }
        };
        self.judge(peer, name, verdict);
    }

    /// From a phone that is not in, or to us while we are not.
    fn take_from_outside(&mut self, peer: PeerId, frame: &Frame) -> Verdict {
        match frame {
            Frame::Ping(_) | Frame::Pong(_) => self.heard(peer),
            Frame::Leave(_) => self.lose(peer),
            _ => return Err("it was not let in"),
        }
        Ok(())
    }

    /// Tells of a frame that was refused.
    pub(crate) fn judge(&mut self, peer: PeerId, name: &str, verdict: Verdict) {
        if let Err(reason) = verdict {
            self.tell(Event::Misbehaved { peer, reason: format!("{name}: {reason}") });
        }
    }

    fn dispatch(&mut self, peer: PeerId, frame: Frame) -> Verdict {
        match frame {
            Frame::Hello(_) | Frame::Admission(_) => Err("it was taken before"),
            Frame::Ping(ping) => self.take_ping(peer, &ping),
            Frame::Pong(pong) => self.take_pong(peer, &pong),
            Frame::Probe(probe) if probe.last => {
                self.answer(peer, ProbeDone { nonce: probe.nonce })
            }
            Frame::Probe(_) => Ok(()),
            Frame::ProbeDone(done) => self.take_probe_done(peer, done.nonce),
            Frame::Leave(_) => {
                if let Some(member) = self.members.get_mut(&peer) {
                    member.has_left = true;
                }
                self.lose(peer);
                Ok(())
            }
            Frame::Begin(begin) => self.take_begin(peer, begin),
            Frame::Activations(activations) => self.take_activations(peer, activations),
            Frame::Residual(residual) => self.take_residual(peer, residual),
            Frame::Token(token) if self.only_feeds() => self.take_token_to_feed(peer, &token),
            Frame::ChunkDone(done) if self.only_feeds() => self.take_fed_chunk(peer, &done),
            Frame::CacheAsk(ask) => self.take_cache_ask(peer, ask),
            Frame::CacheRows(rows) => self.take_cache_rows(peer, rows),
            Frame::CacheLost(lost) => self.take_cache_lost(peer, lost.of),
            Frame::Cancel(cancel) => self.take_end(peer, cancel.request, cancel.into()),
            Frame::Finished(finished) => self.take_end(peer, finished.request, finished.into()),
            frame if self.config.coordinator => self.dispatch_to_coordinator(peer, frame),
            frame if self.coordinator == Some(peer) => self.dispatch_from_coordinator(frame),
            _ => Err("only the coordinator sends or takes it"),
        }
    }

    fn dispatch_to_coordinator(&mut self, peer: PeerId, frame: Frame) -> Verdict {
        match frame {
            Frame::Prepared(prepared) => self.take_prepared(peer, &prepared.url),
            Frame::DeviceMeasured(device) => self.take_device(peer, &device),
            Frame::MeasureFailed(failed) => self.take_measure_failed(peer, &failed.message),
            Frame::LinkMeasured(link) => self.take_link(peer, link),
            Frame::Away(away) => self.take_away(peer, away.why),
            Frame::LinkLost(lost) => self.take_link_lost(peer, lost.peer),
            Frame::LoadProgress(progress) => self.take_load_progress(peer, &progress),
            Frame::StageReady(ready) => self.take_stage_ready(peer, &ready),
            Frame::CopiesLoaded(loaded) => self.take_copies_loaded(peer, &loaded),
            Frame::StageFailed(failed) => {
                self.take_stage_failed(peer, failed.epoch, &failed.failure)
            }
            Frame::Token(token) => self.take_token(peer, token),
            Frame::ChunkDone(done) => self.take_chunk_done(peer, &done),
            Frame::RequestFailed(failed) => self.take_request_failed(peer, &failed),
            Frame::Ask(ask) => self.take_ask(peer, ask),
            Frame::Resume(resume) => self.take_resume(peer, &resume),
            Frame::StopAsk(stop) => self.take_stop(peer, stop.ask),
            Frame::Report(report) => self.take_report(peer, &report),
            _ => Err("only the coordinator may send it"),
        }
    }

    fn dispatch_from_coordinator(&mut self, frame: Frame) -> Verdict {
        match frame {
            Frame::Prepare(prepare) => self.take_prepare(prepare),
            Frame::Measure(measure) => self.take_measure(measure),
            Frame::RollOut(roll_out) => self.take_roll_out(roll_out),
            Frame::LoadCopies(load) => self.take_load_copies(load),
            Frame::Halt(halt) => self.take_halt(halt.epoch),
            Frame::Text(text) => self.take_text(text),
            Frame::Answered(answered) => self.take_answered(answered),
            Frame::AskFailed(failed) => self.take_ask_failed(failed),
            Frame::Status(status) => self.take_status(status),
            _ => Err("the coordinator does not send it"),
        }
    }

    pub(crate) fn answer(&mut self, peer: PeerId, frame: impl Into<Frame>) -> Verdict {
        self.transmit(peer, frame);
        Ok(())
    }
}
