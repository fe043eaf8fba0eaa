//! What comes when.

use super::{Ask, Event, Scenario};

/// One thing of a scenario's requests and events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Ask(usize, &'a Ask),
    Event(&'a Event),
}

impl Item<'_> {
    pub(super) fn at_secs(&self) -> f64 {
        match self {
            Self::Ask(_, ask) => ask.at_secs,
            Self::Event(event) => event.at_secs,
        }
    }
}

impl Scenario {
    /// Everything by time; at one time events before requests, and each in the file's order.
    pub(super) fn schedule(&self) -> Vec<Item<'_>> {
        let events = self.events.iter().map(Item::Event);
        let asks = self.requests.iter().enumerate().map(|(index, ask)| Item::Ask(index, ask));
        let mut items: Vec<Item<'_>> = events.chain(asks).collect();
        items.sort_by(|a, b| a.at_secs().total_cmp(&b.at_secs()));
        items
    }

    /// Whether a phone is there at the start: the first that is said of its presence is not that it joins.
    pub(super) fn is_there_at_first(&self, id: &str) -> bool {
        let mut events = self.schedule().into_iter().filter_map(|item| match item {
            Item::Event(event) => Some(event),
            Item::Ask(..) => None,
        });
        let first =
            events.find(|event| event.phones().iter().any(|(.., phone)| *phone == Some(id)));
        first.is_none_or(|event| event.join.is_none())
    }
}

impl Event {
    /// In a sentence.
    pub(super) fn sentence(&self) -> String {
        if let Some(speed) = &self.speed {
            return format!(
                "{} now computes {:.3e} operations a second",
                speed.phone, speed.flops_per_sec
            );
        }
        if let Some(link) = &self.link {
            return format!(
                "from {} to {} there are now {:.3e} bytes a second, and a round trip takes {} ms",
                link.from,
                link.to,
                link.bytes_per_sec,
                1e3 * link.rtt_secs
            );
        }
        if let Some((one, other)) = &self.cut {
            return format!("the link between {one} and {other} breaks");
        }
        let said = self.phones().into_iter().find_map(|(_, verb, phone)| Some((phone?, verb)));
        match said {
            Some((phone, verb)) => format!("{phone} {verb}"),
            None => "the room is set up anew".to_owned(),
        }
    }
}
